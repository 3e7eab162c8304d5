"""A device with its check, in virtual time: what it refuses moves nothing, and is reported."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from fakes.approvals import Signers
from fakes.stage import Stage

from infra.demo.device import Device
from infra.demo.doors import Door
from infra.demo.guard import Guard, TrustBook
from infra.demo.memory import Memory
from infra.demo.prepare import prepare
from safety.trust import read_trust

NAME = "welding-bay-door"
DOOR = Door(intents=frozenset({"lock", "unlock"}))


class Guarded(Stage):
    """A door of the demo lab on a stage, with the lab's trust file."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.home = home
        self.signers = Signers(home)

    def door(self) -> Device:
        """Switch it on; again is a restart."""
        return self.device(DOOR, speed=10.0, name=NAME, check=self._guard)

    def _guard(self, memory: Memory) -> Guard:
        book = TrustBook(self.home / "trust.json")
        return Guard(device=NAME, book=book, memory=memory, now=lambda: self.now)

    def unlock(self, **more: Any) -> dict[str, Any]:
        return self.signers.message(NAME, "unlock", {"seconds": 5}, now=self.now, **more)

    def opened(self) -> int:
        """Count how often the bolt went back."""
        locked = [m["state"]["locked"] for what, m in self.sent if what == "state"]
        return sum(was and not now for was, now in pairwise(locked))

    def refusals(self) -> list[dict[str, Any]]:
        return [m["values"] for what, m in self.sent if what == "telemetry"]


@pytest.fixture
def stage(tmp_path: Path) -> Guarded:
    prepare(tmp_path, seed=1)
    return Guarded(tmp_path)


def raw(message: dict[str, Any], **changes: Any) -> bytes:
    return json.dumps(message | changes).encode()


def test_a_signed_command_opens_the_door_once_also_after_a_restart(stage: Guarded) -> None:
    door, message = stage.door(), stage.unlock()
    door.publish_state()
    door.on_command(raw(message))
    stage.pass_time(1)
    assert [ack["ok"] for ack in stage.acks(message["command_id"])] == [True]
    stage.pass_time(10)
    door = stage.door()
    door.on_command(raw(message))
    stage.pass_time(1)
    assert [ack["ok"] for ack in stage.acks(message["command_id"])] == [True, True]
    assert stage.opened() == 1


def test_an_approval_that_was_used_stays_used_when_the_command_is_forgotten(
    stage: Guarded,
) -> None:
    door, message = stage.door(), stage.unlock(seconds=200)
    door.publish_state()
    door.on_command(raw(message))
    stage.pass_time(10)
    for number in range(1_001):
        door.on_command(raw(message, command_id=f"n{number}", intent="lock", payload={}))
        stage.pass_time(0.1)
    for device in (door, stage.door()):
        device.on_command(raw(message))
        stage.pass_time(1)
        ack = stage.acks(message["command_id"])[-1]
        assert (ack["ok"], ack["code"]) == (False, "not_authorised")
        assert ack["detail"].startswith("replayed:")
    assert stage.opened() == 1


def test_a_forgery_does_not_spoil_the_command_that_it_imitates(stage: Guarded) -> None:
    door, message = stage.door(), stage.unlock()
    door.publish_state()
    for changes in (
        {"envelope": None},
        {"payload": {"seconds": 60}},
        {"envelope": message["envelope"] | {"payload": "AAAA"}},
    ):
        door.on_command(raw(message, **changes))
        stage.pass_time(0.1)
    assert [ack["code"] for ack in stage.acks(message["command_id"])] == ["not_authorised"] * 3
    assert stage.opened() == 0
    door.on_command(raw(message))
    stage.pass_time(1)
    assert stage.acks(message["command_id"])[-1]["ok"]
    assert stage.opened() == 1


def test_refused_commands_are_counted_and_reported_once_a_second(stage: Guarded) -> None:
    door, message = stage.door(), stage.unlock()
    for number in range(200):
        door.on_command(raw(message, command_id=f"n{number}", envelope=None))
        door.on_command(raw(message, command_id=f"m{number}"))
        door.on_command(raw(message, command_id=f"o{number}", device="laser-room-door"))
    assert not stage.refusals()
    stage.pass_time(1.1)
    assert stage.refusals() == [
        {
            "edge_refused": 600,
            "edge_refused_no_envelope": 200,
            "edge_refused_wrong_command": 200,
            "edge_refused_wrong_device": 200,
        }
    ]
    door.publish_state()
    assert stage.state["commands"] == []


def test_locking_works_without_trust_and_opening_does_not(stage: Guarded) -> None:
    door, message = stage.door(), stage.unlock()
    door.on_command(raw(message))
    stage.pass_time(1)
    assert stage.state["state"]["locked"] is False
    for content in (b"", b"{}"):
        (stage.home / "trust.json").write_bytes(content)
        lock = {**message, "command_id": f"lock{len(content)}", "intent": "lock", "payload": {}}
        door.on_command(raw(lock, envelope=None))
        stage.pass_time(1)
        assert stage.state["state"]["locked"] is True
        again = stage.unlock()
        door.on_command(raw(again))
        stage.pass_time(1)
        assert stage.acks(again["command_id"])[-1]["detail"].startswith("no_trust:")
    assert stage.state["state"]["locked"] is True


def test_a_newer_trust_file_counts_at_once(stage: Guarded) -> None:
    door = stage.door()
    path = stage.home / "trust.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    for key in document["keys"]:
        key["revoked"] = key["person"] == "safety"
    path.write_text(json.dumps(document), encoding="utf-8")
    message = stage.unlock()
    door.on_command(raw(message))
    stage.pass_time(1)
    assert stage.acks(message["command_id"])[-1]["detail"].startswith("revoked_key:")


def test_an_exported_trust_file_is_not_overwritten(stage: Guarded) -> None:
    path = stage.home / "trust.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(document | {"issued_by": "kitt trust export"}), encoding="utf-8")
    before = path.read_bytes()
    prepare(stage.home, seed=1)
    assert path.read_bytes() == before
    path.write_text("broken", encoding="utf-8")
    prepare(stage.home, seed=1)
    assert set(read_trust(path.read_bytes()).people) >= {"operator", "safety"}


def test_without_the_check_the_same_forgeries_open_the_door(stage: Guarded) -> None:
    """Positive control: what is refused above would have moved the bolt."""
    message = stage.unlock(seconds=200)
    forgeries = [raw(message, envelope=None), raw(message, command_id="copy")]
    for check, opened in ((stage._guard, 0), (None, 2)):
        stage.sent.clear()
        stage.folder = stage.home / str(opened)
        stage.folder.mkdir()
        door = stage.device(DOOR, speed=10.0, name=NAME, check=check)
        door.publish_state()
        for forgery in forgeries:
            door.on_command(forgery)
            stage.pass_time(7)
        assert stage.opened() == opened
