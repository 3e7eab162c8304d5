"""Many voices at once: in order, none lost, none mixed up, each done once."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from fakes.house import LIGHTS, STORE_LIGHTS, House, house, new_key
from fakes.processes import until

pytestmark = pytest.mark.timeout(120)
FLOOR = "main-floor-bench"


@pytest.fixture(scope="module")
def kitty() -> Iterator[House]:
    with house(environment={"KITTY_COMMAND_SECONDS": "3"}) as running:
        yield running


@pytest.fixture(autouse=True)
def well(kitty: House) -> Iterator[None]:
    yield
    kitty.well(LIGHTS, STORE_LIGHTS, FLOOR)
    kitty.settled()


@pytest.fixture
def crowd() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(24) as pool:
        yield pool


def new_conversation(kitty: House) -> str:
    conversation: str = kitty.said("hello")["conversation_id"]
    return conversation


def under_way(kitty: House, conversation: str) -> None:
    """Wait until a command of the conversation has been sent and is not answered yet."""
    until(
        lambda: kitty.rows(
            "select 1 from device_commands where conversation_id::text=%s and status='sent'",
            conversation,
        ),
        "a command is under way",
    )


def test_twenty_at_once_from_two_clients(kitty: House, crowd: ThreadPoolExecutor) -> None:
    conversation = new_conversation(kitty)
    names = {LIGHTS: "welding bay", STORE_LIGHTS: "store room"}
    token = (kitty.home / "tokens" / "operator.token").read_text().strip()
    other = httpx.Client(
        base_url=kitty.url, headers={"authorization": f"Bearer {token}"}, timeout=60
    )
    wishes = [
        f"turn {'on' if number % 3 else 'off'} the {list(names.values())[number % 2]} lights"
        for number in range(20)
    ]

    def say(number: int) -> tuple[str, dict[str, Any]]:
        client = kitty.client() if number % 2 else other
        body = {"input": {"text": wishes[number]}, "conversation_id": conversation}
        response = client.post("/api/query", json=body)
        assert response.status_code == 200, response.text
        return wishes[number], response.json()

    before = {name: len(kitty.carried_out(name)) for name in names}
    with other:
        answers = list(crowd.map(say, range(20)))
    for wish, answer in answers:
        (call,) = answer["calls"]
        assert (call["outcome"], call["arguments"]["on"]) == ("done", " on " in wish)
    for name, spoken in names.items():
        asked = sum(spoken in wish for wish in wishes)
        assert len(kitty.carried_out(name)) - before[name] == asked
    assert len({answer["request_id"] for _, answer in answers}) == 20
    told = kitty.messages(conversation)[2:]
    asked_in = [each["request_id"] for each in told if each["role"] == "user"]
    answered_in = [each["request_id"] for each in told if each["role"] == "assistant"]
    assert len(asked_in) == len(set(asked_in)) == 20
    assert answered_in == asked_in
    by_request = {answer["request_id"]: (wish, answer) for wish, answer in answers}
    for each in told:
        wish, answer = by_request[each["request_id"]]
        said = wish if each["role"] == "user" else answer["replies"][0]["text"]
        assert each["text"] == said
    # What the last one meant is what the conversation is about, and the lights are as it says.
    last, _ = by_request[answered_in[-1]]
    reply = kitty.said("turn it off", conversation=conversation)
    device = next(name for name, spoken in names.items() if spoken in last)
    assert [call["outcome"] for call in reply["calls"]] == ["done"], reply["replies"]
    assert kitty.until_state(device, on=False)


def test_stop_everything_does_not_wait(kitty: House, crowd: ThreadPoolExecutor) -> None:
    kitty.said("turn on the compressor")
    conversation = new_conversation(kitty)
    kitty.order(LIGHTS, "silent", acts=False)
    slow = crowd.submit(kitty.said, "turn on the welding bay lights", conversation=conversation)
    under_way(kitty, conversation)
    stopped = kitty.said("stop everything", conversation=conversation)
    assert not slow.done()
    assert stopped["calls"][0]["tool"] == "stop_everything"
    assert slow.result()["calls"][0]["outcome"] == "unknown"
    said = kitty.messages(conversation)
    assert said[-1]["request_id"] == slow.result()["request_id"]
    assert len([each for each in said if each["request_id"] == stopped["request_id"]]) == 2


def test_the_same_key_twice(kitty: House) -> None:
    before, key = kitty.carried_out(FLOOR), new_key()
    first = kitty.said("turn on the bench lights", client_key=key)
    second = kitty.said("turn on the bench lights", client_key=key)
    assert second == first
    assert len(kitty.carried_out(FLOOR)) == len(before) + 1
    conversations = kitty.get("/api/conversations")["items"]
    assert all(each["title"] != "None" for each in conversations)


@pytest.mark.parametrize("text", ["turn on the bench lights", "stop everything"])
def test_the_same_key_at_once(kitty: House, crowd: ThreadPoolExecutor, text: str) -> None:
    conversation, before, key = new_conversation(kitty), kitty.carried_out(FLOOR), new_key()
    start = threading.Barrier(8)

    def say() -> dict[str, Any]:
        start.wait(10)
        return kitty.said(text, conversation=conversation, client_key=key)

    answers = [each.result() for each in [crowd.submit(say) for _ in range(8)]]
    assert all(answer == answers[0] for answer in answers)
    assert len(kitty.messages(conversation)) == 4
    assert len(kitty.carried_out(FLOOR)) == len(before) + ("bench" in text)


def test_a_listener_who_leaves_does_not_stop_the_turn(kitty: House) -> None:
    conversation, before = new_conversation(kitty), kitty.carried_out(LIGHTS)
    kitty.order(LIGHTS, "late")
    body = {"input": {"text": "turn on the welding bay lights"}, "conversation_id": conversation}
    with kitty.client().stream("POST", "/api/query/stream", json=body) as response:
        lines = response.iter_lines()
        assert next(line for line in lines if line.startswith("event: ")) == "event: routed"
        under_way(kitty, conversation)
    kitty.well(LIGHTS)
    kitty.settled()
    assert [each["role"] for each in kitty.messages(conversation)][2:] == ["user", "assistant"]
    assert len(kitty.carried_out(LIGHTS)) == len(before) + 1


def test_two_conversations_do_not_wait_for_each_other(
    kitty: House, crowd: ThreadPoolExecutor
) -> None:
    slow, quick = new_conversation(kitty), new_conversation(kitty)
    kitty.order(LIGHTS, "silent", acts=False)
    waiting: Future[dict[str, Any]] = crowd.submit(
        kitty.said, "turn on the welding bay lights", conversation=slow
    )
    under_way(kitty, slow)
    answer = kitty.said("turn on the store room lights", conversation=quick)
    assert answer["calls"][0]["outcome"] == "done"
    assert not waiting.done()
    assert waiting.result()["calls"][0]["outcome"] == "unknown"


def test_somebody_elses_conversation_is_unknown(kitty: House) -> None:
    conversation = new_conversation(kitty)
    response = kitty.ask("hello", person="engineer", conversation=conversation)
    assert (response.status_code, response.json()["code"]) == (404, "unknown_conversation")
    assert len(kitty.messages(conversation)) == 2


def test_the_stream_says_the_same_as_the_answer(kitty: House) -> None:
    body = {"input": {"text": "turn off the store room lights"}}
    with kitty.client().stream("POST", "/api/query/stream", json=body) as response:
        events = [line.removeprefix("data: ") for line in response.iter_lines() if "data:" in line]
    finished = json.loads(events[-1])
    told = kitty.messages(finished["conversation_id"])
    assert told[-1]["text"] == finished["replies"][0]["text"]
    assert finished["calls"][0]["outcome"] == "done"
