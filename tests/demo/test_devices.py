"""Manners on the wire, in virtual time: once or not at all, deadlines, restarts, faults."""

import json
from datetime import timedelta
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.demo.doors import Door
from infra.demo.lights import Light
from infra.demo.power import Power
from infra.demo.printers import Printer
from infra.demo.sensors import Sensor

LAMP = Light(intents=frozenset({"switch", "set_scene"}), scenes=("bright", "dim"))
DOOR = Door(intents=frozenset({"lock", "unlock"}))
POWER = Power(intents=frozenset({"cut_power", "enable_power"}), rated_watts=1_000)
same_folder = settings(
    max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)


def test_a_light_switches_and_says_so(stage) -> None:
    light = stage.device(LAMP)
    light.on_command(stage.command("switch", {"on": True}))
    assert not stage.acks(), "it takes a moment"
    stage.pass_time(0.1)
    (ack,) = stage.acks()
    assert ack == {
        "v": 1,
        "command_id": "c1",
        "ok": True,
        "code": None,
        "detail": "The lights are on",
        "at": ack["at"],
    }
    assert stage.state["state"] == {"on": True, "scene": None}
    assert stage.state["commands"] == ["c1"]


@same_folder
@given(ids=st.lists(st.sampled_from("abcde"), min_size=1, max_size=20), crash_at=st.integers(0, 19))
def test_each_command_is_carried_out_once_whatever_is_repeated_and_restarted(
    stage, ids: list[str], crash_at: int
) -> None:
    stage.folder.joinpath("thing.json").unlink(missing_ok=True)
    stage.sent.clear()
    on = {name: place % 2 == 0 for place, name in enumerate("abcde")}
    light, last = stage.device(LAMP), None
    for place, name in enumerate(ids):
        if place == crash_at:
            light = stage.device(LAMP)
        light.on_command(stage.command("switch", {"on": on[name]}, name=name))
        stage.pass_time(0.1)
        if name not in ids[:place]:
            last = on[name]
        assert stage.state["state"]["on"] is last
    assert stage.state["commands"] == list(dict.fromkeys(ids))
    for name in set(ids):
        assert len(stage.acks(name)) == ids.count(name)
        assert all(ack["ok"] for ack in stage.acks(name))


def test_a_command_cut_short_by_a_restart_is_never_carried_out(stage) -> None:
    command = stage.command("switch", {"on": True})
    stage.device(LAMP).on_command(command)
    light = stage.device(LAMP)
    light.on_command(command)
    stage.pass_time(1)
    (ack,) = stage.acks()
    assert (ack["ok"], ack["code"]) == (False, "device_error")
    light.publish_state()
    assert stage.state["state"]["on"] is False


@given(late=st.floats(0, 1_000))
@same_folder
def test_after_the_deadline_nothing_moves(stage, late: float) -> None:
    stage.folder.joinpath("thing.json").unlink(missing_ok=True)
    stage.sent.clear()
    door = stage.device(DOOR)
    door.on_command(stage.command("unlock", {"seconds": 5}, seconds=-late))
    stage.pass_time(1)
    assert [ack["code"] for ack in stage.acks()] == ["too_late"]
    assert stage.state["state"]["locked"] is True


def test_a_deadline_that_passes_while_the_bolt_moves_counts(stage) -> None:
    door = stage.device(DOOR)
    door.on_command(stage.command("unlock", {"seconds": 5}, seconds=0.1))
    stage.pass_time(1)
    assert [ack["code"] for ack in stage.acks()] == ["too_late"]
    assert stage.state["state"]["locked"] is True


def test_a_door_relocks_by_itself(stage) -> None:
    door = stage.device(DOOR)
    door.on_command(stage.command("unlock", {"seconds": 5}))
    stage.pass_time(1)
    assert stage.state["state"]["locked"] is False
    relocks = stage.state["state"]["relocks_at"]
    stage.pass_time(5)
    assert stage.state["state"] == {"locked": True, "open": False, "relocks_at": None}
    assert relocks <= stage.state["at"]


def test_doors_and_power_come_up_safe_and_lights_as_they_were(stage, tmp_path) -> None:
    for machine, intent, payload, field, kept in (
        (DOOR, "unlock", {"seconds": 60}, "locked", True),
        (POWER, "enable_power", {}, "on", False),
        (LAMP, "set_scene", {"scene": "dim"}, "scene", "dim"),
    ):
        stage.folder = tmp_path / intent
        stage.folder.mkdir()
        stage.device(machine).on_command(stage.command(intent, payload))
        stage.pass_time(1)
        stage.device(machine).publish_state()
        assert stage.state["state"][field] == kept


@pytest.mark.parametrize(
    ("machine", "intent", "payload", "code"),
    [
        (LAMP, "explode", {}, "unknown_intent"),
        (LAMP, "unlock", {"seconds": 5}, "unknown_intent"),
        (LAMP, "switch", {}, "bad_payload"),
        (LAMP, "switch", {"on": 1}, "bad_payload"),
        (LAMP, "switch", {"on": True, "device": "x"}, "bad_payload"),
        (LAMP, "set_scene", {"scene": "disco"}, "bad_payload"),
        (DOOR, "unlock", {"seconds": 61}, "bad_payload"),
        (DOOR, "unlock", {"seconds": True}, "bad_payload"),
        (DOOR, "unlock", {"seconds": 0}, "bad_payload"),
        (DOOR, "lock", {"now": True}, "bad_payload"),
        (Sensor(), "switch", {"on": True}, "unknown_intent"),
    ],
)
def test_what_is_not_understood_is_refused(stage, machine, intent, payload, code) -> None:
    stage.device(machine).on_command(stage.command(intent, payload))
    stage.pass_time(1)
    assert [ack["code"] for ack in stage.acks()] == [code]
    assert stage.state["commands"] == []


@pytest.mark.parametrize(
    "changes",
    [
        {"deadline": "soon"},
        {"deadline": "2026-01-01T00:00:00"},
        {"payload": []},
        {"intent": 5},
        {"v": 2},
        {"safety_event_id": 7},
    ],
)
def test_a_malformed_command_is_answered_and_not_carried_out(stage, changes) -> None:
    light = stage.device(LAMP)
    light.on_command(stage.command("switch", {"on": True}, changes=changes))
    stage.pass_time(1)
    assert [ack["code"] for ack in stage.acks()] == ["bad_payload"]
    light.publish_state()
    assert stage.state["state"]["on"] is False


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff",
        b"[]",
        b'{"command_id": "a", "command_id": "a"}',
        b'{"command_id": NaN}',
        b'{"a":' * 40 + b"1" + b"}" * 40,
        b"[" * 100_000,
        b'{"command_id": ""}',
        b" " * 70_000,
    ],
)
def test_noise_is_ignored(stage, raw: bytes) -> None:
    stage.device(LAMP).on_command(raw)
    stage.pass_time(1)
    assert not [what for what, _ in stage.sent if what == "ack"]


def order(device, fault: str, **more) -> None:
    device.on_order({"device": "thing", "fault": fault, **more})


def test_a_silent_device_acts_and_says_nothing_until_it_is_well(stage) -> None:
    light = stage.device(LAMP)
    order(light, "silent", seconds=5)
    light.on_command(stage.command("switch", {"on": True}))
    stage.pass_time(1)
    assert not stage.acks()
    assert stage.state["state"]["on"] is True
    stage.pass_time(5)
    light.on_command(stage.command("switch", {"on": False}, name="c2"))
    stage.pass_time(1)
    assert stage.acks("c2")


def test_a_silent_device_can_be_told_not_to_act(stage) -> None:
    light = stage.device(LAMP)
    order(light, "silent", acts=False)
    light.on_command(stage.command("switch", {"on": True}))
    stage.pass_time(1)
    assert not stage.acks()
    assert stage.state["state"]["on"] is False
    assert stage.state["commands"] == []


def test_a_late_device_acknowledges_after_the_deadline(stage) -> None:
    light = stage.device(LAMP)
    order(light, "late")
    deadline = stage.now + timedelta(seconds=10)
    light.on_command(stage.command("switch", {"on": True}))
    stage.pass_time(9)
    assert not stage.acks()
    assert stage.state["state"]["on"] is True
    stage.pass_time(3)
    (ack,) = stage.acks()
    assert ack["ok"]
    assert ack["at"] > deadline.isoformat()


def test_other_bad_manners(stage) -> None:
    light = stage.device(LAMP)
    order(light, "twice")
    light.on_command(stage.command("switch", {"on": True}))
    stage.pass_time(1)
    assert len(stage.acks()) == 2
    order(light, "refuse")
    light.on_command(stage.command("switch", {"on": False}, name="c2"))
    stage.pass_time(1)
    assert [ack["code"] for ack in stage.acks("c2")] == ["device_error"]
    assert stage.state["state"]["on"] is True
    order(light, "offline")
    assert stage.dropped
    order(light, "none")
    assert not stage.dropped
    order(light, "haunted")
    light.on_command(stage.command("switch", {"on": False}, name="c3"))
    stage.pass_time(1)
    assert [ack["ok"] for ack in stage.acks("c3")] == [True]


def test_smoke_is_seen_in_state_and_telemetry(stage) -> None:
    sensor = stage.device(Sensor(usual_c=21.0))
    order(sensor, "smoke", seconds=30)
    assert stage.state["state"]["smoke"] is True
    stage.pass_time(11)
    readings = [m["values"]["smoke_ppm"] for what, m in stage.sent if what == "telemetry"]
    assert readings[-1] > 100
    stage.pass_time(30)
    assert stage.state["state"]["smoke"] is False


def test_a_printer_reports_while_it_prints(stage, cold_printer: Printer, print_of) -> None:
    printer = stage.device(cold_printer)
    printer.on_command(stage.command("start_print", print_of()))
    stage.pass_time(700)
    progress = [m["state"]["progress"] for what, m in stage.sent if what == "state"]
    assert progress == sorted(progress)
    assert len(set(progress)) > 20
    watts = [m["values"]["power_watts"] for what, m in stage.sent if what == "telemetry"]
    assert len(watts) == 70
    assert max(watts) > 400
    order(printer, "jam")
    assert stage.state["fault"] == "Filament jam"
    kept = json.loads((stage.folder / "thing.json").read_text())
    assert kept["kept"]["status"] == "error"


def test_the_heartbeat_comes_every_20_seconds(stage) -> None:
    stage.device(LAMP)
    stage.pass_time(100)
    assert 5 <= len([what for what, _ in stage.sent if what == "state"]) <= 6


def test_a_device_remembers_a_thousand_commands_and_reports_sixteen(stage) -> None:
    light = stage.device(LAMP)
    for number in range(1_010):
        light.on_command(stage.command("switch", {"on": True}, name=f"n{number}"))
        stage.pass_time(0.1)
    assert stage.state["commands"] == [f"n{number}" for number in range(994, 1_010)]
    light = stage.device(LAMP)
    light.on_command(stage.command("switch", {"on": False}, name="n10"))
    stage.pass_time(1)
    light.publish_state()
    assert stage.state["state"]["on"] is True


def test_a_flood_is_answered_with_busy_and_stays_refused(stage) -> None:
    light = stage.device(LAMP)
    for number in range(70):
        light.on_command(stage.command("switch", {"on": True}, name=f"n{number}"))
    stage.pass_time(5)
    light.on_command(stage.command("switch", {"on": False}, name="n69"))
    stage.pass_time(1)
    assert [ack["ok"] for ack in stage.acks("n63")] == [True]
    assert [ack["code"] for ack in stage.acks("n69")] == ["busy", "busy"]
    assert stage.state["state"]["on"] is True


def test_power_draws_only_when_it_is_on() -> None:
    assert POWER.readings(Random(1)) == {"power_watts": 0.0}
    live = Power(intents=POWER.intents, rated_watts=1_000, on=True)
    assert 40 <= live.readings(Random(1))["power_watts"] <= 60
