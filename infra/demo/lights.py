"""Lights: on, off and named scenes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self

from infra.demo.machine import AckCode, Command, Machine, Refusal, arguments


@dataclass(frozen=True, slots=True, kw_only=True)
class Light(Machine):
    """One group of lamps."""

    scenes: tuple[str, ...] = ()
    on: bool = False
    scene: str | None = None

    def behave(self, command: Command, now: datetime) -> tuple[Self, str]:
        """Switch, or take on a scene; a scene switches the lamps on."""
        del now
        if command.intent == "switch":
            on = arguments(command.payload, on=bool)["on"]
            return replace(self, on=on, scene=None), f"The lights are {'on' if on else 'off'}"
        scene = arguments(command.payload, scene=str)["scene"]
        if scene not in self.scenes:
            raise Refusal(
                AckCode.BAD_PAYLOAD, f"There is no scene {scene!r}; try {', '.join(self.scenes)}"
            )
        return replace(self, on=True, scene=scene), f"The lights show {scene!r}"

    def report(self) -> dict[str, Any]:
        return {"on": self.on, "scene": self.scene}

    def kept(self) -> dict[str, Any]:
        return self.report()

    def restored(self, kept: Mapping[str, Any]) -> Self:
        scene = kept.get("scene")
        return replace(
            self, on=kept.get("on") is True, scene=scene if scene in self.scenes else None
        )
