"""Saying something over HTTP: the whole answer, the streamed one, and what is kept of it."""

import asyncio
import json
from uuid import UUID, uuid4

import pytest
from fakes.envelopes import envelope

pytestmark = pytest.mark.anyio
ANSWER = {
    "conversation_id", "request_id", "replies", "calls", "routing", "pending_hazard", "question",
    "artifacts", "citations",
}  # fmt: skip
DECISION = {
    "id", "conversation_id", "request_id", "input_hash", "selected_tier", "confidence",
    "cost_estimate", "latency_ms", "escalation_reason", "performed_by", "created_at",
}  # fmt: skip


def frames(text: str) -> list[tuple[str, dict]]:
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
        if "event" in fields:
            found.append((fields["event"], json.loads(fields["data"])))
    return found


async def test_a_harmless_command_reaches_the_device_and_the_answer_says_so(door):
    answer = await door.say("turn on the floor light")
    assert answer.status_code == 200
    body = answer.json()
    assert body.keys() == ANSWER
    assert body["routing"].keys() >= DECISION
    assert body["routing"]["selected_tier"] == "local"
    (call,) = body["calls"]
    light = await door.id_of("devices", "external_id", "floor-light")
    assert (call["tool"], call["outcome"]) == ("switch_light", "done")
    assert call["arguments"] == {"target": light, "on": True}
    assert call["names"] == {"target": "floor light"}
    sent = door.devices.commands[-1]
    assert sent["command_id"] == call["receipt"]["command_id"]
    assert (sent["device"], sent["intent"], sent["payload"]) == (
        "floor-light",
        "switch",
        {"on": True},
    )
    assert body["replies"][0]["role"] == "assistant"
    assert body["pending_hazard"] is body["question"] is None


async def test_a_hazardous_command_waits(door):
    answer = await door.say("unlock the bay door")
    assert answer.status_code == 202
    pending = answer.json()["pending_hazard"]
    assert pending["hazard"] == "high"
    assert pending["needs"]
    assert pending["approve_url"] == f"/approvals/{pending['safety_event_id']}"
    assert answer.json()["calls"][0]["outcome"] == "pending"
    assert [each for each in door.devices.commands if each["intent"] == "unlock"] == []


async def test_prompt_is_taken_for_the_text_but_not_beside_it(door):
    client = door.of("olga")
    answer = await client.post("/api/query", json={"prompt": "is the floor light on?"})
    assert answer.status_code == 200
    assert answer.json()["calls"][0]["outcome"] == "answered"
    both = {"prompt": "hello", "input": {"text": "hello"}}
    envelope(await client.post("/api/query", json=both), 422, "bad_request")
    envelope(await client.post("/api/query", json={}), 422, "bad_request")


async def test_the_stream_says_how_it_is_answered_first_and_the_whole_answer_last(door):
    async with door.of("olga").stream(
        "POST", "/api/query/stream", json={"input": {"text": "turn off the floor light"}}
    ) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        told = frames((await answer.aread()).decode())
    names = [name for name, _ in told]
    assert names[0] == "routed"
    assert names[-1] == "finished"
    assert names.index("acted") < names.index("said")
    bodies = dict(told)
    assert bodies["routed"].keys() >= DECISION
    assert bodies["finished"].keys() == ANSWER
    assert bodies["acted"]["names"] == {"target": "floor light"}


async def test_a_hazard_is_streamed_as_waiting(door):
    async with door.of("olga").stream(
        "POST", "/api/query/stream", json={"input": {"text": "turn on the welder"}}
    ) as answer:
        told = frames((await answer.aread()).decode())
    assert [name for name, _ in told][:3] == ["routed", "acted", "waiting"]
    assert dict(told)["finished"]["pending_hazard"] == dict(told)["waiting"]


async def test_a_conversation_goes_on_and_can_be_read(door):
    first = (await door.say("turn on the floor light")).json()
    talk = first["conversation_id"]
    second = (await door.say("turn it off again", conversation_id=talk)).json()
    assert second["conversation_id"] == talk
    assert second["calls"][0]["arguments"] == {**first["calls"][0]["arguments"], "on": False}
    client = door.of("olga")
    mine = (await client.get("/api/conversations")).json()
    assert mine["items"][0].keys() == {"id", "title", "last_message_at"}
    assert (mine["items"][0]["id"], mine["items"][0]["title"]) == (talk, "turn on the floor light")
    messages = (await client.get(f"/api/conversations/{talk}/messages")).json()
    assert [each["role"] for each in messages["items"]] == ["user", "assistant"] * 2
    assert messages["next_cursor"] is None


async def test_lists_are_paged(door):
    talk = (await door.say("hello")).json()["conversation_id"]
    for _ in range(3):
        await door.say("what can you do?", conversation_id=talk)
    client, path = door.of("olga"), f"/api/conversations/{talk}/messages"
    whole = (await client.get(path)).json()["items"]
    pages, cursor = [], None
    while cursor is not None or not pages:
        query = {"limit": 3} | ({"cursor": cursor} if cursor else {})
        page = (await client.get(path, params=query)).json()
        pages, cursor = [page["items"], *pages], page["next_cursor"]
    assert [len(each) for each in pages] == [2, 3, 3]
    assert [each for page in pages for each in page] == whole
    mine = (await client.get("/api/conversations", params={"limit": 100})).json()["items"]
    found, cursor = [], None
    while cursor is not None or not found:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await client.get("/api/conversations", params=query)).json()
        found, cursor = found + page["items"], page["next_cursor"]
    assert found == mine


async def test_somebody_elses_conversation_is_as_unknown_as_none(door):
    talk = (await door.say("hello")).json()["conversation_id"]
    emil = door.of("emil")
    for conversation in (talk, str(uuid4())):
        envelope(
            await door.say("hello", "emil", conversation_id=conversation),
            404,
            "unknown_conversation",
        )
        for leaf in ("messages", "events"):
            answer = await emil.get(f"/api/conversations/{conversation}/{leaf}")
            envelope(answer, 404, "unknown_conversation")
    assert (await door.sql("select count(*) from conversation_requests where user_id = %s and conversation_id = %s",
                           await door.id_of("users", "handle", "emil"), talk)) == [(0,)]  # fmt: skip


async def test_the_same_client_key_gives_the_same_answer_and_one_command(door):
    before, talks = len(door.devices.commands), await door.count("conversation_sessions")
    first, *others = await asyncio.gather(
        *(door.say("turn on the floor light", client_key="once") for _ in range(4))
    )
    assert {each.status_code for each in others} == {200}
    assert all(each.json() == first.json() for each in others)
    assert len(door.devices.commands) == before + 1
    assert await door.count("conversation_sessions") == talks + 1


async def test_what_happens_later_is_told_to_who_listens(door):
    answer = (await door.say("turn on the bay light")).json()
    talk = answer["conversation_id"]
    pending = (await door.say("unlock the bay door", conversation_id=talk)).json()["pending_hazard"]
    olga = door.of("olga")
    async with olga.stream("GET", f"/api/conversations/{talk}/events") as listening:
        lines = listening.aiter_lines()
        assert await anext(lines) == ": listening"
        denied = await olga.post(f"/api/safety/events/{pending['safety_event_id']}/deny", json={})
        assert denied.status_code == 200
        async with asyncio.timeout(15):
            told = [line async for line in _until(lines, "data: ")]
    message = json.loads(told[-1].removeprefix("data: "))
    assert message["role"] == "assistant"
    assert message["meta"]["event_id"] == pending["safety_event_id"]


async def _until(lines, start):
    async for line in lines:
        yield line
        if line.startswith(start):
            return


async def test_the_correlation_id_goes_from_the_door_to_the_device_and_the_log(door):
    given = f"test-{UUID(int=7).hex}"
    for path, body in (
        ("/api/query", {"input": {"text": "turn on the floor light"}}),
        ("/api/tools/switch_light", {"target": "floor light", "on": True}),
        (f"/api/devices/{'floor-light'}/command", {"intent": "switch", "payload": {"on": True}}),
    ):
        door.log.seek(0)
        door.log.truncate()
        headers = {"x-correlation-id": given + path.replace("/", "-")}
        answer = await door.of("olga").post(path, json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        assert answer.headers["x-correlation-id"] == headers["x-correlation-id"]
        assert door.devices.commands[-1]["correlation_id"] == headers["x-correlation-id"]
        lines = [json.loads(line) for line in door.log.getvalue().splitlines()]
        ours = [each for each in lines if each.get("correlation_id") == headers["x-correlation-id"]]
        assert [(each["event"], each["status"]) for each in ours if each["event"] == "request"] == [
            ("request", 200)
        ]


async def test_a_broken_correlation_id_is_replaced(door):
    for bad in ("x" * 101, "a b", "a;b", "é", ""):
        answer = await door.of("olga").get(
            "/api/me", headers={"x-correlation-id": bad.encode("latin-1")}
        )
        assert answer.headers["x-correlation-id"] not in {bad, ""}


async def test_a_device_that_never_answers_is_unknown_not_done(door):
    door.devices.silent.add("floor-light")
    try:
        answer = await door.say("turn on the floor light")
    finally:
        door.devices.silent.clear()
    (call,) = answer.json()["calls"]
    assert (answer.status_code, call["outcome"], call["code"]) == (200, "unknown", "no_answer")


async def test_a_device_that_refuses_is_failed(door):
    door.devices.refuses["floor-light"] = "device_error"
    try:
        answer = await door.say("turn on the floor light")
    finally:
        door.devices.refuses.clear()
    (call,) = answer.json()["calls"]
    assert (call["outcome"], call["code"]) == ("failed", "device_error")


async def test_a_tier_that_is_not_configured_says_so(door):
    answer = await door.say("turn on the floor light", force_tier="frontier")
    assert answer.status_code == 200
    routing = answer.json()["routing"]
    assert (routing["forced"], routing["selected_tier"]) == (True, "local")
    assert routing["escalation_reason"] == "forced_tier:tier_not_configured"
    assert "No frontier model is set up" in answer.json()["replies"][-1]["text"]
