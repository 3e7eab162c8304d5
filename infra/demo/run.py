"""The lab's parent process: one child a family, started again if it dies, ended with us."""

import json
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

from infra.demo.control import BADGES, ControlPort
from infra.demo.family import FAMILIES, Setting, run_family
from infra.demo.hub import Hub
from infra.demo.link import Broker
from infra.demo.pipes import Pipe
from infra.demo.plan import Plan, read_plan

LOOK_SECONDS: Final = 0.5
"""How often the parent looks whether its children live."""
STOP_SECONDS: Final = 5.0
"""How long a child may take to say goodbye."""

_fork: Final = multiprocessing.get_context("fork")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says."""

    home: Path
    trust: Path
    files: Path
    broker: Broker
    seed: int
    speed: float
    control_port: int | None
    """None for no control port, 0 for any free one."""


def run(options: Options) -> None:
    """Run the lab until SIGTERM, SIGINT, or the end of the process that started it.

    Raises OSError if the control port is taken.
    """
    hub = Hub(parent=os.getppid())
    hub.stop_on(signal.SIGTERM, signal.SIGINT)
    plan = read_plan(options.home / "lab.toml")
    setting = Setting(
        home=options.home,
        trust=options.trust,
        files=options.files,
        broker=options.broker,
        seed=options.seed,
        speed=options.speed,
        sight=Pipe(),
        orders={name: Pipe() for name in FAMILIES},
    )
    control = None
    if options.control_port is not None:
        control = ControlPort(
            hub, port=options.control_port, deliver=partial(_deliver, plan, setting.orders)
        )
    children = [Child(name, plan, setting) for name in FAMILIES]
    roll = _Roll(frozenset(FAMILIES), control=control.port if control else None)
    for child in children:
        child.start(hub, roll)
        hub.every(LOOK_SECONDS, partial(child.look_after, hub, roll))
    hub.run()
    for child in children:
        child.stop()
    for child in children:
        child.wait()


def _deliver(plan: Plan, orders: Mapping[str, Pipe], device: str, order: Mapping[str, Any]) -> bool:
    if device == BADGES:
        return orders[BADGES].say(order)
    kind = next((item.kind for item in plan.items if item.external_id == device), None)
    return any(orders[name].say(order) for name, kinds in FAMILIES.items() if kind in kinds)


class Child:
    """One family's process."""

    def __init__(self, name: str, plan: Plan, setting: Setting) -> None:
        self._name = name
        self._plan = plan
        self._setting = setting
        self._process = _fork.Process(target=_nothing)

    def start(self, hub: Hub, roll: "_Roll") -> None:
        """Fork it, and count its devices when they have spoken."""
        reader, writer = _fork.Pipe(duplex=False)
        self._process = _fork.Process(
            target=run_family,
            args=(self._name, self._plan, self._setting, os.getpid(), writer),
            name=f"kitty-demo-{self._name}",
            daemon=True,
        )
        self._process.start()
        writer.close()
        hub.watch(reader, _Ready(hub, reader, partial(roll.add, self._name)))

    def look_after(self, hub: Hub, roll: "_Roll") -> None:
        """Start it again if it has died."""
        if not self._process.is_alive():
            self._process.close()
            self.start(hub, roll)

    def stop(self) -> None:
        """Ask it to end."""
        self._process.terminate()

    def wait(self) -> None:
        """Wait until it has ended; force it if it takes too long."""
        self._process.join(STOP_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


class _Roll:
    """Says once on stdout when every family has spoken."""

    def __init__(self, families: frozenset[str], *, control: int | None) -> None:
        self._missing = set(families)
        self._control = control
        self._devices = 0

    def add(self, family: str, devices: int) -> None:
        if family not in self._missing:
            return
        self._missing.remove(family)
        self._devices += devices
        if not self._missing:
            ready: dict[str, Any] = {"ready": True, "devices": self._devices}
            if self._control is not None:
                ready["control_port"] = self._control
            sys.stdout.write(json.dumps(ready) + "\n")
            sys.stdout.flush()


class _Ready:
    """The parent's end of a child's pipe."""

    def __init__(self, hub: Hub, pipe: Connection, tell: Callable[[int], None]) -> None:
        self._hub = hub
        self._pipe = pipe
        self._tell = tell

    def readable(self) -> None:
        self._hub.forget(self._pipe)
        try:
            self._tell(self._pipe.recv())
        except EOFError:
            pass  # it died before it was ready; the next one has a pipe of its own
        finally:
            self._pipe.close()

    def writable(self) -> None:
        """Nothing is ever written."""


def _nothing() -> None:
    pass
