"""What happened, why, and notes."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from fakes.desk import NOW, SAFETY, Room, make_id

from safety.entities import RequestId
from tests.tools.conftest import Call
from tools.desk import DecisionView, RecordEntry

pytestmark = pytest.mark.anyio


def entry(number: int, text: str = "Ada: turn on the lamp – done.") -> RecordEntry:
    return RecordEntry(
        at=NOW - timedelta(minutes=number),
        id=str(make_id(f"record {number}")),
        kind="command",
        text=text,
        device="Bench lamp",
        zone="Welding bay",
        user="Ada",
    )


def decision(**over: Any) -> DecisionView:
    values: dict[str, Any] = {
        "id": make_id("decision"),
        "request": RequestId(make_id("before")),
        "conversation": None,
        "at": NOW - timedelta(minutes=1),
        "tier": "local",
        "confidence": 0.987,
        "cost_estimate": 0.0,
        "latency_ms": 12,
        "escalation_reason": "",
        "model": "grammar/1",
        "threshold_version": "1",
        "rule": "switch_light",
        "outcome": "done",
    }
    return DecisionView(**(values | over))


# -- what happened ----------------------------------------------------------------------------


async def test_each_claim_cites_its_record(call: Call, room: Room) -> None:
    room.record.kept = [entry(1), entry(2), entry(2)]
    result = await call("what_happened")
    assert result.answer is not None
    first, *lines = result.answer.text.splitlines()
    assert first == "3 records in the last 12 hours, newest first."
    assert lines[0] == f"10:02 UTC  Ada: turn on the lamp – done. [{entry(1).id[-8:]}]"
    assert result.answer.citations == (entry(1).id, entry(2).id)
    assert [each["id"] for each in result.answer.data["entries"]] == [
        entry(1).id,
        entry(2).id,
        entry(2).id,
    ]
    asked = room.record.asked[0]
    assert asked == {"since": NOW - timedelta(hours=12), "until": NOW, "about": None}


async def test_long_accounts_are_capped_for_people(call: Call, room: Room) -> None:
    room.record.kept = [entry(n) for n in range(100)]
    result = await call("what_happened")
    assert result.answer is not None
    assert result.answer.text.startswith("At least 100 records")
    assert len(result.answer.text.splitlines()) == 13
    assert result.answer.spoken.endswith("The rest is on your screen.")
    assert len(result.answer.data["entries"]) == 100


async def test_a_window_without_a_zone_is_taken_as_utc(call: Call, room: Room) -> None:
    result = await call(
        "what_happened", since="2026-03-01T08:00:00", until="2026-03-02T10:00:00+01:00"
    )
    assert result.answer is not None
    assert result.answer.text == ("Nothing is on record from 08:00 UTC on 1 March to 09:00 UTC.")
    asked = room.record.asked[0]
    assert asked["since"] == datetime(2026, 3, 1, 8, tzinfo=UTC)
    assert asked["until"] == datetime(2026, 3, 2, 9, tzinfo=UTC)


async def test_since_alone_lasts_until_now_and_the_future_holds_nothing(
    call: Call, room: Room
) -> None:
    result = await call("what_happened", since="2026-03-02T10:00:00Z", until="2030-01-01T00:00:00Z")
    assert result.answer is not None
    assert room.record.asked[0]["until"] == NOW
    for window in (
        {"since": "2026-03-02T10:03:00Z"},
        {"since": "2026-03-02T09:00:00Z", "until": "2026-03-02T08:00:00Z"},
        {"until": "0001-01-01T00:00:00Z"},
    ):
        result = await call("what_happened", **window)
        assert result.declined is not None
        assert result.declined.code == "bad_times"


@pytest.mark.parametrize(
    ("about", "name"),
    [
        ("the cutter", "Laser cutter"),
        (str(make_id("Laser room/Laser cutter")), "Laser cutter"),
        (str(make_id("Print farm")), "Print farm"),
        ("  Ada   Lovelace ", "Ada Lovelace"),
        ("laser", "laser"),
    ],
)
async def test_about_takes_devices_zones_and_plain_words(
    call: Call, room: Room, about: str, name: str
) -> None:
    await call("what_happened", about=about)
    assert room.record.asked[0]["about"] == name


# -- why --------------------------------------------------------------------------------------


async def test_why_tells_tier_confidence_time_cost_and_rule(call: Call, room: Room) -> None:
    room.record.answer = decision()
    result = await call("why")
    assert result.answer is not None
    assert result.answer.text == (
        "At 10:02 UTC I answered here, without any model outside (grammar/1), by the rule"
        " switch_light. I was 98 % sure. It took 12 ms; it cost nothing. It came to: done."
    )
    assert result.answer.citations == (str(make_id("decision")),)
    assert room.record.asked == [
        {
            "request": None,
            "conversation": make_id("conversation"),
            "before": make_id("request"),
        }
    ]


async def test_why_tells_the_reason_of_an_escalation(call: Call, room: Room) -> None:
    room.record.answer = decision(
        tier="frontier",
        confidence=1.0,
        cost_estimate=0.0123,
        latency_ms=2_340,
        escalation_reason="below the threshold",
        outcome=None,
    )
    result = await call("why", request=str(make_id("before")))
    assert result.answer is not None
    assert "with a model outside" in result.answer.text
    assert "100 % sure" in result.answer.text
    assert "It took 2.3 s; it cost about $0.0123." in result.answer.text
    assert "Why not here: below the threshold." in result.answer.text
    assert room.record.asked[0]["request"] == UUID(str(make_id("before")))
    room.record.answer = decision(latency_ms=None)
    result = await call("why")
    assert result.answer is not None
    assert "It has not finished yet" in result.answer.text


async def test_why_without_a_record(call: Call) -> None:
    for arguments, code in (
        ({}, "no_decision"),
        ({"request": str(make_id("nothing"))}, "no_decision"),
        ({"request": "the other day"}, "unknown_request"),
    ):
        result = await call("why", **arguments)
        assert result.declined is not None
        assert result.declined.code == code


# -- notes ------------------------------------------------------------------------------------


async def test_notes_are_kept_told_and_deleted(call: Call, room: Room) -> None:
    await call("remember", text=" The spare key is in drawer 3. ")
    await call("remember", text="Filament comes on Fridays.")
    result = await call("recall", about="SPARE key")
    assert result.answer is not None
    assert result.answer.text == (
        "1 note, newest first.\nThe spare key is in drawer 3. (10:03 UTC)"
    )
    assert result.answer.spoken == "The spare key is in drawer 3."
    result = await call("recall")
    assert result.answer is not None
    assert len(result.answer.data["notes"]) == 2
    result = await call("forget", about="spare key")
    assert result.answer is not None
    assert result.answer.data["forgotten"] == 1
    assert [memory.text for _, memory in room.memories.notes] == ["Filament comes on Fridays."]


async def test_a_note_is_forgotten_by_id_and_all_by_everything(call: Call, room: Room) -> None:
    for text in ("one", "one more", "other"):
        await call("remember", text=text)
    last = room.memories.notes[-1][1]
    await call("forget", about=str(last.id))
    assert [memory.text for _, memory in room.memories.notes] == ["other", "one more"]
    await call("forget", about="Everything")
    assert room.memories.notes == []


async def test_nobody_elses_notes_are_told_or_deleted(call: Call, room: Room) -> None:
    await call("remember", text="my secret")
    result = await call("recall", asker=SAFETY)
    assert result.answer is not None
    assert result.answer.text == "You have not asked me to remember anything."
    result = await call("forget", asker=SAFETY, about="everything")
    assert result.declined is not None
    assert result.declined.code == "unknown_note"
    assert len(room.memories.notes) == 1


async def test_a_note_has_a_limit(call: Call) -> None:
    result = await call("remember", text="x" * 2_001)
    assert result.declined is not None
    assert result.declined.code == "bad_arguments"
