"""Everything KITTY can do to the world, as values.

A tool proposes an action by returning one.  Nothing happens until the gate has
turned it into a `Permit` and a driver has been handed that permit.  `hazard` is
HIGH unless a subclass lowers it: a new kind of action is dangerous until someone
says otherwise.  Making safe (stop, pause, lock, cut power) is NONE and never waits.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, ClassVar, Final
from uuid import UUID

from safety.entities import DeviceId, DeviceKind, Hazard, JobId, SafetyEventType, ZoneId

NOZZLE_RANGE_C: Final = (0, 350)
"""Celsius a nozzle may be told at all (the origin's slicer range); a device may set less."""
BED_RANGE_C: Final = (0, 120)
"""Celsius a bed may be told at all (origin's slicer range); a device may set less."""
MAX_GCODE: Final = 2_000
"""Characters of raw G-code in one action: what a person can still read before signing."""
MAX_SCENE: Final = 200
"""Characters in the name of a scene."""
MAX_UNLOCK_SECONDS: Final = 60
"""A door is never left open by KITTY longer than this."""

# What a signer reads must be what is sent: nothing invisible, nothing that moves a cursor.
_GCODE: Final = re.compile(r"[\x20-\x7e\n\t]+")
_PATH: Final = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff/][^\x00-\x1f\x7f\ud800-\udfff]{0,1023}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


class InvalidActionError(ValueError):
    """The arguments of an action are outside what any device may be told."""


class HeatedPart(StrEnum):
    """What of a printer gets hot."""

    NOZZLE = "nozzle"
    BED = "bed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One effect on one device."""

    hazard: ClassVar[Hazard] = Hazard.HIGH
    intent: ClassVar[str] = ""
    """The word on the wire and in the device's capabilities."""
    event_type: ClassVar[SafetyEventType] = SafetyEventType.HAZARD_REQUEST
    device_kinds: ClassVar[frozenset[DeviceKind]] = frozenset()
    makes_safe: ClassVar[bool] = False
    """Sent even to a device that seems offline: trying costs nothing, waiting might."""

    device: DeviceId
    zone: ZoneId

    @property
    def arguments(self) -> dict[str, Any]:
        """What is sent beside the intent: JSON values only, no device, no zone."""
        return {
            f.name: _plain(getattr(self, f.name))
            for f in fields(self)
            if f.name not in {"device", "zone"}
        }

    def beyond(self, capabilities: Mapping[str, Any]) -> str | None:  # noqa: ARG002
        """Say what of this is beyond a device with these capabilities; None if nothing is."""
        return None


def _plain(value: object) -> Any:
    if value is None or isinstance(value, bool | int | str):
        return value.value if isinstance(value, StrEnum) else value
    return str(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchLight(Action):
    """Turn a light on or off."""

    hazard: ClassVar[Hazard] = Hazard.NONE
    intent: ClassVar[str] = "switch"
    device_kinds: ClassVar[frozenset[DeviceKind]] = frozenset({DeviceKind.LIGHT})

    on: bool

    def __post_init__(self) -> None:
        if type(self.on) is not bool:
            raise InvalidActionError(f"on must be true or false, not {self.on!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SetScene(Action):
    """Put the lights of a place into a named scene."""

    hazard: ClassVar[Hazard] = Hazard.LOW
    intent: ClassVar[str] = "set_scene"
    device_kinds: ClassVar[frozenset[DeviceKind]] = frozenset({DeviceKind.LIGHT})

    scene: str

    def __post_init__(self) -> None:
        if not self.scene.isprintable() or not 1 <= len(self.scene) <= MAX_SCENE:
            raise InvalidActionError(f"scene must be a name of 1 to {MAX_SCENE} characters")

    def beyond(self, capabilities: Mapping[str, Any]) -> str | None:
        """Refuse a scene the light does not have."""
        scenes = [str(each) for each in capabilities.get("scenes", ())]
        if self.scene in scenes:
            return None
        return f"there is no scene {self.scene!r}; it has {', '.join(scenes) or 'none'}."


@dataclass(frozen=True, slots=True, kw_only=True)
class LockDoor(Action):
    """Lock a door; making safe."""

    hazard: ClassVar[Hazard] = Hazard.NONE
    intent: ClassVar[str] = "lock"
    device_kinds: ClassVar[frozenset[DeviceKind]] = frozenset({DeviceKind.DOOR})
    makes_safe: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class UnlockDoor(Action):
    """Unlock a door for some seconds."""

    intent: ClassVar[str] = "unlock"
    event_type: ClassVar[SafetyEventType] = SafetyEventType.UNLOCK
    device_kinds: ClassVar[frozenset[DeviceKind]] = frozenset({DeviceKind.DOOR})

    seconds: int = 10

    def __post_init__(self) -> None:
        _within("seconds", self.seconds, 1, MAX_UNLOCK_SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class CutPower(Action):
    """Cut the power of a machine; making safe."""

    hazard: ClassVar[Hazard] = Hazard.NONE
    intent: ClassVar[str] = "cut_power"
    device_kinds: ClassVar[frozenset[DeviceKind]] = frozenset({DeviceKind.POWER})
    makes_safe: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class EnablePower(Action):
    """Give power to a machine."""

    intent: ClassVar[str] = "enable_power"
    event_type: ClassVar[SafetyEventType] = SafetyEventType.POWER_ENABLE
    device_kinds: ClassVar[frozenset[DeviceKind]] = frozenset({DeviceKind.POWER})


@dataclass(frozen=True, slots=True, kw_only=True)
class StartPrint(Action):
    """Heat up a printer and print a prepared job."""

    hazard: ClassVar[Hazard] = Hazard.MEDIUM
    intent: ClassVar[str] = "start_print"
    device_kinds: ClassVar[frozenset[DeviceKind]] = frozenset({DeviceKind.PRINTER})

    job: JobId
    gcode_path: str
    """Key of the G-code in the artifact store."""
    gcode_sha256: str
    """Hash of that file, lower-case hex; what was approved is what is printed."""

    def __post_init__(self) -> None:
        if not _SHA256.fullmatch(self.gcode_sha256):
            raise InvalidActionError("gcode_sha256 must be 64 lower-case hexadecimal digits")
        if not _PATH.fullmatch(self.gcode_path) or ".." in self.gcode_path.split("/"):
            raise InvalidActionError(f"{self.gcode_path!r} is not a key of the artifact store")


@dataclass(frozen=True, slots=True, kw_only=True)
class PausePrint(Action):
    """Pause a print; making safe."""

    hazard: ClassVar[Hazard] = Hazard.NONE
    intent: ClassVar[str] = "pause_print"
    device_kinds: ClassVar[frozenset[DeviceKind]] = frozenset({DeviceKind.PRINTER})
    makes_safe: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumePrint(Action):
    """Go on with a paused print."""

    hazard: ClassVar[Hazard] = Hazard.MEDIUM
    intent: ClassVar[str] = "resume_print"
    device_kinds: ClassVar[frozenset[DeviceKind]] = frozenset({DeviceKind.PRINTER})


@dataclass(frozen=True, slots=True, kw_only=True)
class AbortPrint(Action):
    """Abort a print and switch the heaters off; making safe."""

    hazard: ClassVar[Hazard] = Hazard.NONE
    intent: ClassVar[str] = "abort_print"
    device_kinds: ClassVar[frozenset[DeviceKind]] = frozenset({DeviceKind.PRINTER})
    makes_safe: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SetTemperature(Action):
    """Heat a part of a printer to a temperature."""

    intent: ClassVar[str] = "set_temperature"
    device_kinds: ClassVar[frozenset[DeviceKind]] = frozenset({DeviceKind.PRINTER})

    part: HeatedPart
    celsius: int

    def __post_init__(self) -> None:
        if not isinstance(self.part, HeatedPart):
            raise InvalidActionError(f"part must be a heated part, not {self.part!r}")
        low, high = NOZZLE_RANGE_C if self.part is HeatedPart.NOZZLE else BED_RANGE_C
        _within("celsius", self.celsius, low, high)

    def beyond(self, capabilities: Mapping[str, Any]) -> str | None:
        """Refuse a temperature above what this printer's maker allows."""
        limit = capabilities.get(f"{self.part.value}_max_c")
        if isinstance(limit, int | float) and self.celsius <= limit:
            return None
        if limit is None:
            return f"it has no {self.part.value} that can be heated."
        return f"its {self.part.value} goes up to {limit:g} °C, not {self.celsius} °C."


@dataclass(frozen=True, slots=True, kw_only=True)
class SendGcode(Action):
    """Send raw G-code to a printer."""

    intent: ClassVar[str] = "send_gcode"
    device_kinds: ClassVar[frozenset[DeviceKind]] = frozenset({DeviceKind.PRINTER})

    gcode: str

    def __post_init__(self) -> None:
        _within("length of gcode", len(self.gcode), 1, MAX_GCODE)
        if not _GCODE.fullmatch(self.gcode) or not self.gcode.strip():
            raise InvalidActionError("gcode must be plain ASCII text, one command a line")


def _within(name: str, value: int, low: int, high: int) -> None:
    # Exactly int: true is not one second, and 10.5 would not survive the ledger.
    if type(value) is not int:
        raise InvalidActionError(f"{name} must be a whole number, not {value!r}")
    if not low <= value <= high:
        raise InvalidActionError(f"{name} must be from {low} to {high}, not {value}")


KINDS: Final[tuple[type[Action], ...]] = (
    SwitchLight,
    SetScene,
    LockDoor,
    UnlockDoor,
    CutPower,
    EnablePower,
    StartPrint,
    PausePrint,
    ResumePrint,
    AbortPrint,
    SetTemperature,
    SendGcode,
)
"""Every kind of action there is; the gate refuses any other."""


def revive(kind: str, device: DeviceId, zone: ZoneId, arguments: Mapping[str, Any]) -> Action:
    """Rebuild a stored action from its kind and `arguments`.

    Raises InvalidActionError when the stored values are not an action: nothing runs then.
    """
    found = next((each for each in KINDS if each.__name__ == kind), None)
    if found is None:
        raise InvalidActionError(f"there is no action of kind {kind!r}")
    given = dict(arguments)
    try:
        if "job" in given:
            given["job"] = JobId(UUID(str(given["job"])))
        if "part" in given:
            given["part"] = HeatedPart(given["part"])
        return found(device=device, zone=zone, **given)
    except (AttributeError, TypeError, ValueError) as error:
        raise InvalidActionError(f"stored arguments of {kind} do not fit: {error}") from None
