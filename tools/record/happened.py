"""What happened, told from the records that prove it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from tools import resolve
from tools.desk import Desk, DeviceView, RecordEntry, ZoneView
from tools.fields import Moment, Words
from tools.matching import Named, find
from tools.phrases import ON_SCREEN, capped, clock, count, short, span
from tools.spec import Answer, ToolError, tool
from tools.views import iso

FAMILY = "record"
DEFAULT_WINDOW: Final = timedelta(hours=12)
"""How far back `what_happened` looks when no time is given."""
LIMIT: Final = 100
_SPOKEN_AT_MOST = 2


@tool(FAMILY)
async def what_happened(
    desk: Desk,
    since: Moment | None = None,
    until: Moment | None = None,
    about: Words | None = None,
) -> Answer:
    """Tell what was done, asked, approved, denied or failed, each with the record it rests on.

    The last 12 hours if no time is given; only what concerns a device, zone, person or word
    if `about` names one.
    """
    end = min(until or desk.now, desk.now)
    begin = since or _earlier(end)
    if begin >= end:
        raise ToolError("bad_times", "That time has no past in it: `since` must be earlier.")
    name = None if about is None else await _name(desk, about)
    entries = await desk.record.entries(since=begin, until=end, about=name, limit=LIMIT)
    window = _window(since, until, begin, end, desk.now)
    what = "" if name is None else f" about {short(name)}"
    if not entries:
        text = f"Nothing is on record{what} {window}."
        return Answer(text=text, data=_data(entries, begin, end))
    number = f"At least {len(entries)} records" if len(entries) >= LIMIT else _records(entries)
    head = f"{number}{what} {window}, newest first."
    aloud = " ".join(f"{clock(each.at, desk.now)}: {each.text}" for each in entries)
    return Answer(
        text=f"{head}\n{capped(_line(each, desk.now) for each in entries)}",
        spoken=f"{head} {aloud}" if len(entries) <= _SPOKEN_AT_MOST else f"{head} {ON_SCREEN}",
        data=_data(entries, begin, end),
        citations=tuple(dict.fromkeys(each.id for each in entries)),
    )


def _records(entries: Sequence[RecordEntry]) -> str:
    return count(len(entries), "record")


def _earlier(end: datetime) -> datetime:
    try:
        return end - DEFAULT_WINDOW
    except OverflowError:
        raise ToolError("bad_times", "That time is too far back.") from None


async def _name(desk: Desk, about: str) -> str:
    """Return the proper name if a device or zone is meant, else the words themselves."""
    devices = [resolve.named_device(view) for view in await desk.lab.devices()]
    zones = [resolve.named_zone(view) for view in await desk.lab.zones()]
    things: list[Named[DeviceView | ZoneView]] = [*devices, *zones]
    found = {each.names[0] for each in find(about, things)}
    return found.pop() if len(found) == 1 else " ".join(about.split())


def _window(
    since: datetime | None, until: datetime | None, begin: datetime, end: datetime, now: datetime
) -> str:
    if since is None and until is None:
        return f"in the last {span(DEFAULT_WINDOW.total_seconds())}"
    if until is None:
        return f"since {clock(begin, now)}"
    return f"from {clock(begin, now)} to {clock(end, now)}"


def _line(each: RecordEntry, now: datetime) -> str:
    return f"{clock(each.at, now)}  {each.text} [{each.id[-8:]}]"


def _data(entries: Sequence[RecordEntry], begin: datetime, end: datetime) -> dict[str, Any]:
    return {
        "since": iso(begin),
        "until": iso(end),
        "entries": [
            {
                "at": iso(each.at),
                "id": each.id,
                "kind": each.kind,
                "text": each.text,
                "device": each.device,
                "zone": each.zone,
                "user": each.user,
            }
            for each in entries
        ],
    }


HAPPENED = (what_happened,)
