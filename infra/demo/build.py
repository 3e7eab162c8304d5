"""From the description of a device to its behaviour."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any, Final

from infra.demo.cameras import Camera
from infra.demo.doors import Door
from infra.demo.heaters import bed, nozzle
from infra.demo.lights import Light
from infra.demo.machine import Machine
from infra.demo.plan import Item
from infra.demo.power import Power
from infra.demo.printers import Printer, Shelf
from infra.demo.sensors import Sensor

MAX_FILE: Final = 64 * 1024 * 1024
"""Bytes of G-code a printer takes."""


def machine_for(item: Item, *, shelf: Shelf, speed: float, dice: Random, now: datetime) -> Machine:
    """Return the machine of a device; raise ValueError for a kind the lab cannot simulate."""
    can: Mapping[str, Any] = item.capabilities
    match item.kind:
        case "light":
            return Light(intents=item.intents, scenes=tuple(can.get("scenes", ())))
        case "door":
            return Door(intents=item.intents)
        case "power":
            return Power(intents=item.intents, rated_watts=float(can.get("rated_watts", 1_000)))
        case "printer":
            return Printer(
                intents=item.intents,
                name=item.name,
                shelf=shelf,
                nozzle=nozzle(int(can.get("nozzle_max_c", 0))),
                bed=bed(int(can.get("bed_max_c", 0))),
                at=now,
                speed=speed,
            )
        case "camera":
            return Camera(intents=item.intents)
        case "sensor":
            return Sensor(intents=item.intents, usual_c=round(dice.uniform(19.0, 24.0), 1))
        case kind:
            raise ValueError(f"the demo lab cannot simulate a {kind!r} ({item.external_id!r})")


def shelf_in(root: Path) -> Shelf:
    """Return a shelf that reads files under a folder, and none outside it."""
    base = root.resolve()

    def read(key: str) -> bytes | None:
        if "\0" in key:
            return None
        path = (base / key).resolve()
        if not path.is_relative_to(base) or not path.is_file():
            return None
        return path.read_bytes() if path.stat().st_size <= MAX_FILE else None

    return read
