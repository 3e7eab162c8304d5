"""From what people call a thing to the thing itself.

Exact id, then exact name or alias, then the same words without articles, then without words
such as "door", then a name that has all the words.  The first step that finds something ends
the search; if it finds several, the person is asked which one.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar
from uuid import UUID

from rapidfuzz import fuzz, process

from safety.entities import DeviceId, DeviceKind, ZoneId
from tools.desk import Desk, DeviceView, ZoneView
from tools.phrases import either, short, the
from tools.spec import Choice, ToolError

MAX_CHOICES: Final = 8
"""Things offered when a name could mean several."""
_NEAR: Final = 3
_LIKENESS: Final = 60
"""Percent of likeness from which a name is offered for a misspelt one."""
_ARTICLES: Final = frozenset({"the", "a", "an", "our", "my", "this", "that", "please"})
_KIND_WORDS: Final = frozenset(
    {
        *("light", "lights", "lamp", "lamps", "door", "doors", "gate", "printer", "printers"),
        *("camera", "cameras", "cam", "sensor", "sensors", "power", "socket", "switch"),
        *("machine", "device", "zone", "area"),
    }
)
_WORD: Final = re.compile(r"[^\W_]+")
NOUNS: Final = {
    DeviceKind.PRINTER: "printer",
    DeviceKind.CAMERA: "camera",
    DeviceKind.LIGHT: "light",
    DeviceKind.DOOR: "door",
    DeviceKind.POWER: "machine with switchable power",
    DeviceKind.SENSOR: "sensor",
}
"""What people call one device of a kind."""
PLURALS: Final = {kind: f"{noun}s" for kind, noun in NOUNS.items()} | {
    DeviceKind.POWER: "machines with switchable power"
}

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Named(Generic[T_co]):
    """A thing with everything it may be called."""

    id: str
    names: tuple[str, ...]
    """Name first, then external id and aliases."""
    label: str
    """What to show when people choose."""
    value: T_co


def find(text: str, things: Sequence[Named[T]]) -> list[Named[T]]:
    """Return the things that the text may mean, all equally well; [] if none."""
    folded = _fold(text)
    exact = [each for each in things if each.id == folded]
    exact = exact or [each for each in things if any(_fold(n) == folded for n in each.names)]
    if exact:
        return exact
    wanted = _words(text)
    core = wanted - _KIND_WORDS
    spelt = [(each, [_words(name) for name in each.names]) for each in things]
    same = [each for each, ways in spelt if wanted and wanted in ways]
    if same or not core:
        return same
    bare = [each for each, ways in spelt if any(way - _KIND_WORDS == core for way in ways)]
    return bare or [each for each, ways in spelt if any(core <= way for way in ways)]


def one(text: str, things: Sequence[Named[T]], *, noun: str, code: str) -> T:
    """Return the one thing that is meant.

    Raises ToolError `ambiguous` with the choices, or `code` with the nearest names.
    """
    found = find(text, things)
    if len(found) == 1:
        return found[0].value
    if found:
        raise ambiguous(text, found)
    raise unknown(text, things, noun=noun, code=code)


def ambiguous(text: str, found: Sequence[Named[T]]) -> ToolError:
    """Ask which of several is meant."""
    labels = [each.label for each in found[:MAX_CHOICES]]
    return ToolError(
        "ambiguous",
        f"{short(text)!r} could be {either(labels)}. Which one?",
        choices=choices(found),
    )


def choices(things: Sequence[Named[T]]) -> tuple[Choice, ...]:
    """Return what can be chosen from, the first ones only if there are many."""
    return tuple(Choice(id=each.id, label=each.label) for each in things[:MAX_CHOICES])


def unknown(text: str, things: Sequence[Named[T]], *, noun: str, code: str) -> ToolError:
    """Say that there is no such thing, and which names come near."""
    near = _nearest(text, things)
    message = f"There is no {noun} called {short(text)!r}."
    if near:
        message += f" Did you mean {either([each.label for each in near])}?"
    elif things:
        message += f" I know {either([each.label for each in things[:MAX_CHOICES]], 'and')}."
    return ToolError(code, message, choices=choices(near))


def _nearest(text: str, things: Sequence[Named[T]]) -> list[Named[T]]:
    spelt = [(name, each) for each in things for name in each.names]
    found = process.extract(
        _fold(text),
        [_fold(name) for name, _ in spelt],
        scorer=fuzz.WRatio,
        score_cutoff=_LIKENESS,
        limit=4 * _NEAR,
    )
    near = {spelt[index][1].id: spelt[index][1] for _, _, index in found}
    return list(near.values())[:_NEAR]


def _fold(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(_fold(text))) - _ARTICLES


# -- devices and zones ------------------------------------------------------------------------


def named_device(view: DeviceView) -> Named[DeviceView]:
    """Return a device with everything it may be called."""
    device = view.device
    return Named(
        id=str(device.id),
        names=(device.name, device.external_id, *view.aliases),
        label=f"{device.name} ({view.zone.name})",
        value=view,
    )


def named_zone(view: ZoneView) -> Named[ZoneView]:
    """Return a zone with everything it may be called."""
    zone = view.zone
    return Named(
        id=str(zone.id), names=(zone.name, zone.slug, *view.aliases), label=zone.name, value=view
    )


async def zone_of(desk: Desk, text: str) -> ZoneView:
    """Return the zone that is meant."""
    zones = [named_zone(view) for view in await desk.lab.zones()]
    return one(text, zones, noun="zone", code="unknown_zone")


async def device(
    desk: Desk, text: str, kind: DeviceKind | None = None, zone: ZoneId | None = None
) -> DeviceView:
    """Return the device that is meant; a zone's name means its only device of that kind."""
    by_id = await _by_id(desk, text)
    if by_id is not None and zone in {None, by_id.zone.id}:
        return _of_kind(by_id, kind)
    things = [named_device(view) for view in await desk.lab.devices(kind=kind, zone=zone)]
    found = find(text, things)
    if not found and kind is not None:
        found = await _in_zone(desk, text, kind)
    if len(found) == 1:
        return found[0].value
    if found:
        raise ambiguous(text, found)
    if kind is not None:
        others = find(text, [named_device(view) for view in await desk.lab.devices()])
        if len(others) == 1:
            return _of_kind(others[0].value, kind)
    raise unknown(text, things, noun=NOUNS[kind] if kind else "device", code="unknown_device")


async def group(desk: Desk, text: str, kind: DeviceKind) -> Sequence[DeviceView]:
    """Return the device that is meant, or all devices of that kind in the zone that is meant."""
    by_id = await _by_id(desk, text)
    if by_id is not None:
        return [_of_kind(by_id, kind)]
    devices = [named_device(view) for view in await desk.lab.devices(kind=kind)]
    zones = [named_zone(view) for view in await desk.lab.zones()]
    things: list[Named[DeviceView | ZoneView]] = [*devices, *zones]
    found = find(text, things)
    found_devices = [each.value for each in found if isinstance(each.value, DeviceView)]
    found_zones = [each.value for each in found if isinstance(each.value, ZoneView)]
    if len(found_devices) == 1:
        return found_devices
    if len(found_zones) == 1:
        return _all_in(found_zones[0], [each.value for each in devices], kind)
    if found:
        raise ambiguous(text, found)
    others = find(text, [named_device(view) for view in await desk.lab.devices()])
    if len(others) == 1:
        return [_of_kind(others[0].value, kind)]
    raise unknown(text, things, noun=f"{NOUNS[kind]} or zone", code="unknown_device")


def _all_in(
    place: ZoneView, devices: Sequence[DeviceView], kind: DeviceKind
) -> Sequence[DeviceView]:
    inside = [view for view in devices if view.zone.id == place.zone.id]
    if not inside:
        raise ToolError("nothing_there", f"There is no {NOUNS[kind]} in {the(place.zone.name)}.")
    return inside


async def _by_id(desk: Desk, text: str) -> DeviceView | None:
    """Look an id up directly: the grammar passes ids, and thousands of names cost time."""
    try:
        identity = UUID(text.strip())
    except ValueError:
        return None
    return await desk.lab.device(DeviceId(identity))


async def _in_zone(desk: Desk, text: str, kind: DeviceKind) -> list[Named[DeviceView]]:
    zones = find(text, [named_zone(view) for view in await desk.lab.zones()])
    if len(zones) != 1:
        return []
    place = zones[0].value.zone.id
    return [named_device(view) for view in await desk.lab.devices(kind=kind, zone=place)]


def _of_kind(view: DeviceView, kind: DeviceKind | None) -> DeviceView:
    if kind is None or view.device.kind is kind:
        return view
    is_a, wanted = NOUNS[view.device.kind], NOUNS[kind]
    raise ToolError("wrong_kind", f"{view.device.name} is a {is_a}, not a {wanted}. I did nothing.")
