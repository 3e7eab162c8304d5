"""Smoke and temperature sensors."""

from dataclasses import dataclass, replace
from datetime import datetime
from math import pi, sin
from random import Random
from typing import Any, ClassVar, Final, Self

from infra.demo.machine import Fault, Machine

DAY: Final = 86_400
SMOKE_PPM: Final = 180.0
CLEAR_PPM: Final = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensor(Machine):
    """One sensor on the ceiling of a zone."""

    usual_c: float = 21.0
    """Celsius, the mean over a day."""
    temperature_c: float = 21.0
    smoke: bool = False

    tick_seconds: ClassVar[float | None] = 5.0

    def passed(self, now: datetime) -> Self:
        """Follow the day: coolest at 3 in the morning, a degree and a half either way."""
        swing = 1.5 * sin(2 * pi * (now.timestamp() % DAY / DAY - 0.375))
        return replace(self, temperature_c=round(self.usual_c + swing, 1))

    def report(self) -> dict[str, Any]:
        return {"temperature_c": self.temperature_c, "smoke": self.smoke}

    def readings(self, dice: Random) -> dict[str, float]:
        ppm = (SMOKE_PPM if self.smoke else CLEAR_PPM) * dice.uniform(0.8, 1.2)
        return {"temperature_c": self.temperature_c, "smoke_ppm": round(ppm, 1)}

    def broken(self, fault: Fault, now: datetime) -> Self:
        del now
        return replace(self, smoke=fault is Fault.SMOKE)
