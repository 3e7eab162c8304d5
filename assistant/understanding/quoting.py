"""Telling a name in quotation marks from somebody's words in quotation marks."""

import re
from dataclasses import replace
from typing import Final

from assistant.understanding.index import Index
from assistant.understanding.normal import Clean, plain_words

_QUOTATION: Final = re.compile(
    r"[\"“”„«»`＂]([^\"“”„«»`＂]{1,200})[\"“”„«»`＂]|(?<!\w)['‘‚‹]([^'‘’‚‹›]{1,200})['’›](?!\w)"
)
_GCODE: Final = re.compile(r"\s*[GMT]\d{1,4}(\s+[A-Z][-+]?\d*\.?\d*)*\s*", re.IGNORECASE)
_MARKS: Final = re.compile(r"[\"“”„«»`＂]|(?<!\w)['‘‚‹](?=\w)|(?<=\w)['’›](?!\w)")


def without_name_quotes(heard: Clean, index: Index) -> Clean:
    """Return the utterance as unquoted if all it quotes are full names or G-code."""
    if not heard.quoted:
        return heard
    left = _QUOTATION.sub(lambda match: "" if _is_name(match, index) else match[0], heard.text)
    return replace(heard, quoted=_MARKS.search(left) is not None)


def _is_name(match: re.Match[str], index: Index) -> bool:
    inside = match[1] or match[2] or ""
    words = plain_words(inside)
    whole = (0, len(words))
    named = any((start, end) == whole for start, end, _ in index.full_names(words))
    return named or words in index.values or _GCODE.fullmatch(inside) is not None
