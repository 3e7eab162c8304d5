"""Doors with an electric bolt that falls back by itself."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final, Self

from infra.demo.machine import AckCode, Command, Machine, Refusal, arguments
from infra.demo.wire import stamp

MAX_UNLOCK_SECONDS: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Door(Machine):
    """One door; it always comes up locked."""

    relocks_at: datetime | None = None
    """When the bolt falls back; None while it is locked."""

    tick_seconds: ClassVar[float | None] = 0.25
    delay_seconds: ClassVar[tuple[float, float]] = (0.2, 0.5)
    delay_scales: ClassVar[bool] = True

    @property
    def locked(self) -> bool:
        """Whether the bolt is in."""
        return self.relocks_at is None

    def behave(self, command: Command, now: datetime) -> tuple[Self, str]:
        """Lock, or unlock for some seconds."""
        if command.intent == "lock":
            arguments(command.payload)
            return replace(self, relocks_at=None), "The door is locked"
        seconds = arguments(command.payload, seconds=int)["seconds"]
        if not 1 <= seconds <= MAX_UNLOCK_SECONDS:
            raise Refusal(
                AckCode.BAD_PAYLOAD, f"A door opens for 1 to {MAX_UNLOCK_SECONDS} s, not {seconds}"
            )
        until = now + timedelta(seconds=seconds)
        return replace(self, relocks_at=until), f"The door is unlocked for {seconds} s"

    def passed(self, now: datetime) -> Self:
        """Let the bolt fall back when its time has come."""
        if self.relocks_at is not None and now >= self.relocks_at:
            return replace(self, relocks_at=None)
        return self

    def report(self) -> dict[str, Any]:
        return {
            "locked": self.locked,
            "open": False,
            "relocks_at": stamp(self.relocks_at) if self.relocks_at else None,
        }
