"""Starting a print that has been prepared."""

from collections.abc import Sequence

from safety.actions import StartPrint
from safety.entities import DeviceKind, OnlineState
from tools import resolve
from tools.desk import Desk, DeviceView, PrintJob
from tools.fields import Entity
from tools.matching import Named, Sought, ambiguous, choices, find, unknown
from tools.phrases import either, short
from tools.printing.fleet import Activity, activity, printers
from tools.printing.look import job_words
from tools.spec import Tool, ToolError, tool
from tools.views import predicate

FAMILY = "printing"
_MANY = 500
_JOB_WORDS = frozenset({"job", "print", "file", "part"})


@tool(FAMILY)
async def start_print(desk: Desk, job: Entity, printer: Entity | None = None) -> StartPrint:
    """Ask for a prepared job to be printed; people have to sign for it."""
    ready = await _ready_job(desk, job)
    view = await _printer_for(desk, ready, printer)
    _check(view, ready)
    return StartPrint(
        device=view.device.id,
        zone=view.zone.id,
        job=ready.id,
        gcode_path=ready.gcode_path,
        gcode_sha256=ready.gcode_sha256,
    )


async def _ready_job(desk: Desk, text: str) -> PrintJob:
    ready = [_named(job) for job in await desk.printing.jobs(status="preparing", limit=_MANY)]
    sought = Sought(
        text=text, argument="job", noun="job ready to print", code="unknown_job", drop=_JOB_WORDS
    )
    found = find(text, ready, sought.drop)
    if not found:
        started = find(text, [_named(job) for job in await desk.printing.jobs()], sought.drop)
        if started:
            job = started[0].value
            raise ToolError(
                "job_not_ready",
                f"{job.name} is {job.status} already. Prepare it again to print it again.",
            )
        raise unknown(sought, ready)
    if len(found) > 1:
        raise ambiguous(sought, found)
    job = found[0].value
    if not job.gcode_sha256:
        raise ToolError(
            "job_incomplete",
            f"{job.name} has no checksum of its G-code, so nobody could sign for it."
            " Prepare it again.",
        )
    return job


def _named(job: PrintJob) -> Named[PrintJob]:
    return Named(id=str(job.id), names=(job.name,), label=job_words(job), value=job)


async def _printer_for(desk: Desk, job: PrintJob, printer: str | None) -> DeviceView:
    if printer is not None:
        view = await resolve.device(desk, printer, DeviceKind.PRINTER, argument="printer")
        _check_technology(view, job)
        if not _made_for(view, job):
            raise ToolError(
                "wrong_printer",
                f"{job.name} was prepared for another printer than {view.device.name}."
                " Prepare it again for that one.",
            )
        return view
    views = await printers(desk)
    if job.device is not None:
        for view in views:
            if view.device.id == job.device:
                return view
        raise ToolError("unknown_device", f"The printer of {job.name} is gone. Prepare it again.")
    return _only_suitable(job, views)


def _only_suitable(job: PrintJob, views: Sequence[DeviceView]) -> DeviceView:
    able = [view for view in views if _suits(view, job)]
    free = [view for view in able if _obstacle(view) is None]
    if len(free) == 1:
        return free[0]
    if free:
        named = [resolve.named_device(view) for view in free]
        raise ToolError(
            "which_printer",
            f"{either([view.device.name for view in free], 'and')} are free."
            f" On which one shall {job.name} be printed?",
            choices=choices(named),
            argument="printer",
        )
    why = "; ".join(f"{view.device.name} {_obstacle(view)}" for view in able)
    raise ToolError(
        "no_printer",
        f"No printer is free for {job.name}: {why}."
        if why
        else f"There is no printer for {short(job.technology)} jobs such as {job.name}.",
    )


def _suits(view: DeviceView, job: PrintJob) -> bool:
    able = "start_print" in view.device.intents and job.technology in _technologies(view)
    return able and _made_for(view, job)


def _made_for(view: DeviceView, job: PrintJob) -> bool:
    """Tell whether the file was prepared for this printer, as far as the job says."""
    if job.device is not None:
        return job.device == view.device.id
    return not job.printers or view.device.external_id in job.printers


def _technologies(view: DeviceView) -> tuple[str, ...]:
    """Return what the machine can do; a printer that does not say melts plastic."""
    told = view.device.capabilities.get("technologies")
    if isinstance(told, Sequence) and not isinstance(told, str):
        return tuple(str(each).lower() for each in told)
    return (str(view.device.capabilities.get("technology", "fdm")).lower(),)


def _obstacle(view: DeviceView) -> str | None:
    """Say why nothing can be started on the printer now."""
    if view.device.online_state is OnlineState.OFFLINE:
        return "is offline"
    if view.fault or view.device.online_state is OnlineState.FAULT:
        return "reports a fault"
    doing = activity(view)
    if doing is Activity.UNKNOWN:
        return "has not said what it is doing"
    if doing is not Activity.RESTING:
        return f"is {predicate(view)}"
    if view.state.get("status") == "error":
        return "was stopped by an error; abort that print first"
    return None


def _check_technology(view: DeviceView, job: PrintJob) -> None:
    name, able = view.device.name, _technologies(view)
    if job.technology not in able:
        raise ToolError(
            "wrong_technology",
            f"{name} does {either(able, 'and')}, and {job.name} is prepared for"
            f" {short(job.technology)}.",
        )
    if "start_print" not in view.device.intents:
        raise ToolError("wrong_technology", f"{name} cannot be told to start a print.")


def _check(view: DeviceView, job: PrintJob) -> None:
    _check_technology(view, job)
    obstacle = _obstacle(view)
    if obstacle is not None:
        name = view.device.name
        raise ToolError("printer_busy", f"I cannot start {job.name}: {name} {obstacle}.")


START: tuple[Tool, ...] = (start_print,)
