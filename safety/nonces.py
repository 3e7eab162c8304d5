"""Which approvals a device has used up.  Pure: the device keeps the value across restarts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Protocol, Self

from safety.canonical import timestamp

MAX_REMEMBERED: Final = 4_096
"""Approvals that can wait for their end at once; a lab has a handful."""


class Claim(StrEnum):
    """What a device's memory says to an approval."""

    FRESH = "fresh"
    SEEN = "seen"
    FULL = "full"


class Memory(Protocol):
    """What a device has used up, kept across restarts."""

    def claim(self, event: str, nonce: str, *, until: datetime, now: datetime) -> Claim:
        """Use an approval up, durably before this returns, and say whether it was unused.

        After `until` the approval has no value any more and may be forgotten.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Nonces:
    """The ids and nonces of approvals that were used, until they would have run out anyway."""

    used: Mapping[str, datetime] = field(default_factory=dict)
    forgotten: datetime | None = None
    """The latest end of anything forgotten: what ends no later may have been used before."""

    def claim(
        self, event: str, nonce: str, *, until: datetime, now: datetime
    ) -> tuple[Claim, Self]:
        """Return what to say to an approval, and the memory after it."""
        names = (f"event:{event}", f"nonce:{nonce}")
        kept = {name: end for name, end in self.used.items() if end > now}
        ended = [end for name, end in self.used.items() if name not in kept]
        known = [] if self.forgotten is None else [self.forgotten]
        forgotten = max([*ended, *known], default=None)
        if (forgotten is not None and until <= forgotten) or any(name in kept for name in names):
            return Claim.SEEN, self
        if len(kept) >= 2 * MAX_REMEMBERED:
            return Claim.FULL, self
        return Claim.FRESH, type(self)(used=kept | dict.fromkeys(names, until), forgotten=forgotten)

    def kept(self) -> dict[str, Any]:
        """Return what has to survive a restart, as JSON values."""
        return {
            "used": {name: timestamp(end) for name, end in self.used.items()},
            "forgotten": None if self.forgotten is None else timestamp(self.forgotten),
        }

    @classmethod
    def restored(cls, kept: Mapping[str, Any]) -> Self:
        """Return what was kept; raise if it is not what `kept` returned."""
        forgotten = kept["forgotten"]
        return cls(
            used={name: datetime.fromisoformat(end) for name, end in kept["used"].items()},
            forgotten=None if forgotten is None else datetime.fromisoformat(forgotten),
        )


class VolatileMemory:
    """A memory that ends with the process: for looking at a file, never for a device."""

    def __init__(self) -> None:
        self._nonces = Nonces()

    def claim(self, event: str, nonce: str, *, until: datetime, now: datetime) -> Claim:
        """Use an approval up."""
        claim, self._nonces = self._nonces.claim(event, nonce, until=until, now=now)
        return claim
