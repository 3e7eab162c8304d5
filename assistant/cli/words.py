"""Words for the terminal.  What others wrote cannot move the cursor or pose as our own words."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

_UNITS: Final[Mapping[str, str]] = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_SPAN: Final = re.compile(r"([0-9]{1,6})([smhd])")
_NAMED: Final[Mapping[str, str]] = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


class WordsError(ValueError):
    """A person's words could not be read."""


def escaped(text: str, *, lines: bool = False) -> str:
    """Write control, direction and other invisible characters as escapes; `lines` keeps breaks."""
    kept = "\n" if lines else ""
    return "".join(each if each.isprintable() or each in kept else _escape(each) for each in text)


def _escape(character: str) -> str:
    if character in _NAMED:
        return _NAMED[character]
    number = ord(character)
    if number < 0x100:  # noqa: PLR2004  # two hex digits reach that far
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x1_0000 else f"\\U{number:08x}"  # noqa: PLR2004


def quoted(text: str) -> str:
    """Put what somebody else wrote between quotes, so that its end is where it ends."""
    return '"' + escaped(text.replace("\\", "\\\\").replace('"', '\\"')) + '"'


def value(given: object) -> str:
    """Write an argument as people read it: yes and no, numbers, quoted text."""
    if isinstance(given, bool):
        return "yes" if given else "no"
    if given is None:
        return "not given"
    return quoted(given) if isinstance(given, str) else escaped(str(given))


def arguments(given: Mapping[str, Any]) -> str:
    """Write the arguments of a call on one line."""
    return ", ".join(f"{escaped(str(name))}={value(each)}" for name, each in given.items())


def span(length: timedelta) -> str:
    """Write a length of time with its two largest units."""
    seconds = max(0, int(length.total_seconds()))
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3_600)
    minutes, seconds = divmod(rest, 60)
    parts = ((days, "d"), (hours, "h"), (minutes, "min"), (seconds, "s"))
    shown = [f"{number} {unit}" for number, unit in parts if number]
    return " ".join(shown[:2]) or "0 s"


def left(expires_at: str, now: datetime) -> str:
    """Say how long something that the server dated still lasts."""
    try:
        rest = moment(expires_at) - now
    except WordsError:
        return "unknown time left"
    return f"{span(rest)} left" if rest > timedelta() else "expired"


def moment(text: str) -> datetime:
    """Read an ISO 8601 time with its offset."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise WordsError(f"{quoted(text)} is not a time such as 2026-01-31T14:00:00Z") from None
    if read.tzinfo is None:
        raise WordsError(f"{quoted(text)} has no offset; write it as 2026-01-31T14:00:00Z")
    return read


def since(text: str, now: datetime) -> datetime:
    """Read `30m`, `1h`, `2d` back from now, or an ISO 8601 time."""
    match = _SPAN.fullmatch(text)
    if match is None:
        try:
            return moment(text)
        except WordsError as error:
            raise WordsError(f"{error}, nor a span such as 30m, 1h or 2d") from None
    return now - timedelta(**{_UNITS[match[2]]: int(match[1])})
