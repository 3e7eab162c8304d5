"""Mains switches of machines."""

from dataclasses import dataclass, replace
from datetime import datetime
from random import Random
from typing import Any, Self

from infra.demo.machine import Command, Machine, arguments


@dataclass(frozen=True, slots=True, kw_only=True)
class Power(Machine):
    """One contactor; it drops out when its controller restarts."""

    rated_watts: float = 0.0
    on: bool = False

    def behave(self, command: Command, now: datetime) -> tuple[Self, str]:
        """Give or cut power."""
        del now
        arguments(command.payload)
        on = command.intent == "enable_power"
        return replace(self, on=on), f"The power is {'on' if on else 'off'}"

    def report(self) -> dict[str, Any]:
        return {"on": self.on}

    def readings(self, dice: Random) -> dict[str, float]:
        """Idle at a few per cent of the rating."""
        idle = self.rated_watts * dice.uniform(0.04, 0.06)
        return {"power_watts": round(idle, 1) if self.on else 0.0}
