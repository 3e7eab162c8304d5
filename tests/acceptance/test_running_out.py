"""What nobody answers runs out: it never runs, and whoever asked is told."""

from collections.abc import Iterator

import pytest
from fakes.house import DOOR, Demo, quick_folder
from fakes.processes import until

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def hasty() -> Iterator[Demo]:
    with quick_folder() as home:
        running = Demo(home, environment={"KITTY_APPROVAL_SECONDS": "2"})
        try:
            running.start()
            yield running
        finally:
            running.close()


def expired(demo: Demo, event: str) -> bool:
    shown = demo.get(f"/api/safety/events/{event}")
    return shown["status"] == "denied" and "ran out" in shown["reason"]


def test_a_scene(hasty: Demo) -> None:
    before = hasty.carried_out("store-room-lights")
    asked = hasty.said("dim the store room lights")
    event = asked["pending_hazard"]["safety_event_id"]
    until(lambda: expired(hasty, event), lambda: hasty.get(f"/api/safety/events/{event}"))
    late = hasty.said("yes", conversation=asked["conversation_id"])
    assert all(call["outcome"] == "refused" for call in late["calls"]), late
    confirm = hasty.client().post(f"/api/safety/events/{event}/confirm")
    assert (confirm.status_code, confirm.json()["code"]) == (409, "already_settled")
    assert hasty.carried_out("store-room-lights") == before


def test_a_door(hasty: Demo) -> None:
    before = hasty.carried_out(DOOR)
    asked = hasty.said("unlock the welding bay door")
    event = asked["pending_hazard"]["safety_event_id"]
    assert hasty.sign(event, "engineer").status_code == 202
    until(lambda: expired(hasty, event), lambda: hasty.get(f"/api/safety/events/{event}"))
    assert hasty.sign(event, "safety").json()["code"] == "already_settled"
    assert hasty.carried_out(DOOR) == before
    until(
        lambda: [
            each
            for each in hasty.messages(asked["conversation_id"])
            if each["meta"].get("event_id") == event and "ran out" in each["text"]
        ],
        lambda: hasty.messages(asked["conversation_id"]),
    )
