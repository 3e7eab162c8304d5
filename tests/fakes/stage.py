"""A stage for devices without a broker: time passes when the test says so."""

import heapq
import itertools
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from infra.demo.device import Check, Device
from infra.demo.machine import Machine
from infra.demo.memory import Memory

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


class Stage:
    """A device's wire, clock and timers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = START
        self.sent: list[tuple[str, dict]] = []
        self.dropped = False
        self._timers: list = []
        self._order = itertools.count()

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        at = self.now + timedelta(seconds=seconds)
        heapq.heappush(self._timers, (at, next(self._order), action))

    def every(self, seconds: float, action: Callable[[], None]) -> None:
        def again() -> None:
            self.later(seconds, again)
            action()

        self.later(seconds, again)

    def pass_time(self, seconds: float) -> None:
        end = self.now + timedelta(seconds=seconds)
        while self._timers and self._timers[0][0] <= end:
            self.now, _, action = heapq.heappop(self._timers)
            action()
        self.now = end

    def publish(self, topic, payload, *, retain=False, wait=False, on_sent=None) -> None:
        if not self.dropped or wait:
            self.sent.append((topic.rsplit("/", 1)[1], json.loads(payload)))

    def drop(self) -> None:
        self.dropped = True

    def restore(self) -> None:
        self.dropped = False

    def device(
        self,
        machine: Machine,
        *,
        speed: float = 1.0,
        name: str = "thing",
        check: Callable[[Memory], Check] | None = None,
    ) -> Device:
        """Switch a device on; calling it again is a restart."""
        self._timers.clear()
        memory = Memory(self.folder / "thing.json")
        device = Device(
            name=name,
            machine=machine,
            memory=memory,
            timer=self,
            now=lambda: self.now,
            dice=Random(7),
            speed=speed,
            check=check(memory) if check else lambda command: command,
        )
        device.start(self)
        return device

    def command(self, intent: str, payload=None, *, name="c1", seconds=10.0, changes=None) -> bytes:
        message = {
            "v": 1,
            "command_id": name,
            "device": "thing",
            "intent": intent,
            "payload": payload or {},
            "issued_at": self.now.isoformat(),
            "deadline": (self.now + timedelta(seconds=seconds)).isoformat(),
            "correlation_id": "x",
            "safety_event_id": None,
        }
        return json.dumps({**message, **(changes or {})}).encode()

    def acks(self, name: str = "c1") -> list[dict]:
        return [m for what, m in self.sent if what == "ack" and m["command_id"] == name]

    @property
    def state(self) -> dict:
        return [m for what, m in self.sent if what == "state"][-1]
