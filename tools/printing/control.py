"""What a printer can be told besides starting and stopping; people have to sign for all of it."""

from safety.actions import HeatedPart, ResumePrint, SendGcode, SetTemperature
from safety.entities import DeviceKind
from tools import resolve
from tools.desk import Desk, DeviceView
from tools.fields import Celsius, Entity, Gcode
from tools.matching import MAX_CHOICES, choices
from tools.phrases import either
from tools.printing.fleet import Activity, activity, printers
from tools.spec import ToolError, tool
from tools.views import status_sentence

FAMILY = "printing"


@tool(FAMILY)
async def resume_print(desk: Desk, printer: Entity | None = None) -> ResumePrint:
    """Ask for a paused print to go on; the only paused one if none is named."""
    view = await _paused(desk, printer)
    return ResumePrint(device=view.device.id, zone=view.zone.id)


@tool(FAMILY)
async def set_temperature(
    desk: Desk, printer: Entity, part: HeatedPart, celsius: Celsius
) -> SetTemperature:
    """Ask for a printer's nozzle or bed to be heated to a temperature in °C."""
    view = await resolve.device(desk, printer, DeviceKind.PRINTER, argument="printer")
    return SetTemperature(device=view.device.id, zone=view.zone.id, part=part, celsius=celsius)


@tool(FAMILY)
async def send_gcode(desk: Desk, printer: Entity, gcode: Gcode) -> SendGcode:
    """Ask for raw G-code to be sent to a printer, exactly as given."""
    view = await resolve.device(desk, printer, DeviceKind.PRINTER, argument="printer")
    return SendGcode(device=view.device.id, zone=view.zone.id, gcode=gcode)


async def _paused(desk: Desk, printer: str | None) -> DeviceView:
    if printer is not None:
        view = await resolve.device(desk, printer, DeviceKind.PRINTER, argument="printer")
        if activity(view) is Activity.PAUSED:
            return view
        raise ToolError("not_paused", f"Nothing to resume. {status_sentence(view, desk.now)}")
    paused = [view for view in await printers(desk) if activity(view) is Activity.PAUSED]
    if len(paused) == 1:
        return paused[0]
    if not paused:
        raise ToolError("nothing_paused", "No printer says that it is paused.")
    names = [view.device.name for view in paused[:MAX_CHOICES]]
    raise ToolError(
        "ambiguous",
        f"{either(names, 'and')} are paused. Which one shall go on?",
        choices=choices([resolve.named_device(view) for view in paused]),
        argument="printer",
    )


CONTROL = (resume_print, set_temperature, send_gcode)
