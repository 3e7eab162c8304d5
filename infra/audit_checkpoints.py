"""Checkpoints of the gate's log: made, signed, and taken out of the database's reach.

    checkpoints = Checkpoints(log=AuditLog(pool), files=AuditFiles(home), now=now, carrier=bus)
    supervisor.every(EVERY, "audit", checkpoints.tick)
    ...
    await checkpoints.close()

The log that is found must go on from the last checkpoint.  If it does not, nothing is signed any
more and `fault` says so: KITTY must not vouch for a log that somebody changed.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Final, Protocol

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from infra.audit_files import AuditFiles, AuditFilesError
from infra.db import StoreError
from infra.mqtt_settings import BusUnavailableError, UnconfirmedError
from infra.store.audit import AuditLog, Head
from safety.audit.checkpoint import Checkpoint, Signed, sign
from safety.audit.merkle import Tree

EVERY: Final = timedelta(minutes=1)
"""Pause between checkpoints: what was added since is only chained, not yet signed for."""
TOPIC: Final = "kitty/audit/checkpoint"
_log = structlog.get_logger("kitty.audit")


class ContradictionError(StoreError):
    """The log is not a continuation of what was signed for."""

    code: ClassVar[str] = "audit_contradiction"


class Carrier(Protocol):
    """Takes messages to where others keep them."""

    async def publish(
        self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False
    ) -> None:
        """Publish, or raise BusUnavailableError or UnconfirmedError."""
        ...


class Sealer:
    """Signs for the log as it stands, if it goes on from what was signed before."""

    def __init__(self, *, log: AuditLog, files: AuditFiles, now: Callable[[], datetime]) -> None:
        self._log = log
        self._files = files
        self._now = now
        self._tree = Tree()
        self._key: Ed25519PrivateKey | None = None

    async def seal(self) -> tuple[Signed, bool]:
        """Return the checkpoint of the log as it stands, and whether it is new.

        Raises ContradictionError, AuditFilesError or StoreUnavailableError.
        """
        async with self._files.alone():
            if self._key is None:
                self._key = self._files.key()
            head, last = await self._log.head(), self._files.last()
            if last is not None:
                await self._follow(last, head)
                if last.checkpoint.size == head.size:
                    return last, False
            elif self._tree.size:
                self._tree = Tree()
            await self._grow(head.size, head.hash)
            signed = sign(
                Checkpoint(
                    log=head.log,
                    size=head.size,
                    root=self._tree.root(),
                    head=head.hash,
                    time=self._now().astimezone(UTC).isoformat(timespec="microseconds"),
                    previous=None if last is None else last.checkpoint.digest(),
                ),
                self._key,
            )
            self._files.append(signed)
            return signed, True

    async def _follow(self, last: Signed, head: Head) -> None:
        """Check that the log still holds what the last checkpoint signed for."""
        assert self._key is not None
        known, where = last.checkpoint, self._files.folder
        if not last.fits(self._key.public_key()):
            raise ContradictionError(
                f"the last checkpoint in {where} is not signed with the key beside it"
            )
        if known.log != head.log:
            raise ContradictionError(
                f"the checkpoints in {where} are of log {known.log}, but the database holds log "
                f"{head.log}. If you changed databases on purpose, move the folder aside"
            )
        if known.size > head.size:
            raise ContradictionError(
                f"the log has {head.size} entries, but {known.size} were signed for on "
                f"{known.time}: the rest is gone. Export it, and see docs/audit.md"
            )
        if self._tree.size > known.size:
            self._tree = Tree()
        await self._grow(known.size, known.head)
        if self._tree.root() != known.root:
            self._tree = Tree()
            raise ContradictionError(
                f"the first {known.size} entries are not those that were signed for on "
                f"{known.time}: the log was written anew. Export it, and see docs/audit.md"
            )

    async def _grow(self, size: int, head: bytes) -> None:
        newest = head
        while self._tree.size < size:
            before = self._tree.size
            hashes = await self._log.hashes(before, size)
            if not hashes:
                break
            self._tree.extend(hashes)
            newest = hashes[-1]
        if self._tree.size != size or newest != head:
            self._tree = Tree()
            raise ContradictionError(
                f"the chain does not lead to entry {size}: entries are missing or were altered. "
                "Export it, and see docs/audit.md"
            )


class Checkpoints:
    """The background work: seal the log every minute and tell others."""

    def __init__(
        self,
        *,
        log: AuditLog,
        files: AuditFiles,
        now: Callable[[], datetime],
        carrier: Carrier,
    ) -> None:
        self._sealer = Sealer(log=log, files=files, now=now)
        self._carrier = carrier
        self._told: Signed | None = None
        self.fault: str | None = None
        """Why nothing is signed at the moment, in words; None while all is well."""
        self.size = 0
        """Entries under the newest checkpoint."""

    async def tick(self) -> None:
        """Seal what is new and publish the newest checkpoint, if it was not published yet."""
        try:
            signed, new = await self._sealer.seal()
        except (ContradictionError, AuditFilesError) as error:
            self.fault = str(error)
            _log.error("audit_not_sealed", code=error.code, reason=str(error))
            return
        self.fault, self.size = None, signed.checkpoint.size
        if new and signed.checkpoint.previous is None:
            _log.info("audit_begins", log=str(signed.checkpoint.log), entries=self.size)
        if new:
            _log.info("audit_sealed", entries=self.size, root=signed.checkpoint.root.hex())
        if signed != self._told:
            await self._tell(signed)

    async def _tell(self, signed: Signed) -> None:
        try:
            await self._carrier.publish(TOPIC, signed.line().rstrip(b"\n"), qos=1, retain=True)
        except (BusUnavailableError, UnconfirmedError) as error:
            _log.warning("audit_not_published", reason=str(error))
        else:
            self._told = signed

    async def close(self) -> None:
        """Seal a last time; call it while the store and the bus are still there."""
        try:
            await self.tick()
        except StoreError as error:
            _log.warning("audit_not_sealed", code=error.code, reason=str(error))
