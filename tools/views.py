"""Devices in words and as JSON values.  Nothing is said that the device did not report."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from safety.entities import DeviceKind, OnlineState, Zone
from tools.desk import DeviceView
from tools.phrases import clock, number, percent, sentence, short, span, the

FRESH: Final = timedelta(minutes=2)
"""A state older than this is told with the time it was reported."""

State = Mapping[str, Any]


def subject(view: DeviceView) -> str:
    """Return the device's name as the start of a sentence."""
    return sentence(the(view.device.name, view.device.kind))


def verb(view: DeviceView) -> str:
    """Return `reads` for a sensor, else `is` or `are`."""
    if view.device.kind is DeviceKind.SENSOR:
        return "reads"
    return "are" if view.device.name.lower().endswith(("lights", "lamps", "doors")) else "is"


def is_or_are(view: DeviceView) -> str:
    """Return the verb for being somewhere or offline."""
    return "are" if verb(view) == "are" else "is"


def status_sentence(view: DeviceView, now: datetime) -> str:
    """Return one or two sentences: how the device is and how old that knowledge is."""
    start, reported = subject(view), predicate(view)
    if view.device.online_state is OnlineState.OFFLINE:
        return f"{start} {is_or_are(view)} offline{_since(view, now)}.{_last(view, reported, now)}"
    if not reported:
        said = f"{start} {is_or_are(view)} online and has not reported more yet."
    elif is_stale(view, now) and view.state_at is not None:
        said = f"{start} {verb(view)} {reported}, as last reported at {clock(view.state_at, now)}."
    else:
        said = f"{start} {verb(view)} {reported}."
    return said + _fault(view)


def brief(view: DeviceView, now: datetime) -> str:
    """Return one line of a list: name, zone and state."""
    if view.device.online_state is OnlineState.OFFLINE:
        state = f"offline{_since(view, now)}"
    else:
        state = predicate(view) or "online"
    fault = f", fault: {short(view.fault)}" if view.fault else ""
    return f"{view.device.name} ({view.zone.name}): {state}{fault}"


def predicate(view: DeviceView) -> str:
    """Return what the device last reported, in words; empty if nothing."""
    return _PREDICATES[view.device.kind](view.state)


def device_data(view: DeviceView) -> dict[str, Any]:
    """Return the device as JSON values."""
    device = view.device
    return {
        "id": str(device.id),
        "external_id": device.external_id,
        "name": device.name,
        "kind": device.kind.value,
        "zone": zone_data(view.zone),
        "online_state": device.online_state.value,
        "last_seen": iso(device.last_seen),
        "state": dict(view.state),
        "state_at": iso(view.state_at),
        "fault": view.fault,
    }


def zone_data(zone: Zone) -> dict[str, Any]:
    """Return the zone as JSON values."""
    return {"id": str(zone.id), "slug": zone.slug, "name": zone.name}


def iso(moment: datetime | None) -> str | None:
    """Return a moment as ISO 8601 text."""
    return None if moment is None else moment.isoformat()


def is_stale(view: DeviceView, now: datetime) -> bool:
    """Tell whether what the device reported is too old to be told as the present."""
    return view.state_at is not None and now - view.state_at > FRESH


def _since(view: DeviceView, now: datetime) -> str:
    seen = view.device.last_seen
    return "" if seen is None else f" since {clock(seen, now)}"


def _last(view: DeviceView, reported: str, now: datetime) -> str:
    if not reported:
        return " I do not know its state."
    when = "" if view.state_at is None else f" at {clock(view.state_at, now)}"
    return f" Last reported{when}: {reported}."


def _fault(view: DeviceView) -> str:
    if view.fault:
        return f" It reports a fault: {short(view.fault, 200)}."
    if view.device.online_state is OnlineState.FAULT:
        return " It reports a fault."
    return ""


def _light(state: State) -> str:
    on = state.get("on")
    if not isinstance(on, bool):
        return ""
    scene = state.get("scene")
    return "off" if not on else f"on, scene {short(scene)}" if isinstance(scene, str) else "on"


def _door(state: State) -> str:
    locked, is_open = state.get("locked"), state.get("open")
    words = []
    if isinstance(locked, bool):
        words.append("locked" if locked else "unlocked")
    # A locked door that stands open is the one that somebody must walk to.
    if is_open is True or (is_open is False and locked is False):
        words.append("open" if is_open else "closed")
    return " and ".join(words)


def _power(state: State) -> str:
    on = state.get("on")
    return ("on" if on else "off") if isinstance(on, bool) else ""


def _camera(state: State) -> str:
    recording = state.get("recording")
    return ("recording" if recording else "not recording") if isinstance(recording, bool) else ""


def _sensor(state: State) -> str:
    celsius, smoke = number(state.get("temperature_c")), state.get("smoke")
    words = [] if celsius is None else [f"{celsius:.1f} °C"]
    if isinstance(smoke, bool):
        words.append("smoke" if smoke else "no smoke")
    return " and ".join(words)


def _printer(state: State) -> str:
    status = state.get("status")
    if not isinstance(status, str):
        return ""
    words = [_PRINTER_WORDS.get(status, short(status))]
    if status in {"printing", "paused"}:
        words += progress_words(state)
    if status == "error" and isinstance(state.get("error"), str):
        words[0] += f" ({short(state['error'])})"
    return ", ".join([*words, *_heat(state)])


_PRINTER_WORDS: Final = {"complete": "done with its print", "error": "stopped by an error"}


def progress_words(state: State) -> list[str]:
    """Return how far a print is and how long it still takes, as far as the printer says."""
    progress, left = number(state.get("progress")), number(state.get("eta_seconds"))
    words = [] if progress is None else [percent(progress)]
    if left is not None and state.get("status") == "printing":
        words.append(f"about {span(left)} left")
    return words


def _heat(state: State) -> list[str]:
    words = []
    for part in ("nozzle", "bed"):
        celsius, target = number(state.get(f"{part}_c")), number(state.get(f"{part}_target_c"))
        if celsius is not None and (target or celsius > _WARM_C):
            goal = f" of {target:g}" if target else ""
            words.append(f"{part} {celsius:.0f}{goal} °C")
    return words


_WARM_C: Final = 40
"""A part below this is not worth a word unless it is being heated."""

_PREDICATES: Final[Mapping[DeviceKind, Callable[[State], str]]] = {
    DeviceKind.LIGHT: _light,
    DeviceKind.DOOR: _door,
    DeviceKind.POWER: _power,
    DeviceKind.PRINTER: _printer,
    DeviceKind.CAMERA: _camera,
    DeviceKind.SENSOR: _sensor,
}
