"""How the parts of a printer get hot and cool down."""

from dataclasses import dataclass, replace
from math import exp, log
from typing import Final, Self

AMBIENT_C: Final = 21.0
CLOSE_C: Final = 2.0
"""A part counts as at its target within this many degrees."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heater:
    """One heated part."""

    limit_c: int
    """The highest target it takes."""
    rise: float
    """Degrees a second while it heats."""
    fall: float
    """Seconds in which it loses two thirds of what it is too hot."""
    celsius: float = AMBIENT_C
    target_c: int = 0
    """0 is off."""

    @property
    def wait(self) -> float:
        """Seconds until it is close to its target; 0 if it is, or is off."""
        gap = self.target_c - self.celsius
        if not self.target_c or abs(gap) <= CLOSE_C:
            return 0.0
        if gap > 0:
            return (gap - CLOSE_C) / self.rise
        return self.fall * log(gap / -CLOSE_C)

    @property
    def heating(self) -> bool:
        """Whether it takes full power now."""
        return self.target_c > self.celsius + CLOSE_C

    def after(self, seconds: float) -> Self:
        """Return it some seconds later."""
        goal = max(float(self.target_c), AMBIENT_C)
        if self.celsius <= goal:
            celsius = min(goal, self.celsius + self.rise * seconds)
        else:
            celsius = goal + (self.celsius - goal) * exp(-seconds / self.fall)
        return replace(self, celsius=celsius)


def nozzle(limit_c: int) -> Heater:
    """Return a cold nozzle."""
    return Heater(limit_c=limit_c, rise=4.0, fall=90.0)


def bed(limit_c: int) -> Heater:
    """Return a cold bed."""
    return Heater(limit_c=limit_c, rise=0.6, fall=500.0)
