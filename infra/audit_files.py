"""What the log's checkpoints need on disk: the log's key and the file of checkpoints.

Everything lies in `audit/` below KITTY's home.  The key signs checkpoints and nothing else.
"""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import ClassVar, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from infra.broker_files import write_private
from infra.db import StoreError
from safety.audit.checkpoint import MAX_CHECKPOINT, Signed
from safety.audit.entries import FormatError

KEY: Final = "log.key"
PUBLIC: Final = "log.pub"
CHECKPOINTS: Final = "checkpoints.jsonl"
_TAIL: Final = 2 * MAX_CHECKPOINT
_MAX_KEY: Final = 4_096


class AuditFilesError(StoreError):
    """The files of the checkpoints cannot be used."""

    code: ClassVar[str] = "audit_files"


class AuditFiles:
    """The folder `audit` of a home."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "audit"

    @property
    def checkpoints(self) -> Path:
        """The file of checkpoints, one a line, oldest first."""
        return self.folder / CHECKPOINTS

    def key(self) -> Ed25519PrivateKey:
        """Return the log's key; make it at the first start.  Raises AuditFilesError."""
        file = self.folder / KEY
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not file.exists():
                self._make(file)
            with file.open("rb") as opened:
                key = serialization.load_pem_private_key(opened.read(_MAX_KEY), None)
        except OSError as error:
            raise AuditFilesError(
                f"the log's key {file} cannot be used: {error.strerror}. KITTY needs its home"
            ) from error
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise AuditFilesError(
                f"{file} is not the log's key any more. Put it back from a backup, or move the "
                f"folder {self.folder} aside: a new key is made and new checkpoints begin"
            ) from error
        if not isinstance(key, Ed25519PrivateKey):
            raise AuditFilesError(f"{file} is not an Ed25519 key: move {self.folder} aside")
        return key

    def _make(self, file: Path) -> None:
        key = Ed25519PrivateKey.generate()
        shown = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        (self.folder / PUBLIC).write_bytes(shown)
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        write_private(file, pem.decode())

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Keep every other process from adding checkpoints."""
        handle = await asyncio.to_thread(self._locked)
        try:
            yield
        finally:
            os.close(handle)

    def _locked(self) -> int:
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise AuditFilesError(f"{self.folder} cannot be used: {error.strerror}") from error
        fcntl.flock(handle, fcntl.LOCK_EX)
        return handle

    def last(self) -> Signed | None:
        """Return the newest checkpoint; None if there is none.  Raises AuditFilesError."""
        try:
            with self.checkpoints.open("rb") as opened:
                size = opened.seek(0, os.SEEK_END)
                opened.seek(max(0, size - _TAIL))
                tail = opened.read(_TAIL)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise AuditFilesError(f"{self.checkpoints} cannot be read: {error.strerror}") from error
        lines = tail.split(b"\n")[:-1]  # what follows the last line's end was never finished
        if not lines:
            return None
        try:
            return Signed.of(lines[-1])
        except FormatError as error:
            raise AuditFilesError(
                f"the last line of {self.checkpoints} was altered: {error}. Compare it with a "
                f"copy, then move {self.folder} aside"
            ) from None

    def append(self, signed: Signed) -> None:
        """Add a checkpoint; on disk when this returns.  Raises AuditFilesError."""
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        try:
            handle = os.open(self.checkpoints, flags, 0o644)
            with os.fdopen(handle, "r+b") as opened:
                end = _end_of_lines(opened.seek(0, os.SEEK_END), opened.fileno())
                opened.truncate(end)
                opened.seek(end)
                opened.write(signed.line())
                opened.flush()
                os.fsync(opened.fileno())
        except OSError as error:
            raise AuditFilesError(
                f"the checkpoint could not be written to {self.checkpoints}: {error.strerror}"
            ) from error

    def all(self) -> Iterator[Signed]:
        """Yield every checkpoint, oldest first; lines that cannot be read are left out."""
        try:
            opened = self.checkpoints.open("rb")
        except OSError:
            return
        with opened:
            while line := opened.readline(MAX_CHECKPOINT + 1):
                try:
                    yield Signed.of(line)
                except FormatError:
                    continue


def _end_of_lines(size: int, handle: int) -> int:
    """Return where the last whole line ends: a crash may have left half a line behind it."""
    start = max(0, size - _TAIL)
    tail = os.pread(handle, _TAIL, start)
    return start + tail.rfind(b"\n") + 1 if b"\n" in tail else 0
