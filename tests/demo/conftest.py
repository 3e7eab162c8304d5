"""A stage for devices without a broker: time passes when the test says so."""

import hashlib
import heapq
import itertools
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from infra.demo.device import Device
from infra.demo.heaters import bed, nozzle
from infra.demo.machine import Machine
from infra.demo.memory import Memory
from infra.demo.printers import Printer

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
CUBE = b";TIME:1000\nG28\nM140 S60\nM104 S215\nM190 S60\nM109 S215\nG1 X1 Y1\n"
FILES = {
    "gcode/cube.gcode": CUBE,
    "gcode/hot.gcode": b";TIME:10\nM109 S280\n",
    "gcode/sign.gcode": b";TIME:100\nG28\n",
}


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

    def device(self, machine: Machine, *, speed: float = 1.0) -> Device:
        """Switch a device on; calling it again is a restart."""
        self._timers.clear()
        device = Device(
            name="thing",
            machine=machine,
            memory=Memory(self.folder / "thing.json"),
            timer=self,
            now=lambda: self.now,
            dice=Random(7),
            speed=speed,
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


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


@pytest.fixture(scope="session")
def cold_printer() -> Printer:
    return Printer(
        intents=frozenset(
            {
                *("start_print", "pause_print", "resume_print", "abort_print"),
                *("set_temperature", "send_gcode"),
            }
        ),
        name="MK4",
        shelf=FILES.get,
        nozzle=nozzle(270),
        bed=bed(110),
        at=START,
    )


@pytest.fixture(scope="session")
def print_of() -> Callable[[str], dict]:
    def payload(path: str = "gcode/cube.gcode") -> dict:
        sha256 = hashlib.sha256(FILES.get(path, b"")).hexdigest()
        return {"job": "j1", "gcode_path": path, "gcode_sha256": sha256}

    return payload
