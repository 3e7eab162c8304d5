"""Starting a print that has been prepared."""

from collections.abc import Sequence
from uuid import uuid5

from safety.actions import StartPrint
from safety.entities import DeviceKind, JobId
from tools import resolve
from tools.desk import Desk, DeviceView, PrintJob
from tools.fields import Entity
from tools.matching import Named, Sought, ambiguous, choices, find, unknown
from tools.phrases import either
from tools.printing.fit import obstacle, unfit
from tools.printing.fleet import printers
from tools.printing.look import job_words
from tools.spec import Tool, ToolError, tool

FAMILY = "printing"
_MANY = 500
_ENDED = frozenset({"completed", "failed", "aborted"})
_JOB_WORDS = frozenset({"job", "print", "file", "part"})


@tool(FAMILY)
async def start_print(desk: Desk, job: Entity, printer: Entity | None = None) -> StartPrint:
    """Ask for a prepared job to be printed; people have to sign for it."""
    ready = await _ready_job(desk, job)
    view = await _printer_for(desk, ready, printer)
    in_the_way = obstacle(view)
    if in_the_way is not None:
        raise ToolError(
            "printer_busy", f"I cannot start {ready.name}: {view.device.name} {in_the_way}."
        )
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
    if len(found) > 1:
        raise ambiguous(sought, found)
    job = found[0].value if found else await _once_more(desk, sought, ready)
    if not job.gcode_sha256:
        raise ToolError(
            "job_incomplete",
            f"{job.name} has no checksum of its G-code, so nobody could sign for it."
            " Prepare it again.",
        )
    return job


async def _once_more(desk: Desk, sought: Sought, ready: Sequence[Named[PrintJob]]) -> PrintJob:
    """Prepare the newest job of this name again, if it has ended."""
    jobs = [_named(job) for job in await desk.printing.jobs(limit=_MANY)]
    matches = [each.value for each in find(sought.text, jobs, sought.drop)]
    if not matches:
        raise unknown(sought, ready)
    if len({job.name.casefold() for job in matches}) > 1:
        raise ambiguous(sought, find(sought.text, jobs, sought.drop))
    newest = matches[0]
    if newest.status not in _ENDED:
        raise ToolError("job_not_ready", f"{newest.name} is {newest.status} already.")
    new = JobId(uuid5(desk.request, f"job/{newest.id}"))
    return await desk.printing.again(newest, new, desk.asker, now=desk.now)


def _named(job: PrintJob) -> Named[PrintJob]:
    return Named(id=str(job.id), names=(job.name,), label=job_words(job), value=job)


async def _printer_for(desk: Desk, job: PrintJob, printer: str | None) -> DeviceView:
    views = await printers(desk)
    if printer is None:
        return _only_suitable(job, views)
    view = await resolve.device(desk, printer, DeviceKind.PRINTER, argument="printer")
    misfit = unfit(view, job, views)
    if misfit is not None:
        raise misfit
    return view


def _only_suitable(job: PrintJob, views: Sequence[DeviceView]) -> DeviceView:
    able = [view for view in views if unfit(view, job, views) is None]
    free = [view for view in able if obstacle(view) is None]
    if len(free) == 1 or (len(able) == 1 and not free):
        return (free or able)[0]
    if free:
        raise ToolError(
            "which_printer",
            f"{either([view.device.name for view in free], 'and')} are free."
            f" On which one shall {job.name} be printed?",
            choices=choices([resolve.named_device(view) for view in free]),
            argument="printer",
        )
    why = "; ".join(f"{view.device.name} {obstacle(view)}" for view in able)
    raise ToolError(
        "no_printer",
        f"No printer is free for {job.name}: {why}."
        if why
        else f"There is no printer that {job.name} is prepared for. Prepare it again.",
    )


START: tuple[Tool, ...] = (start_print,)
