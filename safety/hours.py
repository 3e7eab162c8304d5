"""The hours in which a policy lets something hazardous happen.  Pure: the moment is an argument.

Windows are said in the lab's own time: in the night in which clocks are set they are an hour
shorter or longer, as people's shifts are.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

DAY_MINUTES: Final = 24 * 60
MAX_WINDOWS: Final = 50
_CLOCK: Final = re.compile(r"(?a:([01]\d|2[0-3]):([0-5]\d)|(24):(00))")


class InvalidHoursError(ValueError):
    """Hours that no clock shows, or that never begin."""


class Day(StrEnum):
    """A day of the week."""

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


WEEK: Final = tuple(Day)


def minutes_of(text: str) -> int:
    """Return the minutes after midnight of `HH:MM`, 00:00 to 24:00."""
    read = _CLOCK.fullmatch(text)
    if read is None:
        raise InvalidHoursError("a time is written as HH:MM, from 00:00 to 24:00")
    hours, minutes = (each for each in read.groups() if each is not None)
    return int(hours) * 60 + int(minutes)


def written(minutes: int) -> str:
    """Write minutes after midnight as `HH:MM`."""
    return f"{minutes // 60:02}:{minutes % 60:02}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeWindow:
    """Some hours of some days; one that ends before it begins ends on the next day."""

    days: frozenset[Day]
    """Days on which it begins."""
    begins: int
    """Minutes after midnight, the first that counts."""
    ends: int
    """Minutes after midnight, the first that does not count any more."""

    def __post_init__(self) -> None:
        if not self.days:
            raise InvalidHoursError("a time window needs at least one day")
        if not 0 <= self.begins < DAY_MINUTES or not 0 <= self.ends <= DAY_MINUTES:
            raise InvalidHoursError("a time window begins and ends within a day")
        if self.begins == self.ends:
            raise InvalidHoursError("a time window ends at another time than it begins")

    def holds(self, local: datetime) -> bool:
        """Tell whether a moment, in local time, lies in the window."""
        minute = local.hour * 60 + local.minute
        today, yesterday = WEEK[local.weekday()], WEEK[local.weekday() - 1]
        if self.begins < self.ends:
            return today in self.days and self.begins <= minute < self.ends
        return (today in self.days and minute >= self.begins) or (
            yesterday in self.days and minute < self.ends
        )

    @property
    def words(self) -> str:
        """The window as people read it: `mon, tue 22:00 to 06:00`."""
        days = ", ".join(day for day in WEEK if day in self.days)
        return f"{days} {written(self.begins)} to {written(self.ends)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """Time windows in the lab's time zone."""

    zone: str
    """Of the IANA time zones, for example `Europe/Berlin`."""
    windows: tuple[TimeWindow, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.windows) <= MAX_WINDOWS:
            raise InvalidHoursError(f"hours need 1 to {MAX_WINDOWS} time windows")
        if not self.zone:
            raise InvalidHoursError("time windows need a time zone")

    def hold(self, moment: datetime) -> bool:
        """Tell whether a moment lies in one of the windows; never if the zone is not known."""
        zone = zone_named(self.zone)
        if zone is None:
            return False
        local = moment.astimezone(zone)
        return any(each.holds(local) for each in self.windows)

    @property
    def words(self) -> str:
        """The hours as people read them."""
        return f"{'; '.join(each.words for each in self.windows)} ({self.zone})"


def zone_named(name: str) -> ZoneInfo | None:
    """Return a time zone of this machine's tables; None if there is none of that name."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None
