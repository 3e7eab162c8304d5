"""A command says what was asked, goes out only when it may, and ends once."""

from typing import Any
from uuid import uuid4

import psycopg
import pytest
from fakes.rows import HOUR, NOW, Row, Rows

SENT = {"status": "sent", "sent_at": NOW}
ACKED = {"status": "acked", "ack_at": NOW, "outcome": "done", "closed_at": NOW}
LOST = {"status": "failed", "failure_code": "no_answer", "outcome": "unknown", "closed_at": NOW}
FAILED = LOST | {"failure_code": "busy", "outcome": "failed"}


def _sent(rows: Rows) -> Row:
    return rows.update("device_commands", rows.command(), **SENT)


def test_a_device_is_told_only_what_it_can(rows: Rows) -> None:
    camera = rows.device(kind="camera", capabilities={"intents": []})
    with rows.refused("device_commands_capable"):
        rows.command(device_id=camera["id"])
    with rows.refused("device_commands_capable"):
        rows.command(intent="set_scene")


@pytest.mark.parametrize("hazard", ["low", "medium", "high"])
def test_a_hazardous_command_refers_to_its_event(rows: Rows, hazard: str) -> None:
    with rows.refused("device_commands_signed"):
        rows.command(hazard=hazard)


def test_the_event_is_about_that_command(rows: Rows) -> None:
    device = rows.device()["id"]
    event = rows.event(device_id=device)
    fits = {"device_id": device}
    for wrong in (
        {"device_id": rows.device()["id"]},
        {"proposal_key": uuid4()},
        {"hazard": "medium"},
    ):
        with rows.refused("device_commands_capable"):
            rows.hazardous_command(event, **(fits | wrong))
    rows.hazardous_command(event, **fits)
    with rows.refused(error=psycopg.errors.UniqueViolation):
        rows.hazardous_command(event, **fits)


def test_it_stays_pending_until_the_approval_is_recorded_and_claimed(rows: Rows) -> None:
    event = rows.event()
    command = rows.hazardous_command(event)
    with rows.refused("device_commands_approved"):
        rows.update("device_commands", command, **SENT)
    rows.approve(event)
    with rows.refused("device_commands_approved"):
        rows.update("device_commands", command, **SENT)
    rows.claim(event, command["id"])
    assert rows.update("device_commands", command, **SENT)["status"] == "sent"


def test_a_claim_for_another_command_does_not_count(rows: Rows) -> None:
    event = rows.event()
    command = rows.hazardous_command(event)
    rows.approve(event)
    rows.claim(event, uuid4())
    with rows.refused("device_commands_approved"):
        rows.update("device_commands", command, **SENT)


def test_a_denied_command_fails_without_being_sent(rows: Rows) -> None:
    event = rows.event()
    command = rows.hazardous_command(event)
    rows.update("safety_events", event, status="denied", reason_code="no", resolved_at=NOW)
    with rows.refused("device_commands_approved"):
        rows.update("device_commands", command, **SENT)
    ended = rows.update("device_commands", command, **FAILED | {"failure_code": "denied"})
    assert (ended["status"], ended["sent_at"]) == ("failed", None)


@pytest.mark.parametrize(
    "change",
    [
        {"intent": "unlock"},
        {"payload": {"on": False}},
        {"hazard": "low"},
        {"proposal_key": uuid4()},
        {"action_kind": "LockDoor"},
        {"created_at": NOW - HOUR},
        {"request_id": uuid4()},
        {"correlation_id": "x"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_a_command_says_cannot_change(rows: Rows, change: dict[str, Any]) -> None:
    with rows.refused("device_commands_identity"):
        rows.update("device_commands", rows.command(), **change)


def test_nor_whom_it_goes_to_and_on_whose_behalf(rows: Rows) -> None:
    command = rows.command()
    for change in (
        {"device_id": rows.device()["id"]},
        {"requested_by": rows.user()["id"]},
        {"safety_event_id": rows.event()["id"]},
        {"conversation_id": rows.conversation()["id"]},
    ):
        with rows.refused("device_commands_identity"):
            rows.update("device_commands", command, **change)


def test_the_deadline_is_fixed_once_sent(rows: Rows) -> None:
    command = rows.update("device_commands", rows.command(), deadline=NOW + 2 * HOUR)
    sent = rows.update("device_commands", command, **SENT)
    for change in ({"deadline": NOW}, {"sent_at": NOW + HOUR}):
        with rows.refused("device_commands_identity"):
            rows.update("device_commands", sent, **change)


def test_the_same_proposal_makes_one_command(rows: Rows) -> None:
    command = rows.command()
    with rows.refused("device_commands_proposal_key_key", psycopg.errors.UniqueViolation):
        rows.command(proposal_key=command["proposal_key"])


@pytest.mark.parametrize(
    ("constraint", "change"),
    [
        ("device_commands_ack_at", ACKED | {"ack_at": None}),
        ("device_commands_ack_at", FAILED | {"ack_at": NOW}),
        ("device_commands_failure", FAILED | {"failure_code": None}),
        ("device_commands_failure", FAILED | {"failure_code": ""}),
        ("device_commands_outcome", ACKED | {"outcome": None, "closed_at": None}),
        ("device_commands_outcome", ACKED | {"outcome": "unknown"}),
        ("device_commands_outcome", {"outcome": "done", "closed_at": NOW}),
        ("device_commands_closed_at", ACKED | {"closed_at": None}),
        ("device_commands_closed_at", {"closed_at": NOW}),
        ("device_commands_late", {"late_ack_at": NOW}),
    ],
)
def test_what_a_status_says_besides(rows: Rows, constraint: str, change: dict[str, Any]) -> None:
    with rows.refused(constraint):
        rows.update("device_commands", _sent(rows), **change)


@pytest.mark.parametrize("outcome", ["done", "unknown"])
def test_what_never_reached_the_wire_did_not_happen(rows: Rows, outcome: str) -> None:
    with rows.refused("device_commands_outcome"):
        rows.update("device_commands", rows.command(), **LOST | {"outcome": outcome})


@pytest.mark.parametrize("outcome", ["done", "failed"])
def test_a_lost_answer_can_still_come(rows: Rows, outcome: str) -> None:
    lost = rows.update("device_commands", _sent(rows), **LOST)
    late = {"outcome": outcome, "late_ack_at": NOW + HOUR, "receipt": {"ok": True}}
    told = rows.update("device_commands", lost, **late)
    assert (told["status"], told["outcome"]) == ("failed", outcome)
    for again in ("done", "failed", "unknown"):
        if again != outcome:
            with rows.refused("device_commands_closed"):
                rows.update("device_commands", told, outcome=again)


@pytest.mark.parametrize("end", [ACKED, FAILED, LOST], ids=["acked", "failed", "lost"])
def test_a_closed_command_stays_as_it_is(rows: Rows, end: dict[str, Any]) -> None:
    closed = rows.update("device_commands", _sent(rows), **end)
    with rows.refused("device_commands_closed"):
        rows.update("device_commands", closed, closed_at=NOW + HOUR)
    for change in ({"receipt": {"ok": True}}, {"failure_detail": "x"}):
        with rows.refused("device_commands_closed"):
            rows.update("device_commands", closed, **change)


def test_a_command_is_never_deleted(rows: Rows) -> None:
    with rows.refused("device_commands_kept"):
        rows.delete("device_commands", rows.command())


@pytest.mark.parametrize("intent", ["", "Switch", "switch!", "x" * 65])
def test_an_intent_is_a_word(rows: Rows, intent: str) -> None:
    device = rows.device(capabilities={"intents": [intent]})
    with rows.refused("device_commands_intent_form"):
        rows.command(device_id=device["id"], intent=intent)
