"""Number words to digits: "two hundred and ten" -> "210"."""

from collections.abc import Sequence
from typing import Final

_UNITS: Final = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7,
    "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14,
    "fifteen": 15, "sixteen": 16, "seventeen": 17, "eighteen": 18, "nineteen": 19,
}  # fmt: skip
_TENS: Final = {
    "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70,
    "eighty": 80, "ninety": 90, "fourty": 40,
}  # fmt: skip
_ALONE_IS_A_PRONOUN: Final = frozenset({"one"})
_UNIT_WORDS: Final = frozenset({
    "second", "seconds", "sec", "secs", "minute", "minutes", "min", "mins", "hour", "hours",
    "day", "days", "week", "weeks", "degree", "degrees", "celsius", "centigrade", "percent",
})  # fmt: skip


def is_number(word: str) -> bool:
    """Return whether a word spells a number, alone or with others."""
    return word in _UNITS or word in _TENS


def digits(words: Sequence[str]) -> list[tuple[str, int, int]]:
    """Return the words with every spelt-out whole number below a million as digits.

    With each come the first word it was made of and the one after the last.  "one" alone
    stays a word unless a unit follows: "the other one" is no number.
    """
    out: list[tuple[str, int, int]] = []
    at = 0
    while at < len(words):
        value, end = _number(words, at)
        if value is None or _is_pronoun(words, at, end):
            value, end = None, at + 1
        out.append((words[at] if value is None else str(value), at, end))
        at = end
    return out


def _is_pronoun(words: Sequence[str], at: int, end: int) -> bool:
    if end - at != 1 or words[at] not in _ALONE_IS_A_PRONOUN:
        return False
    return end >= len(words) or words[end] not in _UNIT_WORDS


def _number(words: Sequence[str], at: int) -> tuple[int | None, int]:
    """Return the number that starts at a word, and where it ends."""
    value, end = _below_thousand(words, at)
    if value is None:
        return None, at
    if end < len(words) and words[end] == "thousand":
        rest, rest_end = _below_thousand(words, _over_and(words, end + 1))
        return (value * 1000 + rest, rest_end) if rest is not None else (value * 1000, end + 1)
    return value, end


def _below_thousand(words: Sequence[str], at: int) -> tuple[int | None, int]:
    value, end = _below_hundred(words, at)
    if value is None or end >= len(words):
        return value, end
    if words[end] != "hundred":
        return _spoken_pair(words, at, value, end)
    hundreds, end = value * 100, end + 1
    rest, rest_end = _below_hundred(words, _over_and(words, end))
    return (hundreds + rest, rest_end) if rest is not None else (hundreds, end)


def _spoken_pair(words: Sequence[str], at: int, value: int, end: int) -> tuple[int, int]:
    """Return "two ten" as 210, as people say temperatures; other pairs stay apart."""
    if words[at] not in _UNITS or not 1 <= value <= 9:  # noqa: PLR2004 - one digit
        return value, end
    rest, rest_end = _below_hundred(words, end)
    if rest is None or rest < 10:  # noqa: PLR2004 - "two five" is two numbers
        return value, end
    return value * 100 + rest, rest_end


def _below_hundred(words: Sequence[str], at: int) -> tuple[int | None, int]:
    if at >= len(words):
        return None, at
    word = words[at]
    if word in _UNITS:
        return _UNITS[word], at + 1
    if word not in _TENS:
        return None, at
    after = words[at + 1] if at + 1 < len(words) else ""
    if 1 <= _UNITS.get(after, 0) <= 9:  # noqa: PLR2004 - one digit
        return _TENS[word] + _UNITS[after], at + 2
    return _TENS[word], at + 1


def _over_and(words: Sequence[str], at: int) -> int:
    return at + 1 if at + 1 < len(words) and words[at] == "and" else at
