"""Requests that wait, and taking one back."""

from datetime import timedelta

import pytest
from fakes.desk import NOW, OPERATOR, SAFETY, Room, make_approval, make_id

from tests.tools.conftest import Call

pytestmark = pytest.mark.anyio
UNLOCK = "unlock the Laser room door for 10 seconds"
HEAT = "heat the nozzle of Giga to 215 °C"


async def test_nothing_waits(call: Call, room: Room) -> None:
    room.approvals.views = [make_approval(UNLOCK, OPERATOR, expires_at=NOW)]
    result = await call("list_approvals")
    assert result.answer is not None
    assert result.answer.text == "Nothing waits for approval."


async def test_what_waits_is_listed_with_what_is_missing(call: Call, room: Room) -> None:
    room.approvals.views = [make_approval(UNLOCK, OPERATOR), make_approval(HEAT, SAFETY)]
    result = await call("list_approvals")
    assert result.answer is not None
    assert result.answer.text.splitlines()[:2] == [
        "2 requests wait for approval.",
        (
            "Unlock the Laser room door for 10 seconds (Operator, 60 seconds ago): waits for"
            " the signature of an authorised person and the signature of a second person,"
            " 4 minutes left"
        ),
    ]
    assert result.answer.citations == (
        str(make_id(f"event {UNLOCK}")),
        str(make_id(f"event {HEAT}")),
    )


@pytest.mark.parametrize(
    ("over", "words"),
    [
        ({}, "waits for the signature of an authorised person"),
        ({"signed_by": ("Safety",)}, "Signed by Safety."),
        ({"expires_at": NOW - timedelta(seconds=30)}, "ran out 30 seconds ago. Nothing was done."),
        ({"status": "denied", "reason": "Not today."}, "was denied. Not today. Nothing was done."),
        (
            {"status": "approved", "outcome": "done", "signed_by": ("Ada", "Bo")},
            "was approved by Ada and Bo. The machine says it was done.",
        ),
        ({"status": "approved", "outcome": "failed"}, "It was sent and failed."),
        ({"status": "approved", "outcome": "unknown"}, "no answer came: look at the machine."),
        ({"status": "approved", "reason": "It ran out."}, "It has not run. It ran out."),
        ({"status": "approved"}, "Nothing has come back yet."),
    ],
)
async def test_how_a_request_stands(call: Call, room: Room, over: dict, words: str) -> None:
    room.approvals.views = [make_approval(UNLOCK, OPERATOR, **over)]
    for arguments in ({}, {"event": str(make_id(f"event {UNLOCK}"))}):
        result = await call("approval_status", **arguments)
        assert result.answer is not None
        assert result.answer.text.startswith(f"Operator's request to {UNLOCK} ")
        assert words in result.answer.text


async def test_a_request_can_be_named_by_its_words(call: Call, room: Room) -> None:
    room.approvals.views = [make_approval(UNLOCK, OPERATOR), make_approval(HEAT, SAFETY)]
    result = await call("approval_status", event="the giga request")
    assert result.answer is not None
    assert "Safety's request" in result.answer.text
    room.approvals.views.append(make_approval("unlock the Bay door", SAFETY))
    for words, code in (("unlock door", "ambiguous"), ("warp drive", "unknown_event")):
        result = await call("approval_status", event=words)
        assert result.declined is not None
        assert result.declined.code == code


async def test_unknown_and_missing_requests(call: Call) -> None:
    for name, arguments, code in (
        ("approval_status", {"event": str(make_id("none"))}, "unknown_event"),
        ("withdraw_request", {"event": str(make_id("none"))}, "unknown_event"),
        ("approval_status", {}, "nothing_asked"),
        ("withdraw_request", {}, "nothing_waiting"),
    ):
        result = await call(name, **arguments)
        assert result.declined is not None
        assert result.declined.code == code


async def test_the_askers_newest_request_is_withdrawn(call: Call, room: Room) -> None:
    room.approvals.views = [
        make_approval("a", OPERATOR),
        make_approval("b", OPERATOR),
        make_approval("c", SAFETY),
        make_approval("d", OPERATOR, expires_at=NOW),
    ]
    result = await call("withdraw_request")
    assert result.answer is not None
    assert result.answer.text == "Withdrawn: b. It will not run."
    assert room.approvals.withdrawn == [make_id("event b")]


async def test_somebody_elses_request_stays(call: Call, room: Room) -> None:
    room.approvals.views = [make_approval(UNLOCK, SAFETY)]
    result = await call("withdraw_request", event=str(make_id(f"event {UNLOCK}")))
    assert result.declined is not None
    assert result.declined.code == "not_yours"
    assert room.approvals.withdrawn == []


async def test_a_refused_withdrawal_is_not_claimed(call: Call, room: Room) -> None:
    room.approvals.views = [make_approval(UNLOCK, OPERATOR)]
    room.approvals.refusal = "This request is settled already."
    result = await call("withdraw_request")
    assert result.declined is not None
    assert result.declined.message == "This request is settled already."
