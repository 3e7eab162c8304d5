"""What one intent means."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from safety.entities import Hazard


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What one intent means."""

    name: str
    tool: str = ""
    """Empty for small talk."""
    reply: str = ""
    slots: Mapping[str, str] = field(default_factory=dict)
    """Argument to the kind of thing it takes."""
    needs: tuple[str, ...] = ()
    fixed: Mapping[str, Any] = field(default_factory=dict)
    hazard: Hazard = Hazard.NONE
    reads: bool = False
    """It only looks something up."""
    stop: bool = False
    """It is a call to stop, obeyed before anything else."""
    unsure: bool = False
    """The words fit more than one meaning: always asked back."""
    negative: bool = False
    """Its own words hold a negation: "I do not need my request any more"."""
    free: str = ""
    """Argument that takes the person's own words."""
    says: str = ""
    ask: Mapping[str, str] = field(default_factory=dict)

    @property
    def hazardous(self) -> bool:
        """Whether a mistake here could hurt someone."""
        return self.hazard >= Hazard.MEDIUM
