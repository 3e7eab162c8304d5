"""Following the chain of entries, line by line."""

import hashlib
from typing import Final

from safety.audit.entries import SEAL, FormatError, Header, is_entry
from safety.audit.merkle import Tree
from safety.audit.strict import NotStrictError, member_names
from safety.audit.verdict import wrong

_BATCH: Final = 4_096
"""Hashes kept before they go into the tree."""


class Chain:
    """What is known of the entries up to `seq`."""

    __slots__ = ("_begin", "_tree", "_waiting", "before", "head", "seq")

    def __init__(self, header: Header) -> None:
        self.seq = header.first - 1
        """Number of the last entry."""
        self.head = header.head.hex().encode()
        """Its hash, in hex."""
        self.before = self.head
        """The hash of the entry before that, in hex."""
        self._tree = Tree.resumed(self.seq, header.peaks)
        self._waiting: list[bytes] = []
        self._begin = self._beginning()

    def _beginning(self) -> bytes:
        return b'{"prev":"%b","seq":%d,' % (self.head, self.seq + 1)

    def take(self, line: bytes) -> bool:
        """Take a line in if it is the next entry, whole and unaltered; else change nothing."""
        if not line.startswith(self._begin):
            return False
        found = hashlib.sha256(line[:-SEAL] + b"}")
        head = found.hexdigest().encode()
        if not line.endswith(b',"hash":"' + head + b'"}\n'):
            return False
        _strict(line, self.seq + 1)
        self.seq += 1
        self.before, self.head = self.head, head
        self._begin = self._beginning()
        self._waiting.append(found.digest())
        if len(self._waiting) >= _BATCH:
            self._grow()
        return True

    def root(self) -> bytes:
        """Return the Merkle tree hash over the entries so far."""
        self._grow()
        return self._tree.root()

    def _grow(self) -> None:
        self._tree.extend(self._waiting)
        self._waiting.clear()


def _strict(line: bytes, number: int) -> None:
    try:
        fine = is_entry(member_names(line))
    except NotStrictError as error:
        if error.code == "too_deep":
            raise FormatError(error.code, f"entry {number}: {error}") from None
        raise wrong(error.code, f"Entry {number}: {error}.", number) from None
    if not fine:
        raise wrong("wrong_members", f"Entry {number} has not the members it must.", number)
