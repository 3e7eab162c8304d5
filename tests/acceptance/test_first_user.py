"""What a new user does on the first day, by REST and by `kitt`, told as a story."""

import json
from typing import Any

import pytest
from fakes.house import DOOR, LIGHTS, Demo
from fakes.processes import command_of, cpu_seconds, family, until

pytestmark = pytest.mark.timeout(180)
BOUND = 6.0
"""CPU seconds of all processes until a second start is ready."""


def chat(demo: Demo, text: str, *more: str) -> tuple[int, dict[str, Any]]:
    """Say one thing with `kitt chat --json`; return the exit code and the answer."""
    ran = demo.kitt("chat", "--json", text, *more)
    assert ran.stdout, ran.stderr
    answer: dict[str, Any] = json.loads(ran.stdout)
    return ran.returncode, answer


def approve(demo: Demo, event: str, person: str) -> tuple[int, str]:
    key = demo.home / "keys" / f"{person}.pem"
    ran = demo.kitt("approve", event, "--yes", "--as", person, "--key", key)
    return ran.returncode, ran.stdout + ran.stderr


def outcome_told(demo: Demo, conversation: str, event: str) -> str:
    def told() -> str | None:
        return next(
            (
                each["text"]
                for each in demo.messages(conversation)
                if each["meta"].get("event_id") == event
            ),
            None,
        )

    text = until(told, "the outcome is told in the conversation")
    assert text is not None
    return text


def test_what_the_demo_says_of_itself(demo: Demo) -> None:
    said = demo.announced
    assert set(said) == {"url", "tokens", "keys", "mqtt", "wyoming"}
    assert set(said["tokens"]) == set(said["keys"]) == {"operator", "engineer", "safety", "admin"}
    until(lambda: demo.ready()["ready"], demo.ready)


def test_by_rest(demo: Demo) -> None:
    lights = demo.ask("turn on the welding bay lights")
    assert lights.status_code == 200
    assert lights.json()["calls"][0]["outcome"] == "done"
    assert lights.json()["calls"][0]["receipt"]["command_id"] in demo.carried_out(LIGHTS)
    demo.until_state(LIGHTS, on=True)

    giga = demo.said("what is the Giga doing?")
    assert giga["calls"][0]["outcome"] == "answered"
    assert "idle" in giga["replies"][0]["text"]

    door = demo.ask("unlock the welding bay door for 3 seconds")
    assert door.status_code == 202
    answer = door.json()
    event, conversation = answer["pending_hazard"]["safety_event_id"], answer["conversation_id"]
    assert answer["calls"][0]["outcome"] == "pending"
    assert demo.device(DOOR)["state"]["locked"]
    waiting = demo.get("/api/safety/events", status="pending")["items"]
    assert event in {each["id"] for each in waiting}

    before = demo.carried_out(DOOR)
    first = demo.sign(event, "engineer")
    assert (first.status_code, first.json()["needs"]) == (202, ["the signature of a second person"])
    assert demo.carried_out(DOOR) == before
    twice = demo.sign(event, "engineer")
    assert (twice.status_code, twice.json()["code"]) == (409, "already_signed")
    last = demo.sign(event, "safety")
    assert (last.status_code, last.json()["outcome"]) == (200, "done")
    demo.until_state(DOOR, locked=False)
    assert demo.carried_out(DOOR) == [*before, last.json()["receipt"]["command_id"]]
    assert "unlocked for 3 seconds" in outcome_told(demo, conversation, event)
    demo.until_state(DOOR, locked=True)
    again = demo.sign(event, "safety")
    assert (again.status_code, again.json()["code"]) == (409, "already_settled")
    assert len(demo.carried_out(DOOR)) == len(before) + 1

    happened = demo.said("what happened?", conversation=conversation)["replies"][0]["text"]
    for words in ("Emil Engineer signed", "Sara Safety completed", "asked for approval"):
        assert words in happened
    log = demo.get("/api/routing/logs", conversation_id=conversation)["items"]
    decided = next(each for each in log if each["request_id"] == answer["request_id"])
    assert (decided["outcome"], decided["selected_tier"]) == ("done", "local")
    assert decided["latency_ms"] is not None


def test_by_kitt(demo: Demo) -> None:
    code, lights = chat(demo, "turn off the welding bay lights")
    assert (code, lights["calls"][0]["outcome"]) == (0, "done")
    demo.until_state(LIGHTS, on=False)
    code, giga = chat(demo, "what is the Giga doing?", "-c", "last")
    assert (code, giga["conversation_id"]) == (0, lights["conversation_id"])
    code, door = chat(demo, "unlock the welding bay door for 2 seconds")
    assert code == 2
    event = door["pending_hazard"]["safety_event_id"]
    assert "unlock the welding bay door" in demo.kitt("approvals").stdout
    before = demo.carried_out(DOOR)
    code, said = approve(demo, event, "engineer")
    assert (code, "still waits" in said) == (2, True), said
    code, said = approve(demo, event, "safety")
    assert (code, "Approved, and done" in said) == (0, True), said
    assert len(demo.carried_out(DOOR)) == len(before) + 1
    demo.until_state(DOOR, locked=True)
    code, said = approve(demo, event, "safety")
    assert code == 3, said
    assert len(demo.carried_out(DOOR)) == len(before) + 1
    logs = demo.kitt("routing", "logs")
    assert logs.returncode == 0, logs.stderr
    assert "local" in logs.stdout


def test_five_sentences_of_ones_own(demo: Demo) -> None:
    for text, tool in (
        ("could you switch on the bench lights please", "switch_light"),
        ("is the laser room door locked?", "device_status"),
        ("which printers are free?", "list_printers"),
        ("what is waiting for approval?", None),
        ("how warm is it in the print farm?", None),
    ):
        answer = demo.said(text)
        assert answer["question"] is None, (text, answer["replies"])
        assert answer["calls"], (text, answer["replies"])
        assert answer["calls"][0]["outcome"] in {"done", "answered"}, answer["calls"]
        assert tool in {None, answer["calls"][0]["tool"]}


def test_a_print(demo: Demo) -> None:
    asked = demo.said("print the enclosure panel on the Giga")
    conversation = asked["conversation_id"]
    pending = asked["pending_hazard"]
    assert pending["hazard"] == "medium"
    assert demo.device("giga")["state"]["status"] == "idle"
    signed = demo.sign(pending["safety_event_id"], "operator")
    assert (signed.status_code, signed.json()["outcome"]) == (200, "done"), signed.text
    demo.until_state("giga", status="printing")
    until(lambda: demo.device("giga")["state"]["progress"] > 0, lambda: demo.device("giga"))
    progress = demo.said("how far is the print?", conversation=conversation)
    assert "%" in progress["replies"][0]["text"]
    paused = demo.said("pause it", conversation=conversation)
    assert paused["calls"][0]["outcome"] == "done", paused["replies"]
    demo.until_state("giga", status="paused")
    going_on = demo.said("go on", conversation=conversation)
    if going_on["question"]:  # it may make sure that the print is meant
        going_on = demo.said("yes", conversation=conversation)
    assert going_on["calls"][0]["tool"] == "resume_print", going_on["replies"]
    event = going_on["pending_hazard"]["safety_event_id"]
    assert demo.device("giga")["state"]["status"] == "paused"
    assert demo.sign(event, "engineer").json()["outcome"] == "done"
    demo.until_state("giga", status="printing")
    aborted = demo.said("abort the print", conversation=conversation)
    assert aborted["calls"][0]["outcome"] == "done", aborted["replies"]
    demo.until_state("giga", job_id=None)
    (job,) = demo.rows("select status from fabrication_jobs where name = 'enclosure panel'")
    assert job["status"] == "aborted"


def ask_for_a_scene(demo: Demo) -> tuple[str, str]:
    asked = demo.said("dim the store room lights")
    assert asked["question"]["options"] == ["yes", "no"], asked["replies"]
    return asked["conversation_id"], asked["pending_hazard"]["safety_event_id"]


def test_a_scene_with_a_yes(demo: Demo) -> None:
    conversation, event = ask_for_a_scene(demo)
    said = demo.said("yes", conversation=conversation)
    assert said["calls"][0]["outcome"] == "done", said["replies"]
    demo.until_state("store-room-lights", scene="dim")
    assert demo.get(f"/api/safety/events/{event}")["outcome"] == "done"


def test_a_scene_with_a_no(demo: Demo) -> None:
    before = demo.carried_out("store-room-lights")
    conversation, event = ask_for_a_scene(demo)
    said = demo.said("no", conversation=conversation)
    assert "did not" in said["replies"][0]["text"]
    assert demo.get(f"/api/safety/events/{event}")["status"] == "denied"
    assert demo.said("yes", conversation=conversation)["pending_hazard"] is None
    assert demo.carried_out("store-room-lights") == before


def test_a_yes_of_another_conversation_or_person_counts_nothing(demo: Demo) -> None:
    before = demo.carried_out("store-room-lights")
    _, event = ask_for_a_scene(demo)
    demo.said("yes")
    demo.said("yes", person="engineer")
    other = demo.client("engineer").post(f"/api/safety/events/{event}/confirm")
    assert (other.status_code, other.json()["code"]) == (409, "not_requester") or (
        other.status_code == 403
    )
    assert demo.get(f"/api/safety/events/{event}")["status"] == "pending"
    assert demo.carried_out("store-room-lights") == before
    demo.client().post(f"/api/safety/events/{event}/deny", json={})


def test_keys_that_do_not_count(demo: Demo) -> None:
    before = demo.carried_out(DOOR)
    asked = demo.said("unlock the welding bay door")
    event = asked["pending_hazard"]["safety_event_id"]
    for person in ("operator", "admin"):
        refused = demo.sign(event, person)
        assert (refused.status_code, refused.json()["code"]) == (403, "not_authorised"), person
    forged = demo.sign(event, "safety", signature="AAAA")
    assert (forged.status_code, forged.json()["code"]) == (403, "bad_signature")
    stranger = demo.sign(event, "safety", key_id="sha256:nobody")
    assert (stranger.status_code, stranger.json()["code"]) == (403, "unknown_key")
    # Whoever carries it, a signature is its owner's: the engineer's key counts for the engineer.
    assert demo.sign(event, "safety", key_of="engineer").status_code == 202
    assert demo.sign(event, "engineer").json()["code"] == "already_signed"
    withdrawn = demo.said("withdraw the request", conversation=asked["conversation_id"])
    assert withdrawn["calls"][0]["outcome"] in {"answered", "done"}, withdrawn["replies"]
    assert demo.get(f"/api/safety/events/{event}")["status"] == "denied"
    assert demo.sign(event, "safety").json()["code"] == "already_settled"
    assert demo.carried_out(DOOR) == before


def test_a_no_by_kitt(demo: Demo) -> None:
    before = demo.carried_out(DOOR)
    asked = demo.said("unlock the welding bay door")
    event = asked["pending_hazard"]["safety_event_id"]
    ran = demo.kitt("deny", event, "--as", "safety", "--reason", "somebody is welding")
    assert ran.returncode == 0, ran.stderr
    assert "somebody is welding" in outcome_told(demo, asked["conversation_id"], event)
    assert demo.carried_out(DOOR) == before


def test_the_end_and_the_second_start(demo: Demo) -> None:
    """Ctrl-C leaves nothing running; the next start has everything, and what runs out runs out."""
    waiting = demo.said("unlock the welding bay door")
    event, conversation = waiting["pending_hazard"]["safety_event_id"], waiting["conversation_id"]
    history = demo.messages(conversation)
    lights = demo.device(LIGHTS)["state"]
    logged = demo.get("/api/routing/logs", limit=500)["items"]
    assert demo.child is not None
    below = [command_of(pid) for pid in family(demo.child.pid)]
    assert any("infra.demo" in each for each in below)
    assert any("postgres" in each for each in below)
    assert demo.stop() == 0
    assert not (demo.home / "run.json").exists()

    demo.start()
    until(lambda: demo.ready()["ready"], demo.ready)
    processes = [demo.child.pid, *family(demo.child.pid)]
    assert sum(map(cpu_seconds, processes)) < BOUND
    assert demo.messages(conversation) == history
    again = demo.get("/api/routing/logs", limit=500)["items"]
    assert {each["request_id"] for each in logged} <= {each["request_id"] for each in again}
    assert demo.device(LIGHTS)["state"]["on"] == lights["on"]
    assert demo.get(f"/api/safety/events/{event}")["status"] == "pending"
    before = demo.carried_out(DOOR)
    assert demo.sign(event, "engineer").status_code == 202
    assert demo.sign(event, "safety").json()["outcome"] == "done"
    assert len(demo.carried_out(DOOR)) == len(before) + 1
    outcome_told(demo, conversation, event)
