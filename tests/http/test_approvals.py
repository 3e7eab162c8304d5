"""Approvals over HTTP: the signature is what counts, whoever carries it."""

import base64
import hashlib
from uuid import uuid4

import pytest
from fakes.envelopes import envelope
from fakes.world import Keyring

pytestmark = pytest.mark.anyio
EVENTS = "/api/safety/events"


async def ask(door, text="unlock the bay door"):
    return (await door.say(text)).json()["pending_hazard"]["safety_event_id"]


async def sign(door, event, person, key=None, **changed):
    ring = key or door.keys[person]
    shown = (await door.of(person).get(f"{EVENTS}/{event}")).json()
    signature = ring.sign(bytes.fromhex(shown["digest"]))
    body = {"key_id": ring.id, "signature": base64.b64encode(signature).decode()} | changed
    return await door.of(person).post(f"{EVENTS}/{event}/approve", json=body)


async def test_two_people_sign_and_the_stored_action_runs_once(door):
    await door.see("olga", "bay")
    event = await ask(door)
    shown = (await door.of("emil").get(f"{EVENTS}/{event}")).json()
    assert hashlib.sha256(base64.b64decode(shown["canonical"])).hexdigest() == shown["digest"]
    assert (shown["status"], shown["hazard"]) == ("pending", "high")
    first = await sign(door, event, "emil")
    assert (first.status_code, first.json()["outcome"]) == (202, "pending")
    assert first.json()["signed_by"] == ["Emil"]
    before = len(door.devices.commands)
    second = await sign(door, event, "sara")
    assert (second.status_code, second.json()["outcome"]) == (200, "done")
    sent = door.devices.commands[before:]
    assert [each["intent"] for each in sent] == ["unlock"]
    assert sent[0]["command_id"] == second.json()["receipt"]["command_id"]
    assert sent[0]["safety_event_id"] == event
    envelope(await sign(door, event, "sara"), 409, "already_settled")
    after = (await door.of("emil").get(f"{EVENTS}/{event}")).json()
    assert (after["status"], after["outcome"]) == ("approved", "done")
    assert len(door.devices.commands) == before + 1


async def test_a_signature_that_does_not_count_changes_nothing(door):
    event, other = await ask(door), await ask(door, "turn on the welder")
    shown = (await door.of("emil").get(f"{EVENTS}/{other}")).json()
    wrong = base64.b64encode(door.keys["emil"].sign(bytes.fromhex(shown["digest"]))).decode()
    before = len(door.devices.commands)
    envelope(await sign(door, event, "emil", signature=wrong), 403, "bad_signature")
    envelope(await sign(door, event, "emil", signature="???"), 422, "bad_signature")
    envelope(await sign(door, event, "emil", signature=""), 422, "bad_request")
    envelope(await sign(door, event, "emil", Keyring()), 403, "unknown_key")
    envelope(await sign(door, str(uuid4()), "emil", digest="x") if False else
             await door.of("emil").post(f"{EVENTS}/{uuid4()}/approve", json={"key_id": "k", "signature": "aaaa"}),
             404, "unknown_event")  # fmt: skip
    assert len(door.devices.commands) == before
    assert (await door.of("emil").get(f"{EVENTS}/{event}")).json()["signed_by"] == []


async def test_one_person_is_not_two(door):
    event = await ask(door)
    assert (await sign(door, event, "emil")).status_code == 202
    envelope(await sign(door, event, "emil"), 409, "already_signed")


async def test_a_low_hazard_is_confirmed_by_whoever_asked(door):
    answer = await door.say("set the floor light to bright")
    pending = answer.json()["pending_hazard"]
    assert (answer.status_code, pending["hazard"]) == (202, "low")
    event = pending["safety_event_id"]
    envelope(await door.of("emil").post(f"{EVENTS}/{event}/confirm"), 403, "not_requester")
    done = await door.of("olga").post(f"{EVENTS}/{event}/confirm")
    assert (done.status_code, done.json()["outcome"]) == (200, "done")
    envelope(await door.of("olga").post(f"{EVENTS}/{event}/confirm"), 409, "already_settled")


async def test_a_high_hazard_cannot_be_confirmed(door):
    answer = await door.of("olga").post(f"{EVENTS}/{await ask(door)}/confirm")
    envelope(answer, 409, answer.json()["code"])


async def test_denied_with_a_reason(door):
    event = await ask(door)
    answer = await door.of("sara").post(
        f"{EVENTS}/{event}/deny", json={"reason": "somebody is inside"}
    )
    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["outcome"]) == ("denied", "refused")
    shown = (await door.of("olga").get(f"{EVENTS}/{event}")).json()
    assert "somebody is inside" in shown["reason"]
    envelope(await sign(door, event, "emil"), 409, "already_settled")
    envelope(
        await door.of("sara").post(f"{EVENTS}/{event}/deny", json={"reason": "x" * 501}),
        422,
        "bad_request",
    )


async def test_unknown_events(door):
    client, event = door.of("olga"), uuid4()
    envelope(await client.get(f"{EVENTS}/{event}"), 404, "unknown_event")
    envelope(await client.post(f"{EVENTS}/{event}/confirm"), 404, "unknown_event")
    envelope(await client.post(f"{EVENTS}/{event}/deny", json={}), 404, "unknown_event")
    envelope(await client.get(f"{EVENTS}/not-an-id"), 422, "bad_request")


async def test_the_list_is_paged_and_filtered(door):
    for _ in range(5):
        await ask(door)
    client = door.of("olga")
    whole = (await client.get(EVENTS, params={"limit": 100})).json()["items"]
    assert len(whole) >= 5
    assert whole == sorted(whole, key=lambda each: each["created_at"], reverse=True)
    found, cursor = [], None
    while cursor is not None or not found:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await client.get(EVENTS, params=query)).json()
        found, cursor = found + page["items"], page["next_cursor"]
    assert [each["id"] for each in found] == [each["id"] for each in whole]
    for status in ("pending", "approved", "denied"):
        some = (await client.get(EVENTS, params={"status": status, "limit": 100})).json()["items"]
        assert [each["id"] for each in some] == [
            each["id"] for each in whole if each["status"] == status
        ]
    envelope(await client.get(EVENTS, params={"status": "maybe"}), 422, "bad_request")
