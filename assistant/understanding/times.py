"""Spans of time in words: "since yesterday", "in the last two hours", "since 9:30"."""

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Final

_UNITS: Final = {
    "second": timedelta(seconds=1), "sec": timedelta(seconds=1),
    "minute": timedelta(minutes=1), "min": timedelta(minutes=1),
    "hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(weeks=1),
}  # fmt: skip
_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_PARTS: Final = {
    "this morning": (0, time(5), time(12)), "this afternoon": (0, time(12), time(18)),
    "this evening": (0, time(18), time.max), "today": (0, time(0), time.max),
    "yesterday": (-1, time(0), time.max), "yesterday morning": (-1, time(5), time(12)),
    "yesterday afternoon": (-1, time(12), time(18)), "lunch": (0, time(12), time(14)),
    "yesterday evening": (-1, time(18), time.max), "midnight": (0, time(0), time(1)),
    "noon": (0, time(12), time(13)), "breakfast": (0, time(8), time(9)),
    "the morning": (0, time(5), time(12)), "the start of the day": (0, time(0), time.max),
    "the start of the shift": (0, time(6), time.max),
}  # fmt: skip
_UNIT = "(?P<unit>seconds?|secs?|minutes?|mins?|hours?|days?|weeks?)"
_CLOCK = r"(?P<hour>\d{1,2})(?:[:.](?P<minute>\d{2}))?(?: ?(?P<half>am|pm|a m|p m))?(?: o clock)?"
_LAST: Final = re.compile(
    rf"(?:(?:in|over|during|within|for|from) )?(?:the )?(?:last|past) "
    rf"(?:(?P<count>\d+|few|couple of|half) (?:an )?)?{_UNIT}"
)
_AGO: Final = re.compile(rf"(?P<count>\d+|an?|half an) {_UNIT} ago")
_AT: Final = re.compile(rf"^(?:at )?{_CLOCK}$")
_PHRASE: Final = re.compile(
    r"\b(?:(?P<since>since|after|from) )?"
    rf"(?P<what>{_LAST.pattern}|{_AGO.pattern.replace('count', 'count2').replace('unit', 'unit2')}"
    rf"|(?:last|over) ?night|(?:this|last) week|(?:on |last )?(?:{'|'.join(_DAYS)})"
    rf"|{'|'.join(sorted(_PARTS, key=len, reverse=True))}"
    r"|(?:at )?\d{1,2}[:.]\d{2}(?: ?(?:am|pm))?|(?:at )?\d{1,2} ?(?:am|pm|o clock)"
    r"|(?:at )?\d{1,2}(?=$| ))"
    r"(?: (?:to|and|until|till) (?P<until>\d{1,2}(?:[:.]\d{2})?(?: ?(?:am|pm))?|now))?(?=$| )"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A span of time."""

    since: datetime
    until: datetime | None = None
    """None: up to now."""


def windows(text: str, now: datetime) -> list[tuple[str, Window]]:
    """Return the spans of time that plain words speak of, with the words themselves."""
    found: list[tuple[str, Window]] = []
    for match in _PHRASE.finditer(text):
        window = _window(match["what"], now)
        if window is None or (match["what"].isdigit() and not match["since"]):
            continue
        if match["since"]:
            window = Window(since=window.since)
        if match["until"] and match["until"] != "now":
            window = Window(since=window.since, until=_at(match["until"], window.since))
        found.append((_with_between(text, match), window))
    return found


def _with_between(text: str, match: re.Match[str]) -> str:
    head = text[: match.start()]
    return f"between {match[0]}" if head.endswith("between ") else match[0]


def _window(what: str, now: datetime) -> Window | None:
    for reader in (_lately, _ago, _named, _day, _clock):
        window = reader(what, now)
        if window is not None:
            return window
    return None


def _lately(what: str, now: datetime) -> Window | None:
    match = _LAST.fullmatch(what)
    if not match:
        return None
    count = {"few": 3.0, "couple of": 2.0, "half": 0.5, None: 1.0}.get(match["count"])
    unit = _UNITS[match["unit"].removesuffix("s")]
    return Window(since=now - unit * (float(match["count"]) if count is None else count))


def _ago(what: str, now: datetime) -> Window | None:
    match = _AGO.fullmatch(what)
    if not match:
        return None
    count = {"a": 1.0, "an": 1.0, "half an": 0.5}.get(match["count"])
    unit = _UNITS[match["unit"].removesuffix("s")]
    return Window(since=now - unit * (float(match["count"]) if count is None else count))


def _named(what: str, now: datetime) -> Window | None:
    if what in {"last night", "overnight", "over night"}:
        return Window(since=_on(now, -1, time(18)), until=_on(now, 0, time(6)))
    if what in {"this week", "last week"}:
        monday = _on(now, -now.weekday(), time(0))
        week = timedelta(weeks=1)
        return Window(since=monday) if what[0] == "t" else Window(since=monday - week, until=monday)
    if what not in _PARTS:
        return None
    day, start, end = _PARTS[what]
    until = _on(now, day, end)
    return Window(since=_on(now, day, start), until=until if until < now else None)


def _day(what: str, now: datetime) -> Window | None:
    name = what.removeprefix("on ").removeprefix("last ")
    if name not in _DAYS:
        return None
    back = (now.weekday() - _DAYS.index(name)) % 7 or 7
    return Window(since=_on(now, -back, time(0)), until=_on(now, 1 - back, time(0)))


def _clock(what: str, now: datetime) -> Window | None:
    match = _AT.match(what)
    if not match:
        return None
    since = _at(what.removeprefix("at "), now)
    if since is None:
        return None
    return Window(since=since - timedelta(days=1) if since > now else since)


def _at(clock: str, day: datetime) -> datetime | None:
    match = _AT.match(clock)
    if not match:
        return None
    hour, minute = int(match["hour"]), int(match["minute"] or 0)
    half = (match["half"] or "").replace(" ", "")
    if half and not 1 <= hour <= 12:  # noqa: PLR2004 - a clock face
        return None
    if half:
        hour = hour % 12 + (12 if half == "pm" else 0)
    if hour > 23 or minute > 59:  # noqa: PLR2004 - a clock
        return None
    return day.replace(hour=hour, minute=minute, second=0, microsecond=0)


def _on(now: datetime, days: int, at: time) -> datetime:
    return datetime.combine((now + timedelta(days=days)).date(), at, tzinfo=now.tzinfo)
