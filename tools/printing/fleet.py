"""What the printers are doing, as far as they have said."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

from safety.entities import DeviceKind, OnlineState
from tools.desk import Desk, DeviceView
from tools.phrases import number


class Activity(StrEnum):
    """What a printer is doing."""

    PRINTING = "printing"
    PAUSED = "paused"
    RESTING = "resting"
    UNKNOWN = "unknown"
    """It has not said, so it may be printing."""


_ACTIVITIES: Final[Mapping[object, Activity]] = {
    "printing": Activity.PRINTING,
    "paused": Activity.PAUSED,
    "idle": Activity.RESTING,
    "complete": Activity.RESTING,
    "error": Activity.RESTING,
}
RUNNING: Final = frozenset({Activity.PRINTING, Activity.PAUSED})


def activity(view: DeviceView) -> Activity:
    """Return what the printer last said it was doing; resting counts only while it is online."""
    status = view.state.get("status")
    said = _ACTIVITIES.get(status, Activity.UNKNOWN) if isinstance(status, str) else None
    if said is Activity.RESTING and view.device.online_state is OnlineState.OFFLINE:
        return Activity.UNKNOWN
    return said or Activity.UNKNOWN


def may_need_stopping(view: DeviceView) -> bool:
    """Tell whether an emergency stop must reach the printer: it runs, heats, or has not said."""
    doing = activity(view)
    if doing in RUNNING:
        return True
    can_be_told = "abort_print" in view.device.intents
    heating = any(number(view.state.get(f"{part}_target_c")) for part in ("nozzle", "bed"))
    return can_be_told and (doing is Activity.UNKNOWN or heating)


def may_have_power(view: DeviceView) -> bool:
    """Tell whether a power switch may be on: anything but off, said by one that is online."""
    online = view.device.online_state is not OnlineState.OFFLINE
    return not (online and view.state.get("on") is False)


async def printers(desk: Desk) -> Sequence[DeviceView]:
    """Return all printers, and the other machines that are told like printers."""
    return await desk.lab.devices(kind=DeviceKind.PRINTER)
