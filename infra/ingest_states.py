"""What a batch of states changes: the devices, and the jobs their printers print."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

import structlog

from infra.ingest_store import (
    Connection,
    StoredDevice,
    StoredJob,
    find_devices,
    jobs_of,
    save_devices,
    save_job,
)
from infra.printer_reports import (
    ACTIVE,
    ENDED,
    STEPS,
    JobStatus,
    PrinterReport,
    Printing,
    read_report,
)
from infra.wire import StateMessage
from safety.entities import DeviceId, DeviceKind, JobId, OnlineState

_OUT_OF_ORDER: Final = timedelta(minutes=1)
"""A report this much older than the last is a repetition; beyond it the device's clock was set."""
_log = structlog.get_logger("kitty.ingest")


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A state as it came."""

    external_id: str
    message: StateMessage
    fresh: bool
    """False if the broker had kept it from earlier."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrinterNews:
    """What a printer said of its job."""

    device: DeviceId
    report: PrinterReport
    at: datetime
    new: bool
    """Not what it had said before."""


@dataclass(slots=True, kw_only=True)
class StatesSaved:
    """What came of a batch."""

    taken: int = 0
    unknown: list[str] = field(default_factory=list)
    """External ids that nobody registered."""
    heard: set[DeviceId] = field(default_factory=set)
    changed: list[DeviceId] = field(default_factory=list)
    jobs: list[JobId] = field(default_factory=list)
    impossible: int = 0
    """Reports that contradict what their job went through."""


async def save_states(
    connection: Connection, reports: Sequence[Report], *, now: datetime
) -> StatesSaved:
    """Write a batch of states and what follows from them."""
    saved = StatesSaved()
    before = await find_devices(connection, [r.external_id for r in reports], lock=True)
    current = dict(before)
    news: list[PrinterNews] = []
    for report in reports:
        device = current.get(report.external_id)
        if device is None:
            saved.unknown.append(report.external_id)
            continue
        saved.taken += 1
        current[report.external_id] = stands = after(device, report, now)
        if report.fresh and report.message.at is not None:
            saved.heard.add(device.id)
        news.extend(_printer_news(device, stands))
    await save_devices(connection, [d for d in current.values() if d != before[d.external_id]])
    saved.changed = [d.id for d in current.values() if _shown(d) != _shown(before[d.external_id])]
    await _save_jobs(connection, news, saved)
    return saved


def after(device: StoredDevice, report: Report, now: datetime) -> StoredDevice:
    """Return the device as it stands after the report."""
    message = report.message
    at = None if message.at is None else min(message.at, now)
    last = device.state_at
    if at and last and timedelta() < last - at <= _OUT_OF_ORDER:
        return device
    if at is None:  # a last will: what the device was like before still stands
        online = device.online_state if message.online else OnlineState.OFFLINE
        return replace(device, online_state=online)
    seen = now if report.fresh else at
    return replace(
        device,
        online_state=_online(message),
        state=message.state,
        state_at=at,
        fault=message.fault,
        commanded=[str(each) for each in message.commands],
        last_seen=max(device.last_seen or seen, seen),
    )


def _online(message: StateMessage) -> OnlineState:
    if not message.online:
        return OnlineState.OFFLINE
    return OnlineState.ONLINE if message.fault is None else OnlineState.FAULT


def _shown(device: StoredDevice) -> tuple[object, ...]:
    return device.online_state, device.state, device.fault


def _printer_news(before: StoredDevice, stands: StoredDevice) -> Iterable[PrinterNews]:
    if stands is before or stands.kind != DeviceKind.PRINTER or stands.state_at is None:
        return
    report, last = read_report(stands.state), read_report(before.state)
    if report is None:
        if last is not None or not before.state:
            _log.warning("printer_report_unreadable", device=stands.external_id)
        return
    new = last is None or (last.status, last.job_id) != (report.status, report.job_id)
    yield PrinterNews(device=stands.id, report=report, at=stands.state_at, new=new)


async def _save_jobs(
    connection: Connection, news: Sequence[PrinterNews], saved: StatesSaved
) -> None:
    if not news:
        return
    named = [n.report.job_id for n in news if n.report.job_id is not None]
    found = await jobs_of(connection, [n.device for n in news], named)
    jobs: Mapping[JobId, StoredJob] = {job.id: job for job in found}
    for each in news:
        for job in list(jobs.values()):
            steps = steps_of(job, each.device, each.report)
            if steps is None and each.new:
                saved.impossible += 1
                _log.warning(
                    "job_report_impossible",
                    job_id=str(job.id),
                    job=job.status,
                    printer=each.report.status,
                )
            moved = _moved(job, steps or (), each)
            for stage in moved:
                await save_job(connection, stage)
            if moved:
                jobs = {**jobs, job.id: moved[-1]}
                saved.jobs.append(job.id)


def steps_of(
    job: StoredJob, device: DeviceId, report: PrinterReport
) -> tuple[JobStatus, ...] | None:
    """Return the steps a job takes on its printer's report; None if they are impossible."""
    status = JobStatus(job.status)
    if job.id != report.job_id:
        other = report.status in {Printing.PRINTING, Printing.PAUSED} and report.job_id is not None
        ended = status in ACTIVE and (other or report.status is Printing.IDLE)
        return (JobStatus.ABORTED,) if ended and job.device_id == device else ()
    if job.device_id not in {None, device}:
        return None
    return STEPS.get((status, report.status))


def _moved(job: StoredJob, steps: Sequence[JobStatus], news: PrinterNews) -> list[StoredJob]:
    """Return the job after each step; if it takes none, after its progress alone, if that moved."""
    report = news.report
    mine = report.job_id == job.id
    if mine and not steps and job.status in ACTIVE and job.progress != report.progress:
        return [replace(job, progress=report.progress)]
    stages: list[StoredJob] = []
    for status in steps:
        started = job.started_at or news.at
        job = replace(
            job,
            status=status,
            device_id=news.device,
            started_at=started,
            completed_at=max(news.at, started) if status in ENDED else None,
            progress=report.progress if mine else job.progress,
            error=report.error if status is JobStatus.FAILED else None,
        )
        stages.append(job)
    if job.status == JobStatus.COMPLETED and stages:
        stages[-1] = replace(job, progress=1.0)
    return stages
