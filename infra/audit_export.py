"""The gate's log as a file that anybody can check without KITTY (docs/audit.md)."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from uuid import UUID

from infra.audit_checkpoints import ContradictionError
from infra.audit_files import AuditFiles
from infra.store.audit import AuditLog
from safety.audit.checkpoint import Signed, spki_of
from safety.audit.entries import Header, genesis
from safety.audit.merkle import Tree


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Which entries are exported."""

    first: int
    last: int


class Export:
    """One export: a header, entries, and checkpoints where they belong between them."""

    def __init__(self, log: AuditLog, files: AuditFiles) -> None:
        self._log = log
        self._files = files

    async def lines(self, part: Part) -> AsyncIterator[bytes]:
        """Yield the lines; whatever the log holds is written, sound or not.

        Raises ContradictionError if a later part is wanted and the chain before it has gaps.
        """
        head = await self._log.head()
        yield (await self._header(head.log, part.first)).line()
        checkpoints = self._checkpoints(head.log, part.first - 1)
        due = next(checkpoints, None)
        async for number, line in self._log.lines(part.first, part.last):
            while due is not None and due.checkpoint.size < number:
                yield due.line()
                due = next(checkpoints, None)
            yield line
        while due is not None:
            yield due.line()
            due = next(checkpoints, None)
        for row in await self._log.unchained():
            yield b'{"unchained":%d}\n' % row

    async def _header(self, log: UUID, first: int) -> Header:
        tree, head = Tree(), genesis(log)
        while tree.size < first - 1:
            hashes = await self._log.hashes(tree.size, first - 1)
            if not hashes:
                raise ContradictionError(
                    f"entries before {first} are missing: export the whole log, without --since"
                )
            tree.extend(hashes)
            head = hashes[-1]
        spki = spki_of(self._files.key().public_key())
        return Header(log=log, spki=spki, first=first, head=head, peaks=tree.peaks)

    def _checkpoints(self, log: UUID, size: int) -> Iterator[Signed]:
        return (
            each
            for each in self._files.all()
            if each.checkpoint.log == log and each.checkpoint.size >= size
        )
