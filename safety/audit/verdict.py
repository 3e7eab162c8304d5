"""What a check of an exported log says."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol
from uuid import UUID


class Status(StrEnum):
    """How a check ends."""

    INTACT = "intact"
    TAMPERED = "tampered"
    UNCHECKABLE = "uncheckable"


EXIT_CODES: Final = {Status.INTACT: 0, Status.TAMPERED: 1, Status.UNCHECKABLE: 2}


class Source(Protocol):
    """A file of lines, open for reading as bytes."""

    def readline(self, size: int = -1, /) -> bytes:
        """Return the next line, or its first `size` bytes; nothing at the end."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was found: at most one fault, the first."""

    status: Status
    code: str
    """`intact`, or what is wrong, in stable snake_case."""
    message: str
    first: int | None = None
    """The first wrong entry has this number or a later one."""
    last: int | None = None
    """The first wrong entry has this number or an earlier one; mostly the same as `first`."""
    begins: int = 1
    """Number of the first entry in the file."""
    entries: int = 0
    """Number of the last entry that is sound and in its place."""
    sealed: int = 0
    """Number of the last entry under a checkpoint that fits."""
    inside: int = 0
    """Checkpoints in the file that fit."""
    outside: int = 0
    """Checkpoints from outside the file that fit."""
    log: UUID | None = None
    key: str | None = None
    """Fingerprint of the key that was believed."""

    @property
    def exit_code(self) -> int:
        """0 intact, 1 tampered, 2 cannot be checked."""
        return EXIT_CODES[self.status]


class TamperedError(Exception):
    """The first fault of a log, between two entry numbers."""

    def __init__(self, code: str, message: str, first: int | None, last: int | None) -> None:
        super().__init__(message)
        self.code = code
        self.first = first
        self.last = last


def wrong(code: str, message: str, first: int, last: int | None = None) -> TamperedError:
    """Name a fault at one entry, or between two."""
    return TamperedError(code, message, first, first if last is None else last)
