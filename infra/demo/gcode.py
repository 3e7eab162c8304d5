"""The little G-code that the lab's printers read."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from infra.demo.machine import AckCode, Refusal

MAX_GCODE: Final = 2_000
"""Characters of raw G-code in one command."""
SECONDS_PER_LINE: Final = 0.2
"""A guess for files that do not say how long they take."""

_TIME: Final = re.compile(rb"^;\s*TIME:\s*(\d{1,7})\s*$", re.MULTILINE)
_NOZZLE: Final = re.compile(rb"^M10[49]\s+S(\d{1,4})", re.MULTILINE)
_BED: Final = re.compile(rb"^M1[49]0\s+S(\d{1,4})", re.MULTILINE)
_LINE: Final = re.compile(r"([GM]\d{1,4})((?:\s+[A-Z]-?\d{0,7}(?:\.\d{1,4})?)*)")
_RANGES: Final = {"M104": (0, 1_000), "M140": (0, 1_000), "M106": (0, 255)}
KNOWN: Final = ("M104", "M140", "M106", "G28", "M115")


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What a printer wants to know of a file before it starts."""

    seconds: float
    nozzle_c: int
    """The hottest the file asks for; 0 if it does not heat."""
    bed_c: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One raw command."""

    code: str
    value: int | None = None
    """What stands after S; None for codes that take no S."""


def summarize(file: bytes) -> Summary:
    """Read the time and the temperatures out of a file."""
    told = _TIME.search(file)
    seconds = float(told[1]) if told else file.count(b"\n") * SECONDS_PER_LINE
    return Summary(
        seconds=max(seconds, 1.0),
        nozzle_c=max(map(int, _NOZZLE.findall(file)), default=0),
        bed_c=max(map(int, _BED.findall(file)), default=0),
    )


def parse(gcode: str) -> Sequence[Line]:
    """Read raw commands, all of them or none; comments after `;` are dropped."""
    if len(gcode) > MAX_GCODE:
        raise Refusal(AckCode.BAD_PAYLOAD, f"The G-code is longer than {MAX_GCODE} characters")
    texts = [line.split(";", 1)[0].strip().upper() for line in gcode.splitlines()]
    lines = [_parse_line(text) for text in texts if text]
    if not lines:
        raise Refusal(AckCode.BAD_PAYLOAD, "There is no G-code in the command")
    return lines


def _parse_line(text: str) -> Line:
    match = _LINE.fullmatch(text)
    if match is None or match[1] not in KNOWN:
        raise Refusal(
            AckCode.BAD_PAYLOAD, f"The printer does not take {text[:40]!r}, only {', '.join(KNOWN)}"
        )
    code = match[1]
    if code not in _RANGES:
        return Line(code=code)
    words = {word[0]: word[1:] for word in match[2].split()}
    low, high = _RANGES[code]
    if not words.get("S", "").isdecimal() or not low <= int(words["S"]) <= high:
        raise Refusal(AckCode.BAD_PAYLOAD, f"{code} needs S with a whole number, {low} to {high}")
    return Line(code=code, value=int(words["S"]))
