"""Numbers, times and lists the way people say them."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from safety.entities import DeviceKind

MAX_LINES: Final = 12
"""Lines of a list that go into the text; programs get all of them."""
ON_SCREEN: Final = "The rest is on your screen."
_MINUTE: Final = 60
_HOUR: Final = 3_600
_DAY: Final = 86_400
_HERE: Final = {DeviceKind.PRINTER}
"""Kinds whose names people use like a person's: `Giga`, not `the Giga`."""


def the(name: str, kind: DeviceKind | None = None) -> str:
    """Return the name with its article, in the middle of a sentence."""
    if kind in _HERE or name.lower().startswith(("the ", "my ", "our ")):
        return name
    return f"the {name}"


def sentence(text: str) -> str:
    """Return the text with a capital at the start."""
    return text[:1].upper() + text[1:]


def count(number: int, noun: str, plural: str = "") -> str:
    """Return `1 light`, `3 lights`."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def span(seconds: float) -> str:
    """Return a duration: `40 seconds`, `18 minutes`, `2 h 5 min`, `3 days`."""
    whole = max(0, round(seconds))
    if whole < 2 * _MINUTE:
        return count(whole, "second")
    if whole < 2 * _HOUR:
        return count(round(whole / _MINUTE), "minute")
    if whole < 2 * _DAY:
        hours, rest = divmod(round(whole / _MINUTE), _MINUTE)
        return f"{hours} h {rest} min" if rest else count(hours, "hour")
    return count(round(whole / _DAY), "day")


def ago(moment: datetime, now: datetime) -> str:
    """Return how long ago a moment was: `just now`, `5 minutes ago`."""
    seconds = (now - moment).total_seconds()
    return "just now" if seconds < 1 else f"{span(seconds)} ago"


def clock(moment: datetime, now: datetime) -> str:
    """Return a time of day, with the date if it is another day: `10:03 UTC`."""
    time = f"{moment:%H:%M} UTC"
    if moment.date() == now.date():
        return time
    year = "" if moment.year == now.year else f" {moment.year}"
    return f"{time} on {moment.day} {moment:%B}{year}"


def percent(share: float) -> str:
    """Return a share of one as whole percent, never rounded up to all of it."""
    return f"{min(int(share * 100), 100)} %" if share < 1 else "100 %"


def either(words: Sequence[str], last: str = "or") -> str:
    """Return `a, b or c`."""
    if len(words) < 2:  # noqa: PLR2004  # nothing to join
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def number(value: Any) -> float | None:
    """Return what a device reported if it is a number."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def capped(lines: Iterable[str], limit: int = MAX_LINES) -> str:
    """Return the lines, the first ones only if there are many, and how many are left out."""
    every = list(lines)
    shown = every if len(every) <= limit else every[: limit - 1]
    rest = len(every) - len(shown)
    return "\n".join([*shown, f"... and {rest} more."] if rest else shown)


def short(text: str, limit: int = 60) -> str:
    """Return the text on one line, cut with dots if it is long."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 3].rstrip() + "..."
