"""What the board shows of zones and devices, as JSON values.  Pure."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from safety.entities import DeviceId, DeviceKind, OnlineState
from tools.desk import DeviceView, ZoneView

PictureAt = Callable[[DeviceId], datetime | None]
"""Returns when a camera's newest picture was taken."""

_ICONS: Final[Mapping[DeviceKind, str]] = {
    DeviceKind.PRINTER: "print",
    DeviceKind.CAMERA: "videocam",
    DeviceKind.LIGHT: "lightbulb",
    DeviceKind.DOOR: "door_front",
    DeviceKind.POWER: "power",
    DeviceKind.SENSOR: "sensors",
}
_ORDER: Final = (
    DeviceKind.CAMERA,
    DeviceKind.PRINTER,
    DeviceKind.DOOR,
    DeviceKind.POWER,
    DeviceKind.LIGHT,
    DeviceKind.SENSOR,
)
_PRINTER_TONES: Final[Mapping[str, str]] = {
    "printing": "active",
    "paused": "warn",
    "error": "bad",
    "complete": "good",
}
SLIGHT: Final = timedelta(seconds=30)
"""A print's end that moves by less is not worth a message."""


def moment(iso: str) -> datetime:
    """Return the moment of an ISO 8601 text."""
    return datetime.fromisoformat(iso)


def zone_json(
    zone: ZoneView, devices: Sequence[DeviceView], picture_at: PictureAt, now: datetime
) -> dict[str, Any]:
    """Return a zone with its tiles."""
    return {
        "id": str(zone.zone.id),
        "name": zone.zone.name,
        "hazard": zone.zone.hazard_level.value,
        "ppe": zone.zone.requires_ppe,
        "tiles": [
            tile_json(each, picture_at, now)
            for each in sorted(devices, key=_place)
            if each.zone.id == zone.zone.id
        ],
    }


def tile_json(view: DeviceView, picture_at: PictureAt, now: datetime) -> dict[str, Any]:
    """Return a device's tile: name, state in words, numbers with units, what a tap does."""
    device = view.device
    tile: dict[str, Any] = {
        "id": str(device.id),
        "kind": device.kind.value,
        "name": device.name,
        "icon": _ICONS[device.kind],
        "word": "Online",
        "tone": "idle",
        "since": None,
        "on": None,
        "tap": False,
        "safe": None,
        "progress": None,
        "ends_at": None,
        "lines": [],
        "picture": _picture(view, picture_at),
    }
    tile |= _READERS[device.kind](view.state, now)
    if tile["safe"] and not _understands(view, tile["safe_intent"]):
        tile["safe"] = None
    tile.pop("safe_intent", None)
    return tile | _trouble(view)


def _place(view: DeviceView) -> tuple[int, str]:
    """Order a zone's tiles: the picture first, then what people look for and touch."""
    return (_ORDER.index(view.device.kind), view.device.name)


def toggle_sentence(view: DeviceView) -> str:
    """Return what to say to switch a light over: on unless it is known to be on."""
    return f"Turn {'off' if view.state.get('on') is True else 'on'} the {view.device.name}"


def safe_sentence(view: DeviceView) -> str | None:
    """Return what to say to make a device safer; None if there is nothing to make safe."""
    name = view.device.name
    match view.device.kind:
        case DeviceKind.DOOR:
            return f"Lock the {name}"
        case DeviceKind.POWER:
            return f"Cut the power of the {name}"
        case DeviceKind.PRINTER:
            return f"Pause the print on {name}"
        case _:
            return None


def _understands(view: DeviceView, intent: str) -> bool:
    return intent in view.device.intents


def _picture(view: DeviceView, picture_at: PictureAt) -> str | None:
    if view.device.kind is not DeviceKind.CAMERA:
        return None
    taken = picture_at(view.device.id)
    if taken is None:
        return None
    return f"/api/devices/{view.device.id}/snapshot?at={int(taken.timestamp() * 1000)}"


def _trouble(view: DeviceView) -> dict[str, Any]:
    """Say why a device cannot be used; nothing it last reported counts as its state then."""
    seen = view.device.last_seen
    since = None if seen is None else seen.isoformat()
    quiet = {"safe": None, "progress": None, "ends_at": None, "since": since}
    if view.device.online_state is OnlineState.OFFLINE:
        return quiet | {"word": "Offline", "tone": "offline", "on": None, "tap": False, "lines": []}
    if view.device.online_state is OnlineState.FAULT or view.fault:
        lines = [view.fault] if view.fault else []
        return quiet | {"word": "Fault", "tone": "bad", "lines": lines}
    return {}


def _light(state: Mapping[str, Any], _now: datetime) -> dict[str, Any]:
    on = state.get("on")
    scene = state.get("scene")
    return {
        "word": "Not known" if on is None else "On" if on else "Off",
        "tone": "lit" if on else "idle",
        "on": on,
        "tap": True,
        "lines": [f"Scene: {scene}"] if on and scene else [],
    }


def _door(state: Mapping[str, Any], _now: datetime) -> dict[str, Any]:
    is_open, locked = state.get("open"), state.get("locked")
    if locked is None:
        return {"word": "Not known"}
    words = ("Open" if is_open else "Closed", "locked" if locked else "unlocked")
    return {
        "word": ", ".join(words),
        "icon": "meeting_room" if is_open else "lock" if locked else "lock_open",
        "tone": "good" if locked and not is_open else "warn",
        "safe": None if locked else "Lock",
        "safe_intent": "lock",
    }


def _power(state: Mapping[str, Any], _now: datetime) -> dict[str, Any]:
    on = state.get("on")
    return {
        "word": "Not known" if on is None else "Power on" if on else "Power off",
        "icon": "power" if on else "power_off",
        "tone": "warn" if on else "idle",
        "safe": "Cut power" if on else None,
        "safe_intent": "cut_power",
    }


def _printer(state: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    status = str(state.get("status", "not known"))
    running = status in {"printing", "paused"}
    eta = _number(state.get("eta_seconds"))
    ends_at = None if eta is None or status != "printing" else now + timedelta(seconds=eta)
    file = str(state.get("file") or "")
    return {
        "word": status.capitalize(),
        "tone": _PRINTER_TONES.get(status, "idle"),
        "progress": min(1.0, max(0.0, _number(state.get("progress")) or 0.0)) if running else None,
        "ends_at": None if ends_at is None else ends_at.isoformat(),
        "lines": [
            *([file.rsplit("/", 1)[-1]] if running and file else []),
            *_heat(state),
            *([str(state["error"])] if state.get("error") else []),
        ],
        "safe": "Pause" if status == "printing" else None,
        "safe_intent": "pause_print",
    }


def _heat(state: Mapping[str, Any]) -> list[str]:
    parts = [_part_heat(part, state) for part in ("nozzle", "bed")]
    words = ", ".join(part for part in parts if part)
    return [words[:1].upper() + words[1:]] if words else []


def _part_heat(part: str, state: Mapping[str, Any]) -> str:
    actual, target = _number(state.get(f"{part}_c")), _number(state.get(f"{part}_target_c"))
    if actual is None:
        return ""
    return f"{part} {actual:.0f}{f' of {target:.0f}' if target else ''} °C"


def _camera(state: Mapping[str, Any], _now: datetime) -> dict[str, Any]:
    return {"word": "Recording" if state.get("recording") else "Watching"}


def _sensor(state: Mapping[str, Any], _now: datetime) -> dict[str, Any]:
    celsius, smoke = _number(state.get("temperature_c")), state.get("smoke")
    words = [] if celsius is None else [f"{celsius:.1f} °C"]
    if smoke is not None:
        words.append("SMOKE" if smoke else "no smoke")
    return {
        "word": ", ".join(words) or "Not known",
        "icon": "local_fire_department" if smoke else "thermostat",
        "tone": "bad" if smoke else "idle",
    }


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


_READERS: Final[Mapping[DeviceKind, Callable[[Mapping[str, Any], datetime], dict[str, Any]]]] = {
    DeviceKind.LIGHT: _light,
    DeviceKind.DOOR: _door,
    DeviceKind.POWER: _power,
    DeviceKind.PRINTER: _printer,
    DeviceKind.CAMERA: _camera,
    DeviceKind.SENSOR: _sensor,
}
