"""kill -9 at every point of a turn: answered after the restart, and done exactly once."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import httpx
import pytest
from fakes.house import DOOR, LIGHTS, STORE_LIGHTS, House, new_key
from fakes.processes import until

pytestmark = pytest.mark.timeout(300)

NEVER_SENT = "after ledger.mark_sent"
"""Here the command counts as sent and is not on the wire yet."""


def points(usual: Sequence[str], more: Sequence[str]) -> list[Any]:
    """Return points to die at; those of `more` only in the long run (`make soak`)."""
    return [*usual, *(pytest.param(each, marks=pytest.mark.slow) for each in more)]


LIGHT_POINTS = points(
    (
        "after conversations.accept",
        "after checkpoint of understand",
        "after checkpoint of route",
        "after checkpoint of act",
        "after ledger.open_command",
        "after ledger.mark_sent",
        "before ledger.close",
        "after checkpoint of respond",
        "after conversations.close",
        "after checkpoint of end",
    ),
    (
        "before checkpoint of understand",
        "before checkpoint of route",
        "before routing.write",
        "after routing.write",
        "before checkpoint of act",
        "before ledger.open_command",
        "before ledger.mark_sent",
        "after ledger.close",
        "before checkpoint of respond",
        "before conversations.close",
        "before checkpoint of end",
    ),
)
WAITING_POINTS = points(
    ("after ledger.open_event", "after conversations.close", "after checkpoint of wait"),
    (
        "before ledger.open_event",
        "after checkpoint of respond",
        "before conversations.close",
        "before checkpoint of wait",
    ),
)
SIGNING_POINTS = points(
    (
        "after ledger.sign",
        "after ledger.claim",
        "before ledger.close",
        "before conversations.report",
        "after checkpoint of report",
    ),
    (
        "before ledger.sign",
        "before ledger.approve",
        "after ledger.approve",
        "before ledger.claim",
        "before ledger.mark_sent",
        "after ledger.mark_sent",
        "after ledger.close",
        "after conversations.report",
        "before checkpoint of report",
        "after checkpoint of end",
    ),
)
CONFIRM_POINTS = points(
    ("after ledger.confirm", "after ledger.claim"),
    (
        "after ledger.approve",
        "after ledger.mark_sent",
        "before ledger.close",
        "after ledger.close",
    ),
)


@pytest.fixture
def doomed(mortal: House) -> Iterator[House]:
    mortal.well()
    yield mortal
    (mortal.home / "doom").unlink(missing_ok=True)
    mortal.well()
    assert mortal.server is not None
    if not mortal.server.running:
        mortal.restart_server()


def killed(house: House, point: str, work: Any) -> None:
    """Do something during which the server dies at that point; then start it again."""
    doom = house.home / "doom"
    doom.write_text(point)
    with suppress(httpx.HTTPError):
        work()
    server = house.server
    assert server is not None
    until(lambda: not server.running, f"it never came to {point!r}")
    doom.unlink()
    house.restart_server()


def commands(house: House, request: str) -> list[dict[str, Any]]:
    return house.rows(
        "select id::text, outcome, ack_at from device_commands where request_id = %s", request
    )


def request_of(house: House, key: str) -> str:
    (row,) = house.rows("select id::text from conversation_requests where client_key = %s", key)
    found: str = row["id"]
    return found


def check_answered(house: House, key: str, text: str, conversation: str) -> dict[str, Any]:
    """Ask again with the same key: the stored answer, told once in the history."""
    answer = house.said(text, conversation=conversation, client_key=key)
    request = request_of(house, key)
    assert answer["request_id"] == request
    told = [each for each in house.messages(conversation) if each["request_id"] == request]
    assert [each["role"] for each in told][:2] == ["user", "assistant"]
    assert told[1]["text"] == "\n".join(reply["text"] for reply in answer["replies"])
    (decision,) = house.rows(
        "select completed_at, latency_ms, outcome from routing_decisions where request_id = %s",
        request,
    )
    assert decision["completed_at"] is not None
    return answer


@pytest.mark.parametrize("point", LIGHT_POINTS)
def test_a_light(doomed: House, point: str) -> None:
    conversation = doomed.said("hello")["conversation_id"]
    before, key = doomed.carried_out(LIGHTS), new_key()
    text = f"turn {'off' if doomed.device(LIGHTS)['state']['on'] else 'on'} the welding bay lights"
    killed(doomed, point, lambda: doomed.ask(text, conversation=conversation, client_key=key))
    answer = check_answered(doomed, key, text, conversation)
    (command,) = commands(doomed, answer["request_id"])
    if point == NEVER_SENT:
        # Whoever marks a command as sent sends it, and nobody else: better not at all than twice.
        assert [call["outcome"] for call in answer["calls"]] == ["unknown"]
        assert doomed.carried_out(LIGHTS) == before
        return
    assert [call["outcome"] for call in answer["calls"]] == ["done"]
    assert (command["outcome"], command["ack_at"] is not None) == ("done", True)
    assert doomed.carried_out(LIGHTS) == [*before, command["id"]]


def test_a_light_after_it_was_sent_and_before_it_answered(doomed: House) -> None:
    conversation = doomed.said("hello")["conversation_id"]
    before, key = doomed.carried_out(LIGHTS), new_key()
    text = f"turn {'off' if doomed.device(LIGHTS)['state']['on'] else 'on'} the welding bay lights"
    doomed.order(LIGHTS, "silent")
    with pytest.raises(httpx.HTTPError):
        ask_and_kill(doomed, before, text, conversation, key)
    doomed.well(LIGHTS)
    doomed.start_server()
    answer = check_answered(doomed, key, text, conversation)
    assert [call["outcome"] for call in answer["calls"]] == ["done"]
    (command,) = commands(doomed, answer["request_id"])
    assert doomed.carried_out(LIGHTS) == [*before, command["id"]]


def ask_and_kill(house: House, before: list[str], text: str, conversation: str, key: str) -> None:
    body = {"input": {"text": text}, "conversation_id": conversation, "client_key": key}
    client = house.client()
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(lambda: client.post("/api/query", json=body))
        until(lambda: len(house.carried_out(LIGHTS)) > len(before), "the light has acted")
        assert house.server is not None
        house.server.kill()
        asked.result()


@pytest.mark.parametrize(
    "point", points(["after ledger.close"], ["after ledger.open_command", "before ledger.close"])
)
def test_many_machines_at_once(doomed: House, point: str) -> None:
    """What was done before the end is not done again, what was not is done, each as itself."""
    conversation = doomed.said("hello")["conversation_id"]
    lights = [
        each["external_id"]
        for each in doomed.get("/api/devices")["items"]
        if each["kind"] == "light"
    ]
    before = {name: doomed.carried_out(name) for name in lights}
    key, text = new_key(), "turn off all the lights"
    killed(doomed, point, lambda: doomed.ask(text, conversation=conversation, client_key=key))
    answer = check_answered(doomed, key, text, conversation)
    doomed.settled()
    rows = doomed.rows(
        """select c.id::text, c.outcome, d.external_id as device from device_commands c
           join devices d on d.id = c.device_id where c.request_id::text = %s""",
        answer["request_id"],
    )
    assert sorted(row["device"] for row in rows) == sorted(lights)
    for row in rows:
        fresh = doomed.carried_out(row["device"])[len(before[row["device"]]) :]
        assert fresh in ([], [row["id"]])
        assert (row["outcome"] == "done") == bool(fresh), row
    said = {call["outcome"] for call in answer["calls"]}
    assert said <= {"done", "unknown"}, answer["replies"]


def door_opened_once(house: House, before: list[str], event: str) -> None:
    """Check that the event has one command, and that this opened the door once."""
    (command,) = house.rows(
        "select id::text, outcome, request_id::text from device_commands where safety_event_id=%s",
        event,
    )
    assert command["outcome"] == "done"
    assert house.carried_out(DOOR) == [*before, command["id"]]
    shown = house.get(f"/api/safety/events/{event}")
    assert shown["outcome"] == "done"


def told_once(house: House, conversation: str, event: str, outcome: str = "done") -> None:
    def told() -> list[dict[str, Any]]:
        return [
            each for each in house.messages(conversation) if each["meta"].get("event_id") == event
        ]

    until(told, "the outcome is told")
    assert [each["meta"]["outcome"] for each in told()] == [outcome]


def relocked(house: House) -> None:
    """Put the lock on, so that the next opening is one."""
    house.said("lock the welding bay door")
    house.until_state(DOOR, locked=True)


def sign_both(house: House, event: str) -> None:
    assert house.sign(event, "engineer").status_code == 202
    last = house.sign(event, "safety")
    assert (last.status_code, last.json()["outcome"]) == (200, "done"), last.text


@pytest.mark.parametrize("point", WAITING_POINTS)
def test_a_door_that_waits(doomed: House, point: str) -> None:
    relocked(doomed)
    conversation = doomed.said("hello")["conversation_id"]
    before, key, text = doomed.carried_out(DOOR), new_key(), "unlock the welding bay door"
    killed(doomed, point, lambda: doomed.ask(text, conversation=conversation, client_key=key))
    answer = check_answered(doomed, key, text, conversation)
    event = answer["pending_hazard"]["safety_event_id"]
    assert doomed.get(f"/api/safety/events/{event}")["status"] == "pending"
    pending = doomed.rows(
        "select id::text from safety_events where request_id = %s", answer["request_id"]
    )
    assert [each["id"] for each in pending] == [event]
    assert doomed.carried_out(DOOR) == before
    sign_both(doomed, event)
    door_opened_once(doomed, before, event)
    told_once(doomed, conversation, event)


@pytest.mark.parametrize("point", SIGNING_POINTS)
def test_a_door_that_is_being_signed(doomed: House, point: str) -> None:
    relocked(doomed)
    asked = doomed.said("unlock the welding bay door")
    before, event = doomed.carried_out(DOOR), asked["pending_hazard"]["safety_event_id"]
    assert doomed.sign(event, "engineer").status_code == 202
    killed(doomed, point, lambda: doomed.sign(event, "safety"))
    if point == "before ledger.sign":
        assert doomed.get(f"/api/safety/events/{event}")["status"] == "pending"
        assert doomed.carried_out(DOOR) == before
        assert doomed.sign(event, "safety").json()["outcome"] == "done"
    else:
        until(
            lambda: doomed.get(f"/api/safety/events/{event}")["outcome"],
            lambda: doomed.get(f"/api/safety/events/{event}"),
        )
    if point == NEVER_SENT:
        told_once(doomed, asked["conversation_id"], event, "unknown")
        assert doomed.carried_out(DOOR) == before
        return
    door_opened_once(doomed, before, event)
    told_once(doomed, asked["conversation_id"], event)
    again = doomed.sign(event, "safety")
    assert (again.status_code, again.json()["code"]) == (409, "already_settled")


@pytest.mark.parametrize("point", CONFIRM_POINTS)
def test_a_yes(doomed: House, point: str) -> None:
    asked = doomed.said("dim the store room lights")
    conversation = asked["conversation_id"]
    assert asked["question"], asked["replies"]
    before, key = doomed.carried_out(STORE_LIGHTS), new_key()
    killed(doomed, point, lambda: doomed.ask("yes", conversation=conversation, client_key=key))
    answer = check_answered(doomed, key, "yes", conversation)
    outcome = "unknown" if point == NEVER_SENT else "done"
    doomed.settled()
    (command,) = doomed.rows(
        "select outcome from device_commands where safety_event_id::text = %s",
        asked["pending_hazard"]["safety_event_id"],
    )
    assert command["outcome"] == outcome
    # While nobody knows, it says that the command is under way.
    told = "pending" if point == NEVER_SENT else "done"
    assert [call["outcome"] for call in answer["calls"]] == [told], answer["replies"]
    assert len(doomed.carried_out(STORE_LIGHTS)) == len(before) + (outcome == "done")
