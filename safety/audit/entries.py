"""The lines of an export, and what the hash of an entry covers.

An entry is one JSON object on one line, its members in the order of FIELDS, without spaces between
them.  Its hash is the SHA-256 of the very bytes of the line without the member `hash`, as the
database wrote them when the entry was chained (`gate_log_entry` in the migrations).
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self
from uuid import UUID

import rfc8785

from safety.audit.strict import NotStrictError, read_object

FORMAT: Final = "kitty.gate_log/1"
FIELDS: Final = (
    "prev", "seq", "row", "at", "event_id", "command_id", "actor", "action_kind", "device_id",
    "verdict", "reason_code", "detail", "correlation_id", "hash",
)  # fmt: skip
MAX_LINE: Final = 1_048_576
"""Bytes in a line of an export; the database keeps entries below half of it."""
MAX_HEADER: Final = 16_384
"""Bytes in the first line."""
MAX_ENTRIES: Final = 2**53
SEAL: Final = 76
"""Bytes of `,"hash":"<64 hex digits>"}` and the line's end."""
_SHAPE: Final = re.compile(
    rb'\{"prev":"(?P<prev>[0-9a-f]{64})","seq":(?P<seq>[1-9][0-9]{0,15}),'
    rb'(?P<rest>.*),"hash":"(?P<hash>[0-9a-f]{64})"\}\n',
    re.DOTALL,
)
_HEX: Final = re.compile(r"[0-9a-f]{64}")


class FormatError(ValueError):
    """A file, a line or a key cannot be read; `code` is stable snake_case."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def genesis(log: UUID) -> bytes:
    """Return what the first entry of a log is chained to."""
    return hashlib.sha256(f"{FORMAT}\n{log}".encode()).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """What an entry's line says of its place in the chain, and what its bytes hash to."""

    seq: int
    prev: bytes
    """Hex."""
    stated: bytes
    """Hex: the hash that the line claims."""
    computed: bytes
    """Hex: the hash that it has."""

    @property
    def sound(self) -> bool:
        """Tell whether the line has the hash it claims."""
        return self.stated == self.computed

    @classmethod
    def of(cls, line: bytes) -> Self | None:
        """Look at one line; None if it does not have the shape of an entry."""
        match = _SHAPE.fullmatch(line)
        if match is None:
            return None
        computed = hashlib.sha256(line[:-SEAL] + b"}").hexdigest().encode()
        return cls(
            seq=int(match["seq"]), prev=match["prev"], stated=match["hash"], computed=computed
        )


def sealed(entry: str, digest: bytes) -> bytes:
    """Return the line of an entry: what the database wrote, and its hash."""
    return f'{entry[:-1]},"hash":"{digest.hex()}"}}\n'.encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The first line of an export."""

    log: UUID
    spki: bytes
    """The public key that checkpoints are signed with, as DER."""
    first: int
    """Number of the first entry in the file: 1, unless only a later part was exported."""
    head: bytes
    """Hash of the entry before it."""
    peaks: tuple[bytes, ...]
    """Peaks of the Merkle tree over the entries before it."""

    def line(self) -> bytes:
        """Write it."""
        document: dict[str, Any] = {
            "format": FORMAT,
            "log": str(self.log),
            "key": base64.b64encode(self.spki).decode(),
            "first": self.first,
            "head": self.head.hex(),
            "peaks": [peak.hex() for peak in self.peaks],
        }
        return rfc8785.dumps(document) + b"\n"

    @classmethod
    def of(cls, line: bytes) -> Self:
        """Read it, or raise FormatError."""
        if len(line) > MAX_HEADER:
            raise FormatError("line_too_long", f"line 1 has more than {MAX_HEADER} bytes")
        try:
            document = read_object(line)
        except NotStrictError as error:
            raise FormatError(error.code, f"line 1: {error}") from None
        if document.get("format") != FORMAT:
            raise FormatError("wrong_format", f"this is not an export of format {FORMAT!r}")
        try:
            header = cls._of(document)
        except (KeyError, TypeError, ValueError, AttributeError, binascii.Error):
            raise FormatError("bad_header", "the first line does not say what it must") from None
        if header.line().rstrip(b"\n") != line.rstrip(b"\n"):
            raise FormatError("bad_header", "the first line is not in canonical form (RFC 8785)")
        return header

    @classmethod
    def _of(cls, document: dict[str, Any]) -> Self:
        first, peaks = document["first"], document["peaks"]
        if not isinstance(first, int) or isinstance(first, bool) or not 0 < first < MAX_ENTRIES:
            raise ValueError(first)
        if not isinstance(peaks, list) or len(peaks) != (first - 1).bit_count():
            raise ValueError(peaks)
        log, head = UUID(document["log"]), digest_of(document["head"])
        if first == 1 and head != genesis(log):
            raise ValueError(head)
        return cls(
            log=log,
            spki=base64.b64decode(document["key"], validate=True),
            first=first,
            head=head,
            peaks=tuple(map(digest_of, peaks)),
        )


def digest_of(text: Any) -> bytes:
    """Read a SHA-256 in lower-case hex; raise ValueError for anything else."""
    if not isinstance(text, str) or _HEX.fullmatch(text) is None:
        raise ValueError("not a SHA-256 in hex")
    return bytes.fromhex(text)


def is_entry(names: Sequence[str]) -> bool:
    """Tell whether these are an entry's members, all of them and in order."""
    return tuple(names) == FIELDS
