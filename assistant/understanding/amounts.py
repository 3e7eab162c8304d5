"""Numbers, spans of time, G-code and ids in the words of an utterance."""

import re
from datetime import datetime
from typing import Final

from assistant.understanding.lexicon import Words
from assistant.understanding.targets import Found, Target
from assistant.understanding.times import windows

_ID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_CELSIUS: Final = re.compile(
    r"(?<!\S)(\d{1,4})(?: ?(?:degrees?|deg))?(?: ?(?:celsius|centigrade|c))?(?!\S)"
)
_SECONDS: Final = re.compile(
    r"(?<!\S)(\d{1,6}|an?|half an?) ?(s|secs?|seconds?|mins?|minutes?)(?!\S)"
)
_GCODE_START: Final = re.compile(r"[gmt]\d{1,4}(?:\.\d+)?")
_GCODE_PART: Final = re.compile(r"[a-z](?:[-+]?\d*\.?\d+)?")
_COUNTS: Final = {"a": 1.0, "an": 1.0, "half a": 0.5, "half an": 0.5}


def find_amounts(found: Found, words: Words, now: datetime) -> None:
    """Note every amount in the words."""
    text = " ".join(words)
    for match in _CELSIUS.finditer(text):
        found["celsius"][match[0]] = Target(value=int(match[1]), kind="celsius")
    for match in _SECONDS.finditer(text):
        count = _COUNTS.get(match[1]) or float(match[1])
        seconds = round(count * (60 if match[2].startswith("m") else 1))
        found["seconds"][match[0]] = Target(value=seconds, kind="seconds")
    for spoken, window in windows(text, now):
        found["window"][spoken] = Target(value=window, kind="window")
    for word in words:
        if _ID.fullmatch(word):
            found["event"][word] = Target(value=word, kind="event")
    _find_gcode(found, words)


def _find_gcode(found: Found, words: Words) -> None:
    at = 0
    while at < len(words):
        if not _GCODE_START.fullmatch(words[at]):
            at += 1
            continue
        end = at + 1
        while end < len(words) and _GCODE_PART.fullmatch(words[end]):
            end += 1
        lines = " ".join(
            f"\n{word}" if _GCODE_START.fullmatch(word) and place else word
            for place, word in enumerate(words[at:end])
        )
        code = "\n".join(line.strip() for line in lines.upper().split("\n"))
        found["gcode"][" ".join(words[at:end])] = Target(value=code, kind="gcode")
        at = end
