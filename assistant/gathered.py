"""What came of acting on a reading, as the checkpoint keeps it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter

from assistant.codec import load_reading
from assistant.turn import Asked, Waiting
from assistant.understanding.reading import Reading
from safety.actions import Action, revive
from safety.entities import DeviceId, ZoneId
from tools.spec import Artifact


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingAct:
    """An action that waits for signatures, with what is needed to speak of it later."""

    event: str
    kind: str
    device_id: str
    zone_id: str
    arguments: Mapping[str, Any]
    device: str
    """What people call the device."""

    @property
    def action(self) -> Action:
        """The action itself."""
        return revive(
            self.kind, DeviceId(UUID(self.device_id)), ZoneId(UUID(self.zone_id)), self.arguments
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """What came of a reading."""

    said: tuple[tuple[str, str], ...] = ()
    """Text and spoken form of each piece."""
    calls: tuple[Mapping[str, Any], ...] = ()
    waiting: tuple[WaitingAct, ...] = ()
    pending: Waiting | None = None
    question: Asked | None = None
    artifacts: tuple[Artifact, ...] = ()
    citations: tuple[str, ...] = ()
    confirm: str = ""
    """SafetyEvent that the open question is bound to."""
    reread: Mapping[str, Any] | None = None
    """The reading that the dialogue goes on from, when acting changed it."""

    @property
    def events(self) -> tuple[str, ...]:
        """SafetyEvents that wait for signatures."""
        return tuple(each.event for each in self.waiting)

    @property
    def reading(self) -> Reading | None:
        """The reading that the dialogue goes on from, when acting changed it."""
        return None if self.reread is None else load_reading(self.reread)

    def as_json(self) -> dict[str, Any]:
        """Return JSON values for the checkpoint."""
        stored: dict[str, Any] = _GATHERED.dump_python(self, mode="json")
        return stored

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Gathered":
        """Rebuild from the checkpoint."""
        return _GATHERED.validate_python(stored)


_GATHERED: TypeAdapter[Gathered] = TypeAdapter(Gathered)
