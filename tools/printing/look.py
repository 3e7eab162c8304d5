"""Which printers and jobs there are and how far they are."""

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from safety.entities import DeviceKind
from tools import resolve
from tools.desk import Desk, DeviceView, PrintJob
from tools.fields import Entity
from tools.matching import MAX_CHOICES
from tools.phrases import ON_SCREEN, capped, clock, count, either, short, span
from tools.printing.fit import obstacle
from tools.printing.fleet import RUNNING, Activity, activity, printers
from tools.spec import Answer, tool
from tools.views import (
    brief,
    device_data,
    is_stale,
    iso,
    progress_words,
    status_sentence,
    subject,
)

FAMILY = "printing"
_SPOKEN_AT_MOST = 3


@tool(FAMILY)
async def list_printers(desk: Desk) -> Answer:
    """List the printers and what each is doing."""
    return _listing(desk, await printers(desk))


@tool(FAMILY)
async def printer_status(desk: Desk, printer: Entity | None = None) -> Answer:
    """Say what a printer is doing, with temperatures and faults; all printers if none is named."""
    if printer is None:
        return _listing(desk, await printers(desk))
    view = await resolve.device(desk, printer, DeviceKind.PRINTER, argument="printer")
    return Answer(
        text=status_sentence(view, desk.now),
        data={"printers": [device_data(view)]},
        citations=(str(view.device.id),),
    )


@tool(FAMILY)
async def print_progress(desk: Desk, printer: Entity | None = None) -> Answer:
    """Say how far a print is and how long it still takes; of all that run if none is named."""
    if printer is None:
        views = [view for view in await printers(desk) if activity(view) in RUNNING]
    else:
        views = [await resolve.device(desk, printer, DeviceKind.PRINTER, argument="printer")]
    if not views:
        return Answer(text="No printer says that it is printing.", data={"prints": []})
    names = {str(job.id): job.name for job in await desk.printing.jobs()}
    lines = [_progress(view, names, desk) for view in views]
    return Answer(
        text=capped(lines),
        spoken=" ".join(lines) if len(lines) <= _SPOKEN_AT_MOST else f"{lines[0]} {ON_SCREEN}",
        data={"prints": [_progress_data(view, names) for view in views]},
        citations=tuple(str(view.device.id) for view in views),
    )


@tool(FAMILY)
async def list_jobs(desk: Desk) -> Answer:
    """List the print jobs, newest first: what is ready, running, done or failed."""
    jobs = await desk.printing.jobs()
    if not jobs:
        return Answer(text="There are no print jobs yet.", data={"jobs": []})
    ready = sum(job.status == "preparing" for job in jobs)
    where = {view.device.id: view.device.name for view in await printers(desk)}
    summary = f"{count(len(jobs), 'job')}, {ready} ready to start."
    lines = [_job_line(job, where, desk) for job in jobs]
    return Answer(
        text=f"{summary}\n{capped(lines)}",
        spoken=f"{summary} {ON_SCREEN}",
        data={"jobs": [job_data(job) for job in jobs]},
        citations=tuple(str(job.id) for job in jobs),
    )


def job_data(job: PrintJob) -> dict[str, Any]:
    """Return the job as JSON values."""
    return {
        "id": str(job.id),
        "name": job.name,
        "status": job.status,
        "printer": None if job.device is None else str(job.device),
        "technology": job.technology,
        "estimated_seconds": job.estimated_seconds,
        "material": job.material,
        "started_at": iso(job.started_at),
        "completed_at": iso(job.completed_at),
    }


def job_words(job: PrintJob) -> str:
    """Return the job's name with material and duration."""
    takes = [] if job.estimated_seconds is None else [f"about {span(job.estimated_seconds)}"]
    details = [*([job.material] if job.material else []), *takes]
    return f"{job.name} ({', '.join(details)})" if details else job.name


def _job_line(job: PrintJob, printer_names: Mapping[Any, str], desk: Desk) -> str:
    status = "ready to start" if job.status == "preparing" else job.status
    where = printer_names.get(job.device)
    when = job.completed_at or job.started_at
    told = f", {'ended' if job.completed_at else 'started'} {clock(when, desk.now)}" if when else ""
    return f"{job_words(job)}: {status}{f' on {where}' if where else ''}{told}"


def _listing(desk: Desk, views: Sequence[DeviceView]) -> Answer:
    if not views:
        return Answer(text="There are no printers.", data={"printers": []})
    running = sum(activity(view) is Activity.PRINTING for view in views)
    summary = f"{count(len(views), 'printer')}, {running} printing.{_free(views)}"
    aloud = " ".join(status_sentence(view, desk.now) for view in views)
    return Answer(
        text=f"{summary}\n{capped(brief(view, desk.now) for view in views)}",
        spoken=aloud if len(views) <= _SPOKEN_AT_MOST else f"{summary} {ON_SCREEN}",
        data={"printers": [device_data(view) for view in views]},
    )


def _free(views: Sequence[DeviceView]) -> str:
    names = [view.device.name for view in views if obstacle(view) is None]
    return f" Free: {either(names[:MAX_CHOICES], 'and')}." if names else ""


def _job_name(view: DeviceView, names: Mapping[str, str]) -> str:
    named = names.get(str(view.state.get("job_id")))
    if named:
        return named
    file = view.state.get("file")
    return short(PurePosixPath(file).name) if isinstance(file, str) else ""


def _progress(view: DeviceView, names: Mapping[str, str], desk: Desk) -> str:
    if activity(view) not in RUNNING:
        return status_sentence(view, desk.now)
    how_far = ", ".join(progress_words(view.state))
    doing = "printing" if activity(view) is Activity.PRINTING else "paused in"
    what = f"{subject(view)} is {doing} {_job_name(view, names) or 'a job'}"
    told = f"{what}: {how_far}." if how_far else f"{what}."
    if view.state_at is None or not is_stale(view, desk.now):
        return told
    return f"{told[:-1]}, as last reported at {clock(view.state_at, desk.now)}."


def _progress_data(view: DeviceView, names: Mapping[str, str]) -> dict[str, Any]:
    return {
        "printer": {"id": str(view.device.id), "name": view.device.name},
        "job": _job_name(view, names) or None,
        "status": activity(view).value,
        "progress": view.state.get("progress"),
        "eta_seconds": view.state.get("eta_seconds"),
        "state_at": iso(view.state_at),
    }


LOOK = (list_printers, printer_status, print_progress, list_jobs)
