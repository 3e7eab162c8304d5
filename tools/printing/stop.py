"""Pausing, aborting and stopping.  Asked for plainly, these are sent whatever the state says."""

from collections.abc import Sequence

from safety.actions import AbortPrint, CutPower, PausePrint
from safety.entities import DeviceKind, ZoneId
from tools import resolve
from tools.desk import Desk, DeviceView
from tools.fields import Entity
from tools.matching import MAX_CHOICES, choices
from tools.phrases import either, the
from tools.printing.fleet import (
    RUNNING,
    Activity,
    activity,
    may_have_power,
    may_need_stopping,
    printers,
)
from tools.spec import Answer, ToolError, tool

FAMILY = "printing"


@tool(FAMILY)
async def pause_print(desk: Desk, printer: Entity | None = None) -> PausePrint:
    """Pause a print, at once; the only running one if none is named."""
    view = await _meant(desk, printer, frozenset({Activity.PRINTING}), "pause")
    return PausePrint(device=view.device.id, zone=view.zone.id)


@tool(FAMILY)
async def abort_print(desk: Desk, printer: Entity | None = None) -> AbortPrint:
    """Abort a print and switch its heaters off, at once; the only one if none is named."""
    view = await _meant(desk, printer, RUNNING, "abort")
    return AbortPrint(device=view.device.id, zone=view.zone.id)


@tool(FAMILY)
async def stop_everything(
    desk: Desk, zone: Entity | None = None
) -> Answer | Sequence[AbortPrint | CutPower]:
    """Stop at once: abort every print and cut every power; in one zone or everywhere.

    Whatever has not said that it is at rest counts as running.  A zone that is not known,
    or could be several, is no reason to wait: all that may be meant is stopped.
    """
    zones = None if zone is None else await _zones(desk, zone)
    machines = [
        view
        for kind in (DeviceKind.PRINTER, DeviceKind.POWER)
        for view in await desk.lab.devices(kind=kind)
        if zones is None or view.zone.id in zones
    ]
    prints = [view for view in machines if view.device.kind is DeviceKind.PRINTER]
    powers = [view for view in machines if view.device.kind is DeviceKind.POWER]
    running = [view for view in prints if may_need_stopping(view)]
    live = [view for view in powers if may_have_power(view)]
    if not running and not live:
        # Everything says it is off; cutting again is harmless, trusting that might not be.
        live = powers
    aborts = [AbortPrint(device=view.device.id, zone=view.zone.id) for view in running]
    cuts = [CutPower(device=view.device.id, zone=view.zone.id) for view in live]
    if not aborts and not cuts:
        return Answer(
            text="Nothing is running there that I could stop. Say 'stop everything' to stop all."
            if zones
            else "Nothing is running that I could stop. Use the emergency stop on the machine."
        )
    return [*aborts, *cuts]


async def _zones(desk: Desk, text: str) -> frozenset[ZoneId] | None:
    """Return every zone that may be meant; None for everywhere."""
    found = resolve.find_zones(text, await desk.lab.zones())
    return frozenset(each.zone.id for each in found) or None


async def _meant(
    desk: Desk, printer: str | None, wanted: frozenset[Activity], what: str
) -> DeviceView:
    if printer is not None:
        return await resolve.device(desk, printer, DeviceKind.PRINTER, argument="printer")
    views = await printers(desk)
    running = [view for view in views if activity(view) in wanted]
    if len(running) == 1:
        return running[0]
    named = [resolve.named_device(view) for view in running]
    if running:
        names = [f"{view.device.name} in {the(view.zone.name)}" for view in running]
        raise ToolError(
            "ambiguous",
            f"{either(names[:MAX_CHOICES], 'and')} are running. Which one shall I {what}?",
            choices=choices(named),
            argument="printer",
        )
    silent = [view for view in views if activity(view) is Activity.UNKNOWN]
    message = "No printer says that it is printing."
    if silent:
        names = [view.device.name for view in silent[:MAX_CHOICES]]
        message += (
            f" I do not know about {either(names, 'and')}: name the printer and I {what} it anyway."
        )
    raise ToolError(
        "nothing_printing",
        message,
        choices=choices([resolve.named_device(view) for view in silent]),
        argument="printer",
    )


STOP = (pause_print, abort_print, stop_everything)
