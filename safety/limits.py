"""How much one person may ask for."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

DEFAULT_PENDING: Final = 20
"""Requests of one person that may wait for people at a time."""
MAX_PENDING: Final = 10_000
MAX_COUNT: Final = 100_000
MAX_PERIOD: Final = timedelta(days=31)


class TaintRule(StrEnum):
    """What becomes of a request that untrusted text may have steered."""

    RAISE = "raise"
    """Its hazard counts one step higher."""
    REFUSE = "refuse"


class InvalidLimitError(ValueError):
    """A limit that would not limit, or that nobody could keep."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLimit:
    """So many hazardous requests of one person in so much time."""

    count: int
    period: timedelta

    def __post_init__(self) -> None:
        if type(self.count) is not int or not 1 <= self.count <= MAX_COUNT:
            raise InvalidLimitError(f"a limit is from 1 to {MAX_COUNT} requests")
        if not timedelta(0) < self.period <= MAX_PERIOD:
            raise InvalidLimitError(f"a limit's period is at most {MAX_PERIOD.days} days")

    @property
    def words(self) -> str:
        """The limit as people read it: `10 in 3600 s`."""
        return f"{self.count} in {self.period.total_seconds():g} s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What somebody has asked for so far."""

    pending: int = 0
    """Their requests, for any zone, that wait for people now."""
    recent: int = 0
    """Their hazardous requests for the zone within the period of its limit; 0 without a limit."""
