"""A canvas with a palette, five-by-seven letters, and a PNG file: nothing but zlib."""

import struct
import zlib
from collections.abc import Sequence
from typing import Final

Colour = tuple[int, int, int]
"""Red, green, blue, 0 to 255."""

WIDTH_PER_LETTER: Final = 6
_LETTERS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ:.%-/,()"
_COLUMNS: Final = bytes.fromhex(
    "3E5149453E 00427F4000 4261514946 2141454B31 1814127F10 2745454539 3C4A494930 "
    "0171090503 3649494936 064949291E 7E1111117E 7F49494936 3E41414122 7F4141221C "
    "7F49494941 7F09090901 3E4149497A 7F0808087F 00417F4100 2040413F01 7F08142241 "
    "7F40404040 7F020C027F 7F0408107F 3E4141413E 7F09090906 3E4151215E 7F09192946 "
    "4649494931 01017F0101 3F4040403F 1F2040201F 3F4038403F 6314081463 0708700807 "
    "6151494543 0036360000 0060600000 2313086462 0808080808 2010080402 0050300000 "
    "001C224100 0041221C00"
)
"""Five columns a letter, from the left; the lowest bit is the top."""
_GLYPHS: Final = {
    letter: _COLUMNS[5 * place : 5 * place + 5] for place, letter in enumerate(_LETTERS)
}


class Canvas:
    """A picture of at most 256 colours."""

    def __init__(self, *, width: int, height: int) -> None:
        self.width = width
        self.height = height
        self._palette: dict[Colour, int] = {}
        self._rows = [bytearray(width) for _ in range(height)]

    def box(self, left: int, top: int, right: int, bottom: int, colour: Colour) -> None:
        """Fill a rectangle; what lies outside the picture is cut off."""
        left, right = max(left, 0), min(right, self.width)
        if right <= left:
            return
        line = bytes([self._index(colour)]) * (right - left)
        for row in self._rows[max(top, 0) : max(bottom, 0)]:
            row[left:right] = line

    def text(self, left: int, top: int, words: str, colour: Colour, *, scale: int = 2) -> None:
        """Write one line in capitals; letters it does not know stay blank."""
        for place, letter in enumerate(words.upper()):
            for x, column in enumerate(_GLYPHS.get(letter, b"")):
                for y in range(7):
                    if column >> y & 1:
                        at = left + (place * WIDTH_PER_LETTER + x) * scale
                        self.box(at, top + y * scale, at + scale, top + (y + 1) * scale, colour)

    def png(self) -> bytes:
        """Return the picture as a PNG file."""
        colours = sorted(self._palette, key=self._palette.__getitem__)
        header = struct.pack(">IIBBBBB", self.width, self.height, 8, 3, 0, 0, 0)
        pixels = zlib.compress(b"".join(b"\0" + row for row in self._rows), 6)
        return b"\x89PNG\r\n\x1a\n" + b"".join(
            (
                _chunk(b"IHDR", header),
                _chunk(b"PLTE", b"".join(map(bytes, colours))),
                _chunk(b"IDAT", pixels),
                _chunk(b"IEND", b""),
            )
        )

    def _index(self, colour: Colour) -> int:
        return self._palette.setdefault(colour, len(self._palette))


def dimmed(colour: Sequence[int], light: float) -> Colour:
    """Return a colour as it looks in some light, 0 to 1."""
    red, green, blue = (round(part * light) for part in colour)
    return red, green, blue


def _chunk(kind: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )
