"""One device process: a family of devices around one hub."""

import ctypes
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from typing import Any, Final

from infra.demo import clock
from infra.demo.badges import ROUND_SECONDS, SECOND_ROUND_SECONDS, Badges, rounds
from infra.demo.build import machine_for, shelf_in
from infra.demo.cameras import Eye
from infra.demo.control import BADGES
from infra.demo.device import Device
from infra.demo.guard import Guard, TrustBook
from infra.demo.hub import Hub
from infra.demo.link import Broker, Handler, Link
from infra.demo.memory import Memory
from infra.demo.pipes import Pipe
from infra.demo.plan import Item, Plan
from infra.demo.scenery import Thing
from infra.demo.wire import WILL, encode

FAMILIES: Final[Mapping[str, frozenset[str]]] = {
    "switches": frozenset({"light", "door", "power"}),
    "printers": frozenset({"printer"}),
    "watchers": frozenset({"camera", "sensor"}),
    BADGES: frozenset(),
}
"""Kinds of device by process; badge readers are no devices of the product."""
VISIBLE: Final = frozenset({"light", "door", "power", "printer"})
"""Kinds of device that a camera shows."""
GOODBYE_SECONDS: Final = 2.0
LOOK_SECONDS: Final = 1.0
PR_SET_PDEATHSIG: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What every process of the lab is given."""

    home: Path
    trust: Path
    """The trust file: whose signatures the devices obey."""
    files: Path
    """Root of the artifact store, where printers find G-code."""
    broker: Broker
    seed: int
    speed: float
    sight: Pipe
    """How the devices look, for the cameras."""
    orders: Mapping[str, Pipe]
    """Faults ordered, by family."""


def run_family(name: str, plan: Plan, setting: Setting, parent: int, ready: Connection) -> None:
    """Be one process of the lab until the parent stops it or has gone; tells `ready` once."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent says when, also after Ctrl-C
    hub = Hub(parent=parent)
    hub.stop_on(signal.SIGTERM)
    die_with_parent()
    family = Family(name, plan, setting, hub, ready)
    family.open()
    hub.run()
    family.close()


def die_with_parent() -> None:
    """Ask the kernel to stop this process with its parent; elsewhere the hub alone watches."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Family:
    """Some devices with their links to the broker."""

    def __init__(
        self, name: str, plan: Plan, setting: Setting, hub: Hub, ready: Connection
    ) -> None:
        self._plan = plan
        self._setting = setting
        self._hub = hub
        self._ready = ready
        self._links: list[Link] = []
        self._devices: dict[str, Device] = {}
        self._eyes: list[Eye] = []
        self._book = TrustBook(setting.trust)
        self._badges = Badges(people={}, now=clock.now)
        self._awaited: set[str] = set()
        for item in self._items(FAMILIES[name]):
            self._connect(item, self._device(item))
        if name == BADGES:
            self._connect_badges()
        if self._eyes:
            setting.sight.listen(hub, self._on_sight)
        setting.orders[name].listen(hub, self._on_order)

    def open(self) -> None:
        """Connect everything."""
        for link in self._links:
            link.open()

    def close(self) -> None:
        """Say goodbye for every device, as long as the broker listens."""
        for device in self._devices.values():
            device.say_goodbye()
        self._hub.drain(GOODBYE_SECONDS, until=lambda: all(link.idle for link in self._links))
        for link in self._links:
            link.close()

    def _items(self, kinds: frozenset[str], zone: str | None = None) -> list[Item]:
        return [
            item for item in self._plan.items if item.kind in kinds and zone in {None, item.zone}
        ]

    def _device(self, item: Item) -> Device:
        dice = Random(f"{self._setting.seed}:{item.external_id}")
        machine = machine_for(
            item,
            shelf=shelf_in(self._setting.files),
            speed=self._setting.speed,
            dice=dice,
            now=clock.now(),
        )
        memory = Memory(self._setting.home / "devices" / f"{item.external_id}.json")
        return Device(
            name=item.external_id,
            machine=machine,
            memory=memory,
            check=Guard(device=item.external_id, book=self._book, memory=memory, now=clock.now),
            timer=self._hub,
            now=clock.now,
            dice=dice,
            speed=self._setting.speed,
            show=self._show,
        )

    def _show(self, name: str, state: Mapping[str, Any]) -> None:
        self._setting.sight.say({"device": name, "state": state})

    def _connect(self, item: Item, device: Device) -> None:
        eyes = [self._eye(item)] if item.kind == "camera" else []

        def on_ready() -> None:
            device.publish_state(on_sent=partial(self._reached, device.name))
            for eye in eyes:
                eye.forget()

        link = self._link(
            device.name,
            {f"kitty/devices/{device.name}/cmd": device.on_command},
            on_ready,
            will=(f"kitty/devices/{device.name}/state", encode(WILL)),
        )
        self._devices[device.name] = device
        self._awaited.add(device.name)
        self._eyes += eyes
        device.start(link)
        for eye in eyes:
            self._hub.every(LOOK_SECONDS, partial(self._look, eye, link))

    def _look(self, eye: Eye, link: Link) -> None:
        eye.look(clock.now(), link)

    def _on_sight(self, seen: Mapping[str, Any]) -> None:
        for eye in self._eyes:
            eye.saw(seen["device"], seen["state"])

    def _on_order(self, order: Mapping[str, Any]) -> None:
        device = self._devices.get(order["device"])
        if device is not None:
            device.on_order(order)
        elif order["device"] == BADGES:
            self._badges.on_order(order)

    def _eye(self, item: Item) -> Eye:
        zone = next(zone for zone in self._plan.zones if zone.slug == item.zone)
        seen = self._items(VISIBLE, item.zone)
        things = {
            other.external_id: Thing(name=other.name, kind=other.kind, state={}) for other in seen
        }
        return Eye(camera=item.external_id, zone=zone.name, things=things)

    def _connect_badges(self) -> None:
        walks = rounds(self._plan.people, self._plan.zones)
        self._badges = Badges(people=walks, now=clock.now)
        for zone in walks:
            self._awaited.add(zone)
            self._badges.attach(zone, self._link(f"badges-{zone}", {}, partial(self._walk, zone)))
            self._hub.every(ROUND_SECONDS, partial(self._badges.walk, zone))

    def _walk(self, zone: str) -> None:
        self._badges.walk(zone)
        # Sightings are not retained: whoever connects a moment after us gets them too.
        self._hub.later(SECOND_ROUND_SECONDS, partial(self._badges.walk, zone))
        self._reached(zone)

    def _link(
        self,
        name: str,
        topics: Mapping[str, Handler],
        on_ready: Callable[[], None],
        will: tuple[str, bytes] | None = None,
    ) -> Link:
        link = Link(
            hub=self._hub,
            broker=self._setting.broker,
            client_id=f"kitty-demo-{name}",
            topics=topics,
            on_ready=on_ready,
            will=will,
        )
        self._links.append(link)
        return link

    def _reached(self, name: str) -> None:
        if name in self._awaited:
            self._awaited.remove(name)
            if not self._awaited:
                self._ready.send(len(self._devices))
