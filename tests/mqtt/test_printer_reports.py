"""The table of printers' reports against the seed's transitions."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise, product
from uuid import uuid4

import pytest

from infra.ingest_states import steps_of
from infra.ingest_store import StoredJob
from infra.printer_reports import ENDED, STEPS, JobStatus, PrinterReport, Printing, read_report
from safety.entities import DeviceId, JobId

SEED = {
    ("preparing", "printing"),
    ("printing", "paused"),
    ("paused", "printing"),
    *product(("printing", "paused"), ("completed", "failed", "aborted")),
} - {("paused", "completed")}
PRINTER = DeviceId(uuid4())
JOB = StoredJob(
    id=JobId(uuid4()),
    device_id=PRINTER,
    status="printing",
    started_at=datetime(2026, 1, 1, tzinfo=UTC),
    completed_at=None,
    progress=0.5,
    error=None,
)


def test_every_step_is_a_transition_of_the_seed() -> None:
    for (start, _), steps in STEPS.items():
        for before, after in pairwise((start, *steps)):
            assert (before.value, after.value) in SEED


def test_nothing_leads_out_of_an_end() -> None:
    assert all(steps == () for (start, _), steps in STEPS.items() if start in ENDED)


@pytest.mark.parametrize("said", Printing)
def test_another_printer_cannot_move_a_job(said: Printing) -> None:
    report = PrinterReport(status=said, job_id=JOB.id)
    assert not steps_of(JOB, DeviceId(uuid4()), report)


@pytest.mark.parametrize("said", Printing)
def test_a_printer_that_names_no_job_ends_at_most_its_own(said: Printing) -> None:
    steps = steps_of(JOB, PRINTER, PrinterReport(status=said))
    assert steps == ((JobStatus.ABORTED,) if said is Printing.IDLE else ())


def test_a_printer_that_prints_something_else_has_given_the_job_up() -> None:
    report = PrinterReport(status=Printing.PRINTING, job_id=uuid4())
    assert steps_of(JOB, PRINTER, report) == (JobStatus.ABORTED,)
    assert steps_of(replace(JOB, status="preparing"), PRINTER, report) == ()


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"status": "melting"},
        {"status": "idle", "progress": 2},
        {"status": "idle", "job_id": "x"},
    ],
)
def test_an_unreadable_report_says_nothing(state: dict[str, object]) -> None:
    assert read_report(state) is None
