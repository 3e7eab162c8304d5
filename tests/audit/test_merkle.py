"""The tree is that of RFC 6962."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safety.audit.merkle import EMPTY_ROOT, Tree

# The inputs and roots that Certificate Transparency implementations test themselves with.
LEAVES = [
    bytes.fromhex(text)
    for text in (
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]  # fmt: skip
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def by_the_book(leaves: list[bytes]) -> bytes:
    """Write the definition of section 2.1 down as it stands there."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    both = by_the_book(leaves[:k]) + by_the_book(leaves[k:])
    return hashlib.sha256(b"\x01" + both).digest()


@pytest.mark.parametrize("size", range(9))
def test_known_roots(size: int) -> None:
    tree = Tree()
    tree.extend(LEAVES[:size])
    assert tree.root().hex() == ROOTS[size]
    assert tree.size == size
    assert EMPTY_ROOT.hex() == ROOTS[0]


@given(st.lists(st.binary(max_size=40), max_size=70), st.integers(0, 70))
def test_grown_in_two_steps_it_is_that_of_the_book(leaves: list[bytes], cut: int) -> None:
    first = Tree()
    first.extend(leaves[:cut])
    assert first.root() == by_the_book(leaves[:cut])
    tree = Tree.resumed(first.size, first.peaks)
    tree.extend(leaves[cut:])
    assert tree.root() == by_the_book(leaves)


@pytest.mark.parametrize(("size", "peaks"), [(-1, 0), (0, 1), (1, 0), (5, 1), (8, 2)])
def test_peaks_must_fit_the_size(size: int, peaks: int) -> None:
    with pytest.raises(ValueError, match="peaks"):
        Tree.resumed(size, [b"\x00" * 32] * peaks)
