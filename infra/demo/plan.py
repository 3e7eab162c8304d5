"""What the simulators need to know of `lab.toml` (docs/lab-file.md)."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who carries a badge."""

    handle: str
    roles: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """A part of the building."""

    slug: str
    name: str
    required_roles: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A device that exists."""

    external_id: str
    name: str
    kind: str
    zone: str
    capabilities: Mapping[str, Any]

    @property
    def intents(self) -> frozenset[str]:
        """What it can be told."""
        return frozenset(self.capabilities.get("intents", ()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """People, zones and devices of one lab."""

    people: tuple[Person, ...]
    zones: tuple[Zone, ...]
    items: tuple[Item, ...]


def read_plan(path: Path) -> Plan:
    """Read a lab file."""
    lab = tomllib.loads(path.read_text(encoding="utf-8"))
    return Plan(
        people=tuple(
            Person(handle=each["handle"], roles=frozenset(each["roles"])) for each in lab["people"]
        ),
        zones=tuple(
            Zone(
                slug=each["slug"],
                name=each["name"],
                required_roles=frozenset(each.get("policy", {}).get("required_roles", ())),
            )
            for each in lab["zones"]
        ),
        items=tuple(
            Item(
                external_id=each["external_id"],
                name=each["name"],
                kind=each["kind"],
                zone=each["zone"],
                capabilities=each.get("capabilities", {}),
            )
            for each in lab["devices"]
        ),
    )
