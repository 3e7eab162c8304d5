"""Cameras: they look at the devices of their zone and publish what they see."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from infra.demo.device import Wire
from infra.demo.machine import Machine
from infra.demo.scenery import Thing, View, draw

SHOTS_APART: Final = timedelta(seconds=5)
"""Never more pictures than one in this time."""
OLDEST_SHOT: Final = timedelta(seconds=60)
"""A new picture is taken after this time even if nothing has changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera(Machine):
    """One camera; it always records, and cannot be told anything."""

    def report(self) -> dict[str, Any]:
        return {"recording": True}


class Eye:
    """What a camera sees of the other devices of its zone."""

    def __init__(self, *, camera: str, zone: str, things: Mapping[str, Thing]) -> None:
        """`zone` is the name people know; `things` are what is in it, by external id."""
        self._topic = f"kitty/devices/{camera}/snapshot"
        self._zone = zone
        self._things = dict(things)
        self._shown: object = None
        self._shown_at: datetime | None = None

    def saw(self, name: str, state: Mapping[str, Any]) -> None:
        """Take note of how another device stands, if it is in sight."""
        if name in self._things:
            self._things[name] = replace(self._things[name], state=state)

    def forget(self) -> None:
        """Publish a new picture at the next look: the broker may have lost the old one."""
        self._shown_at = None

    def look(self, now: datetime, wire: Wire) -> None:
        """Publish a picture if there is something new to see and the last one is old enough."""
        view = View(zone=self._zone, things=tuple(self._things.values()))
        if self._shown_at is not None:
            age = now - self._shown_at
            if age < SHOTS_APART or (view.visible == self._shown and age < OLDEST_SHOT):
                return
        self._shown, self._shown_at = view.visible, now
        wire.publish(self._topic, draw(view, now), retain=True)
