"""Devices and zones by what people call them."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from safety.entities import DeviceId, DeviceKind, ZoneId
from tools.desk import Desk, DeviceView, ZoneView
from tools.matching import Named, Sought, ambiguous, find, one, unknown
from tools.phrases import the
from tools.spec import ToolError

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

_ZONE_WORDS: Final = frozenset({"zone", "area"})
_KIND_WORDS: Final = {
    DeviceKind.PRINTER: frozenset({"printer", "printers", "machine"}),
    DeviceKind.CAMERA: frozenset({"camera", "cameras", "cam"}),
    DeviceKind.LIGHT: frozenset({"light", "lights", "lamp", "lamps"}),
    DeviceKind.DOOR: frozenset({"door", "doors", "gate"}),
    DeviceKind.POWER: frozenset({"power", "socket", "switch", "machine"}),
    DeviceKind.SENSOR: frozenset({"sensor", "sensors"}),
}
"""Words that say no more than the kind, and so may be missing or added when it is known."""


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


def find_zones(text: str, zones: Sequence[ZoneView]) -> Sequence[ZoneView]:
    """Return every zone that may be meant."""
    found = find(text, [named_zone(view) for view in zones], _ZONE_WORDS)
    return [each.value for each in found]


async def zone_of(desk: Desk, text: str, *, argument: str = "zone") -> ZoneView:
    """Return the zone that is meant."""
    sought = Sought(
        text=text, argument=argument, noun="zone", code="unknown_zone", drop=_ZONE_WORDS
    )
    return one(sought, [named_zone(view) for view in await desk.lab.zones()])


async def device(
    desk: Desk,
    text: str,
    kind: DeviceKind | None = None,
    *,
    argument: str,
    zone: ZoneId | None = None,
) -> DeviceView:
    """Return the device that is meant; a zone's name means its only device of that kind."""
    by_id = await _by_id(desk, text)
    if by_id is not None and zone in {None, by_id.zone.id}:
        return _of_kind(by_id, kind)
    sought = Sought(
        text=text,
        argument=argument,
        noun="device" if kind is None else NOUNS[kind],
        code="unknown_device",
        drop=frozenset() if kind is None else _KIND_WORDS[kind],
    )
    things = [named_device(view) for view in await desk.lab.devices(kind=kind, zone=zone)]
    found = find(text, things, sought.drop)
    if not found and kind is not None:
        found = await _in_zone(desk, sought, kind)
    if len(found) == 1:
        return found[0].value
    if found:
        raise ambiguous(sought, found)
    await _refuse_other_kind(desk, text, kind)
    raise unknown(sought, things)


async def group(
    desk: Desk, text: str, kind: DeviceKind, *, argument: str = "target"
) -> Sequence[DeviceView]:
    """Return the device that is meant, or all devices of that kind in the zone that is meant."""
    by_id = await _by_id(desk, text)
    if by_id is not None:
        return [_of_kind(by_id, kind)]
    devices = await desk.lab.devices(kind=kind)
    zones = [named_zone(view) for view in await desk.lab.zones()]
    things: list[Named[DeviceView | ZoneView]] = [*map(named_device, devices), *zones]
    sought = Sought(
        text=text,
        argument=argument,
        noun=f"{NOUNS[kind]} or zone",
        code="unknown_device",
        drop=_KIND_WORDS[kind] | _ZONE_WORDS,
    )
    found = find(text, things, sought.drop)
    found_devices = [each.value for each in found if isinstance(each.value, DeviceView)]
    found_zones = [each.value for each in found if isinstance(each.value, ZoneView)]
    if len(found_devices) == 1:
        return found_devices
    if len(found_zones) == 1:
        return _all_in(found_zones[0], devices, kind)
    if found:
        raise ambiguous(sought, found)
    await _refuse_other_kind(desk, text, kind)
    raise unknown(sought, things)


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


async def _in_zone(desk: Desk, sought: Sought, kind: DeviceKind) -> list[Named[DeviceView]]:
    named = [named_zone(view) for view in await desk.lab.zones()]
    zones = find(sought.text, named, sought.drop | _ZONE_WORDS)
    if len(zones) != 1:
        return []
    place = zones[0].value.zone.id
    return [named_device(view) for view in await desk.lab.devices(kind=kind, zone=place)]


async def _refuse_other_kind(desk: Desk, text: str, kind: DeviceKind | None) -> None:
    if kind is None:
        return
    others = find(text, [named_device(view) for view in await desk.lab.devices()])
    if len(others) == 1:
        _of_kind(others[0].value, kind)


def _of_kind(view: DeviceView, kind: DeviceKind | None) -> DeviceView:
    if kind is None or view.device.kind is kind:
        return view
    is_a, wanted = NOUNS[view.device.kind], NOUNS[kind]
    raise ToolError("wrong_kind", f"{view.device.name} is a {is_a}, not a {wanted}. I did nothing.")
