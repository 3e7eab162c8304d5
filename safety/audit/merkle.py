"""The Merkle tree of RFC 6962 over the entries' hashes, grown at its end in bounded memory."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final, Self

_LEAF: Final = b"\x00"
_NODE: Final = b"\x01"
EMPTY_ROOT: Final = hashlib.sha256().digest()
"""The root of a tree without leaves."""


class Tree:
    """The peaks of a Merkle tree: the roots of its full subtrees, largest first."""

    __slots__ = ("_peaks", "_size")

    def __init__(self) -> None:
        self._size = 0
        self._peaks: list[bytes] = []

    @classmethod
    def resumed(cls, size: int, peaks: Sequence[bytes]) -> Self:
        """Go on from a tree of `size` leaves; raise ValueError if the peaks are not as many."""
        if size < 0 or len(peaks) != size.bit_count():
            raise ValueError(f"a tree of {size} leaves has {max(size, 0).bit_count()} peaks")
        tree = cls()
        tree._size, tree._peaks = size, list(peaks)
        return tree

    @property
    def size(self) -> int:
        """How many leaves it has."""
        return self._size

    @property
    def peaks(self) -> tuple[bytes, ...]:
        """All that is needed to go on from here."""
        return tuple(self._peaks)

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Append leaves: each is the hash of one entry."""
        sha256, peaks, size = hashlib.sha256, self._peaks, self._size
        for leaf in leaves:
            node = sha256(_LEAF + leaf).digest()
            full = size
            while full & 1:
                node = sha256(_NODE + peaks.pop() + node).digest()
                full >>= 1
            peaks.append(node)
            size += 1
        self._size = size

    def root(self) -> bytes:
        """Return the tree's hash, 32 bytes."""
        if not self._peaks:
            return EMPTY_ROOT
        *left, root = self._peaks
        for peak in reversed(left):
            root = hashlib.sha256(_NODE + peak + root).digest()
        return root
