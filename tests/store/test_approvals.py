"""Nothing is approved without the people it takes, and an approval is used once."""

import hashlib
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from fakes.rows import HOUR, NOW, Row, Rows
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


def _approve(rows: Rows, event: Row, approver: Any, signature: str = "key", **more: Any) -> Row:
    return rows.update(
        "safety_events",
        event,
        status="approved",
        approved_by=approver,
        signature=signature,
        **more,
    )


# -- who must sign ----------------------------------------------------------------------------


@pytest.mark.parametrize(("hazard", "needed"), [("medium", 1), ("high", 2)])
def test_it_takes_that_many_people(rows: Rows, hazard: str, needed: int) -> None:
    event = rows.event(hazard=hazard)
    approver = rows.user()["id"]
    for _ in range(needed):
        with rows.refused("safety_events_approval"):
            _approve(rows, event, approver)
        approver = rows.sign(event)["user_id"]
    assert _approve(rows, event, approver)["status"] == "approved"


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    hazard=st.sampled_from(["low", "medium", "high"]),
    dual=st.booleans(),
    requester_signs=st.booleans(),
    others=st.integers(0, 3),
)
def test_the_quorum(
    rows: Rows, hazard: str, dual: bool, requester_signs: bool, others: int
) -> None:
    """Two for high or dual confirmation (never the requester alone), else one."""
    policy = rows.policy(requires_dual_confirm=dual)
    requester = rows.user()
    event = rows.event(hazard=hazard, policy_id=policy["id"], initiated_by=requester["id"])
    signers = [requester] * requester_signs + [rows.user() for _ in range(others)]
    for signer in signers:
        rows.sign(event, signer)
    needed = 2 if hazard == "high" or (dual and hazard == "medium") else 1
    approver = signers[-1]["id"] if signers else requester["id"]
    if len(signers) >= needed:
        assert _approve(rows, event, approver)["status"] == "approved"
    else:
        with rows.refused("safety_events_approval"):
            _approve(rows, event, approver)


def test_two_keys_of_one_person_are_one_person(rows: Rows) -> None:
    event, person = rows.event(), rows.user()
    rows.sign(event, person)
    with rows.refused("safety_signatures_one_per_person", psycopg.errors.UniqueViolation):
        rows.sign(event, person)


def test_one_key_cannot_be_two_peoples(rows: Rows) -> None:
    key = rows.key()
    with rows.refused("public_keys_spki_key", psycopg.errors.UniqueViolation):
        rows.key(spki=key["spki"])
    with rows.refused("public_keys_identity"):
        rows.update("public_keys", key, user_id=rows.user()["id"])
    with rows.refused("safety_signatures_guard"):
        rows.sign(rows.event(), rows.user(), key_id=key["id"])


def test_the_approver_is_one_of_the_signers(rows: Rows) -> None:
    event = rows.event(hazard="medium")
    rows.sign(event)
    with rows.refused("safety_events_approval"):
        _approve(rows, event, rows.user()["id"])


def test_a_signer_holds_a_role_of_the_policy(rows: Rows) -> None:
    policy = rows.policy(required_roles=["safety"])
    event = rows.event(hazard="medium", policy_id=policy["id"])
    operator = rows.sign(event, rows.user(roles=["operator", "admin"]))["user_id"]
    with rows.refused("safety_events_approval"):
        _approve(rows, event, operator)
    officer = rows.sign(event, rows.user(roles=["safety"]))["user_id"]
    assert _approve(rows, event, officer)["approved_by"] == officer


@pytest.mark.parametrize("hazard", ["low", "medium", "high"])
def test_without_a_policy_nothing_is_approved(rows: Rows, hazard: str) -> None:
    event = rows.event(hazard=hazard, policy_id=None)
    with rows.refused("safety_events_approval"):
        rows.approve(event)


def test_a_key_revoked_after_signing_does_not_count(rows: Rows) -> None:
    event, key = rows.event(hazard="medium"), rows.key()
    rows.sign(event, {"id": key["user_id"]}, key_id=key["id"])
    revoked = rows.update("public_keys", key, revoked_at=NOW)
    with rows.refused("safety_events_approval"):
        _approve(rows, event, key["user_id"])
    with rows.refused("public_keys_identity"):
        rows.update("public_keys", revoked, revoked_at=None)


def test_somebody_disabled_after_signing_does_not_count(rows: Rows) -> None:
    event, person = rows.event(hazard="medium"), rows.user()
    rows.sign(event, person)
    rows.update("users", person, disabled_at=NOW)
    with rows.refused("safety_events_approval"):
        _approve(rows, event, person["id"])


# -- confirmations ----------------------------------------------------------------------------


def _confirm(rows: Rows, event: Row, **over: Any) -> Row:
    values = {
        "status": "approved",
        "approved_by": event["initiated_by"],
        "signature": f"confirmation:{event['request_id']}",
        "confirmed_at": NOW,
    }
    return rows.update("safety_events", event, **(values | over))


def test_the_requester_can_confirm_a_low_hazard(rows: Rows) -> None:
    event = rows.event(hazard="low", requires_confirmation=True)
    assert _confirm(rows, event)["status"] == "approved"


@pytest.mark.parametrize("hazard", ["medium", "high"])
def test_a_confirmation_is_no_signature(rows: Rows, hazard: str) -> None:
    with rows.refused("safety_events_approval"):
        _confirm(rows, rows.event(hazard=hazard))


def test_nobody_else_can_confirm(rows: Rows) -> None:
    with rows.refused("safety_events_approval"):
        _confirm(rows, rows.event(hazard="low"), approved_by=rows.user()["id"])


@pytest.mark.parametrize("signature", ["confirmation:", "confirmation:yes", "yes"])
def test_a_confirmation_names_its_request(rows: Rows, signature: str) -> None:
    with rows.refused("safety_events_approval"):
        _confirm(rows, rows.event(hazard="low"), signature=signature)


def test_a_confirmation_has_its_time(rows: Rows) -> None:
    with rows.refused("safety_events_approval"):
        _confirm(rows, rows.event(hazard="low"), confirmed_at=None)


# -- signatures -------------------------------------------------------------------------------


def test_only_a_pending_event_can_be_signed(rows: Rows) -> None:
    event = rows.event()
    rows.approve(event)
    with rows.refused("safety_signatures_guard"):
        rows.sign(event)
    denied = rows.update(
        "safety_events", rows.event(), status="denied", reason_code="x", resolved_at=NOW
    )
    with rows.refused("safety_signatures_guard"):
        rows.sign(denied)


def test_what_makes_a_signature_unfit(rows: Rows) -> None:
    event, key = rows.event(), rows.key(revoked_at=NOW)
    owner = {"id": key["user_id"]}
    with rows.refused("safety_signatures_guard"):
        rows.sign(event, owner, key_id=key["id"])
    with rows.refused("safety_signatures_guard"):
        rows.sign(event, rows.user(), key_id="SHA256:unknown")
    with rows.refused("safety_signatures_guard"):
        rows.sign(event, rows.user(), algorithm="p256")
    with rows.refused("safety_signatures_guard"):
        rows.sign(event, signed_at=event["expires_at"])
    with rows.refused("safety_signatures_guard"):
        rows.sign({"id": uuid4()})
    with rows.refused("safety_signatures_bytes"):
        rows.sign(event, signature=b"")


@pytest.mark.parametrize(
    "statement",
    [
        "update safety_signatures set signature = 'x'",
        "delete from safety_signatures",
        "truncate safety_signatures",
    ],
)
def test_a_signature_stays(rows: Rows, statement: str) -> None:
    rows.sign(rows.event())
    with rows.refused("safety_signatures_kept"):
        rows.connection.execute(statement)


# -- the event itself -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"action": {"kind": "UnlockDoor", "arguments": {"seconds": 60}}},
        {"action_kind": "EnablePower"},
        {"hazard": "low"},
        {"nonce": "m"},
        {"not_before": NOW - HOUR},
        {"expires_at": NOW + 2 * HOUR},
        {"policy_id": None},
        {"policy_version": 7},
        {"tainted": True},
        {"requires_confirmation": True},
        {"proposal_key": uuid4()},
        {"request_id": uuid4()},
        {"correlation_id": "x"},
        {"event_type": "override"},
        {"created_at": NOW - HOUR},
        {"canonical": b"other"},
        {"digest": "0" * 64},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_was_asked_for_cannot_change(rows: Rows, change: dict[str, Any]) -> None:
    with rows.refused("safety_events_identity"):
        rows.update("safety_events", rows.event(), **change)


def test_the_digest_is_of_the_signed_bytes(rows: Rows) -> None:
    assert rows.event(canonical=b"{}", digest=hashlib.sha256(b"{}").hexdigest())["digest"]
    with rows.refused("safety_events_digest"):
        rows.event(canonical=b"{}", digest="0" * 64)


@pytest.mark.parametrize(
    "missing", [{"approved_by": None}, {"signature": ""}], ids=["approver", "signature"]
)
def test_an_approval_is_complete(rows: Rows, missing: dict[str, Any]) -> None:
    with rows.refused("safety_events_approved"):
        rows.approve(rows.event(), **missing)


def test_an_approval_needs_a_digest(rows: Rows) -> None:
    event = rows.event(hazard="low", digest=None, canonical=None)
    with rows.refused("safety_events_approved"):
        _confirm(rows, event)


def test_an_event_that_wants_a_confirmation_waits_for_it(rows: Rows) -> None:
    with rows.refused("safety_events_confirmed"):
        rows.approve(rows.event(requires_confirmation=True))


@pytest.mark.parametrize("missing", [{"reason_code": None}, {"resolved_at": None}])
def test_a_denial_says_why_and_when(rows: Rows, missing: dict[str, Any]) -> None:
    values = {"status": "denied", "reason_code": "withdrawn", "resolved_at": NOW} | missing
    with rows.refused("safety_events_denied"):
        rows.update("safety_events", rows.event(), **values)


def test_a_decision_stays_as_it_is(rows: Rows) -> None:
    event = rows.event()
    rows.approve(event)
    for change in ({"approved_by": rows.user()["id"]}, {"signature": "other"}):
        with rows.refused("safety_events_resolved"):
            rows.update("safety_events", event, **change)


def test_only_an_approved_event_is_consumed(rows: Rows) -> None:
    with rows.refused("safety_events_consumed"):
        rows.claim(rows.event(), uuid4())


def test_an_approval_is_consumed_once(rows: Rows) -> None:
    event = rows.event()
    rows.approve(event)
    rows.claim(event, uuid4())
    with rows.refused("safety_events_once"):
        rows.claim(event, uuid4())
    with rows.refused("safety_events_once"):
        rows.update("safety_events", event, consumed_at=None, consumed_by_command=None)


def test_a_command_consumes_one_approval(rows: Rows) -> None:
    command = uuid4()
    first, second = rows.event(), rows.event()
    rows.approve(first)
    rows.approve(second)
    rows.claim(first, command)
    with rows.refused("safety_events_consumed_by_command_key", psycopg.errors.UniqueViolation):
        rows.claim(second, command)


@pytest.mark.parametrize("at", [NOW - HOUR, NOW + 2 * HOUR])
def test_an_approval_is_consumed_in_its_time(rows: Rows, at: Any) -> None:
    event = rows.event()
    rows.approve(event)
    with rows.refused("safety_events_consumed_in_time"):
        rows.update("safety_events", event, consumed_at=at, consumed_by_command=uuid4())


def test_an_approval_that_ran_out_never_runs(rows: Rows) -> None:
    event = rows.event()
    rows.approve(event)
    rows.update("safety_events", event, resolved_at=NOW, reason_code="expired")
    with rows.refused("safety_events_once"):
        rows.claim(event, uuid4())


def test_an_outcome_is_told_once_or_made_known(rows: Rows) -> None:
    event = rows.event()
    rows.approve(event)
    with rows.refused("safety_events_outcome"):
        rows.update("safety_events", event, outcome="done")
    rows.claim(event, uuid4())
    rows.update("safety_events", event, outcome="unknown", resolved_at=NOW)
    with rows.refused("safety_events_once"):
        rows.update("safety_events", event, outcome=None)
    rows.update("safety_events", event, outcome="done")
    with rows.refused("safety_events_once"):
        rows.update("safety_events", event, outcome="failed")


def test_an_event_is_never_deleted(rows: Rows) -> None:
    with rows.refused("safety_events_kept"):
        rows.delete("safety_events", rows.event())


@pytest.mark.parametrize(
    "statement", ["update gate_log set verdict = 'x'", "delete from gate_log", "truncate gate_log"]
)
def test_the_log_only_grows(rows: Rows, statement: str) -> None:
    rows.insert("gate_log", at=NOW, verdict="refused", reason_code="unknown_device")
    rows.connection.execute("set constraints all immediate")  # the chain waits for the commit
    with rows.refused("gate_log_append_only"):
        rows.connection.execute(statement)
