"""Policies over HTTP: shown to everybody, explained without leaving a trace."""

from datetime import timedelta

import pytest
from fakes.envelopes import envelope

from infra import clock

pytestmark = pytest.mark.anyio
EXPLAIN = "/api/policies/explain"
TRACES = (
    "safety_events", "device_commands", "gate_log", "gate_log_chain", "fabrication_jobs",
    "conversation_requests", "routing_decisions", "memories", "conversation_sessions",
)  # fmt: skip


async def explained(door, person="olga", **body):
    answer = await door.of(person).post(EXPLAIN, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_all_zones_are_listed_with_what_they_demand(door):
    items = (await door.of("olga").get("/api/policies")).json()["items"]
    zones = {each["zone"]["slug"]: each["policy"] for each in items}
    assert zones.keys() == {"floor", "farm", "bay"}
    bay = zones["bay"]
    assert (bay["quorum"], bay["requires_presence"], bay["ppe"]) == (2, True, ["helmet"])
    assert (bay["taint"], bay["time_windows"], bay["max_requests"]) == ("raise", [], None)
    assert zones["floor"]["quorum"] == 0


async def test_a_wish_in_words_is_explained_and_leaves_no_trace(door):
    await door.see("olga", "bay")
    before = {table: await door.count(table) for table in TRACES}
    told = len(door.devices.commands)
    body = await explained(door, text="unlock the bay door")
    (item,) = body["items"]
    assert body["as"]["handle"] == "olga"
    assert (item["verdict"], item["hazard"], item["zone"]) == ("waits", "high", "The bay")
    assert {each["source"] for each in item["reasons"]} == {"action", "zone", "policy"}
    assert [each["handle"] for each in item["signers"]] == ["emil", "sara"]
    assert len(item["needs"]) == 2
    assert item["protection"] == ["helmet"]
    assert all(each["met"] for each in item["checks"])
    assert {table: await door.count(table) for table in TRACES} == before
    assert len(door.devices.commands) == told


async def test_what_would_refuse_is_named(door):
    later = (clock.now() + timedelta(days=2)).isoformat()
    (item,) = (await explained(door, text="unlock the bay door", at=later))["items"]
    assert (item["verdict"], item["code"]) == ("refused", "no_presence")
    unmet = [each for each in item["checks"] if not each["met"]]
    assert [each["rule"] for each in unmet] == ["presence"]
    assert item["signers"] == []


async def test_harmless_things_run_at_once_and_taint_raises_them(door):
    (item,) = (await explained(door, text="turn on the floor light"))["items"]
    assert (item["verdict"], item["hazard"]) == ("clear", "none")
    (item,) = (await explained(door, text="turn on the floor light", tainted=True))["items"]
    assert (item["verdict"], item["hazard"]) == ("waits", "low")
    assert item["reasons"][-1]["source"] == "taint"


async def test_a_tool_with_its_arguments_is_explained(door):
    arguments = {"zone": "floor", "scene": "dim"}
    (item,) = (await explained(door, tool="set_scene", arguments=arguments))["items"]
    assert (item["verdict"], item["needs"]) == ("waits", ["your confirmation"])
    (item,) = (await explained(door, tool="make_coffee", arguments={}))["items"]
    assert (item["verdict"], item["code"]) == ("refused", "unknown_tool")
    (item,) = (await explained(door, tool="unlock_door", arguments={"door": 7}))["items"]
    assert (item["verdict"], item["code"]) == ("refused", "bad_arguments")


async def test_a_tool_that_writes_is_not_run(door):
    before = await door.count("memories")
    (item,) = (await explained(door, tool="remember", arguments={"text": "the key is here"}))[
        "items"
    ]
    assert item["verdict"] == "clear"
    assert await door.count("memories") == before


@pytest.mark.parametrize("person", ["olga", "emil"])
async def test_others_are_explained_to_safety_and_admins_only(door, person):
    body = {"text": "unlock the floor door", "as": "sara"}
    envelope(await door.of(person).post(EXPLAIN, json=body), 403, "not_allowed")
    for trusted in ("sara", "anna"):
        assert (await explained(door, trusted, **body))["as"]["handle"] == "sara"
    assert (await explained(door, person, text=body["text"], **{"as": person}))["items"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 422, "bad_request"),
        ({"text": "hi", "tool": "set_scene"}, 422, "bad_request"),
        ({"text": "hi", "arguments": {}}, 422, "bad_request"),
        ({"text": ""}, 422, "bad_request"),
        ({"text": "x" * 4_001}, 422, "bad_request"),
        ({"text": "unlock the bay door", "at": "tomorrow"}, 422, "bad_request"),
        ({"text": "unlock the bay door", "at": "2026-03-02T10:00:00"}, 422, "bad_request"),
        ({"text": "unlock the bay door", "tainted": 1}, 422, "bad_request"),
        ({"text": "unlock the bay door", "hazard": "none"}, 422, "bad_request"),
        ({"text": "do not unlock the bay door"}, 422, "not_understood"),
        ({"text": "the weather is nice"}, 422, "not_understood"),
    ],
)
async def test_what_is_no_wish_is_refused(door, body, status, code):
    before = await door.count("gate_log")
    envelope(await door.of("olga").post(EXPLAIN, json=body), status, code)
    assert await door.count("gate_log") == before


async def test_strangers_and_nobody(door):
    envelope(await door.of(None).post(EXPLAIN, json={"text": "hi"}), 401, "not_signed_in")
    envelope(await door.of(None).get("/api/policies"), 401, "not_signed_in")
    body = {"text": "unlock the bay door", "as": "ghost"}
    envelope(await door.of("anna").post(EXPLAIN, json=body), 404, "unknown_person")
