"""Actions in words, for read-backs, approvals and the record.

The words say what would be done, never that it was.  They are made from the stored kind and
arguments alone, so that people read what will run.
"""

from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Any, Final

from safety.actions import Action
from tools.phrases import count, short, the

MAX_SHOWN_GCODE: Final = 200
"""Characters of G-code in a sentence; the signing page shows all of it."""

Arguments = Mapping[str, Any]
_Describe = Callable[[Arguments, str, str], str]
"""From arguments, the device's name and the name with its article."""


def describe(
    action_kind: str, arguments: Arguments, device_name: str, zone_name: str, job_name: str = ""
) -> str:
    """Return the action in words, for example `unlock the Welding bay door for 10 seconds`."""
    given = {**arguments, "job_name": job_name}
    plain = device_name or (f"a device in {the(zone_name)}" if zone_name else "a device")
    known = the(device_name) if device_name else plain
    words = _WORDS.get(action_kind)
    if words is not None:
        return words(given, plain, known)
    return f"{_unknown(action_kind)} on {plain}" if action_kind else _unknown(action_kind)


def describe_action(action: Action, device_name: str, zone_name: str) -> str:
    """Return an action that is at hand in words."""
    return describe(type(action).__name__, action.arguments, device_name, zone_name)


def _unknown(action_kind: str) -> str:
    return f"do {short(action_kind)!r}" if action_kind else "do something unknown"


def _job(given: Arguments) -> str:
    name = given.get("job_name") or PurePosixPath(str(given.get("gcode_path") or "")).name
    return short(str(name)) if name else "a job"


def _gcode(given: Arguments) -> str:
    code = str(given.get("gcode") or "").strip()
    lines = " / ".join(line.strip() for line in code.splitlines())
    if len(lines) <= MAX_SHOWN_GCODE:
        return f"`{lines}`"
    return f"`{lines[:MAX_SHOWN_GCODE]}` ... ({len(code)} characters in all)"


def _unlock(given: Arguments, _: str, known: str) -> str:
    seconds = given.get("seconds")
    how_long = f" for {count(seconds, 'second')}" if isinstance(seconds, int) else ""
    return f"unlock {known}{how_long}"


_WORDS: Final[Mapping[str, _Describe]] = {
    "SwitchLight": lambda given, _, known: f"turn {'on' if given.get('on') else 'off'} {known}",
    "SetScene": lambda given, _, known: f"set {known} to the scene {given.get('scene')}",
    "LockDoor": lambda _, __, known: f"lock {known}",
    "UnlockDoor": _unlock,
    "CutPower": lambda _, __, known: f"cut the power of {known}",
    "EnablePower": lambda _, __, known: f"give power to {known}",
    "StartPrint": lambda given, plain, _: f"print {_job(given)} on {plain}",
    "PausePrint": lambda _, plain, __: f"pause the print on {plain}",
    "ResumePrint": lambda _, plain, __: f"resume the print on {plain}",
    "AbortPrint": lambda _, plain, __: f"abort the print on {plain}",
    "SetTemperature": lambda given, plain, _: (
        f"heat the {given.get('part')} of {plain} to {given.get('celsius')} °C"
    ),
    "SendGcode": lambda given, plain, _: f"send {_gcode(given)} to {plain}",
}
