"""Devices that are silent, late, double, unwilling or away: told as it is, settled later."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from fakes.house import LIGHTS, STORE_LIGHTS, House, house
from fakes.processes import until
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def kitty() -> Iterator[House]:
    with house(environment={"KITTY_COMMAND_SECONDS": "2"}) as running:
        yield running


@pytest.fixture(autouse=True)
def well(kitty: House) -> Iterator[None]:
    yield
    kitty.well(LIGHTS)
    kitty.until_state(LIGHTS, online_state="online")


def switch(kitty: House) -> tuple[dict[str, Any], dict[str, Any]]:
    """Switch the light over; return the answer and the command's row."""
    on = kitty.device(LIGHTS)["state"]["on"]
    answer = kitty.said(f"turn {'off' if on else 'on'} the welding bay lights")
    return answer, row(kitty, answer)


def row(kitty: House, answer: dict[str, Any]) -> dict[str, Any]:
    (command,) = kitty.rows(
        "select id::text, outcome, failure_code, late_ack_at from device_commands"
        " where request_id::text = %s",
        answer["request_id"],
    )
    return command


def test_never_answers_and_did_not_act(kitty: House) -> None:
    before = kitty.carried_out(LIGHTS)
    kitty.order(LIGHTS, "silent", acts=False)
    answer, command = switch(kitty)
    assert answer["calls"][0]["outcome"] == command["outcome"] == "unknown"
    assert command["failure_code"] == "ack_timeout"
    assert "receipt" not in answer["calls"][0]
    assert kitty.carried_out(LIGHTS) == before
    assert "no answer" in answer["replies"][0]["text"].lower(), answer["replies"]


def test_never_answers_but_shows_that_it_acted(kitty: House) -> None:
    kitty.order(LIGHTS, "silent")
    answer, command = switch(kitty)
    # Its state lists the command as carried out: seen in time, or a moment later.
    assert answer["calls"][0]["outcome"] in {"done", "unknown"}
    until(lambda: row(kitty, answer)["outcome"] == "done", lambda: row(kitty, answer))
    assert kitty.carried_out(LIGHTS)[-1] == command["id"]


def test_answers_twice(kitty: House) -> None:
    before = kitty.carried_out(LIGHTS)
    kitty.order(LIGHTS, "twice")
    answer, command = switch(kitty)
    assert answer["calls"][0]["outcome"] == "done"
    assert kitty.carried_out(LIGHTS) == [*before, command["id"]]
    assert row(kitty, answer)["late_ack_at"] is None


def test_refuses(kitty: House) -> None:
    before = kitty.carried_out(LIGHTS)
    kitty.order(LIGHTS, "refuse")
    answer, command = switch(kitty)
    assert answer["calls"][0]["outcome"] == command["outcome"] == "failed"
    assert command["failure_code"] == "device_error"
    assert kitty.carried_out(LIGHTS) == before


def test_goes_offline_by_its_last_will(kitty: House) -> None:
    kitty.order(LIGHTS, "offline")
    kitty.until_state(LIGHTS, online_state="offline")
    answer = kitty.said("turn on the welding bay lights")
    assert answer["calls"][0]["outcome"] == "refused"
    assert answer["calls"][0]["code"] == "device_offline"
    commanded = kitty.rows(
        "select 1 from device_commands where request_id::text = %s", answer["request_id"]
    )
    assert commanded == []
    kitty.well(LIGHTS)
    kitty.until_state(LIGHTS, online_state="online")
    assert kitty.said("turn on the welding bay lights")["calls"][0]["outcome"] == "done"


def test_falls_silent(kitty: House) -> None:
    """The lab stops for good without a word for one device: silence says it is away."""
    with_quick_patience = "update devices set silent_after = interval '1 s' where external_id = %s"
    kitty.change(with_quick_patience, LIGHTS)
    try:
        kitty.until_state(LIGHTS, online_state="offline")
        answer = kitty.said("turn on the welding bay lights")
        assert answer["calls"][0]["outcome"] == "refused"
    finally:
        kitty.change("update devices set silent_after = '60 s' where external_id = %s", LIGHTS)
        kitty.order(LIGHTS, "offline")
        kitty.well(LIGHTS)


def test_answers_late(kitty: House) -> None:
    kitty.order(LIGHTS, "late")
    answer, command = switch(kitty)
    # Its state lists the command before the acknowledgement comes.
    assert answer["calls"][0]["outcome"] in {"unknown", "done"}
    until(lambda: row(kitty, answer)["outcome"] == "done", lambda: row(kitty, answer))
    assert kitty.carried_out(LIGHTS)[-1] == command["id"]


def test_answers_long_after_everybody_gave_up(kitty: House) -> None:
    kitty.order(LIGHTS, "silent", acts=False)
    answer, command = switch(kitty)
    assert command["outcome"] == "unknown"
    ack = {
        "v": 1,
        "command_id": command["id"],
        "ok": True,
        "code": None,
        "detail": "",
        "at": datetime.now(UTC).isoformat(),
    }
    say(kitty, f"kitty/devices/{STORE_LIGHTS}/ack", ack)  # not its own command: nothing changes
    say(kitty, f"kitty/devices/{LIGHTS}/ack", ack)
    until(lambda: row(kitty, answer)["late_ack_at"], lambda: row(kitty, answer))
    assert row(kitty, answer)["outcome"] == "done"
    told = kitty.said("what happened in the last minute?")["replies"][0]["text"]
    (line,) = (each for each in told.splitlines() if command["id"][-8:] in each)
    assert "– done" in line


def say(kitty: House, topic: str, body: dict[str, Any]) -> None:
    """Speak on the broker as a device does."""
    login = json.loads((kitty.home / "mqtt" / "devices.json").read_text())
    device = Client(CallbackAPIVersion.VERSION2, client_id="late-device")
    device.username_pw_set(login["username"], login["password"])
    device.connect(login["host"], login["port"])
    device.loop_start()
    device.publish(topic, json.dumps(body), qos=1).wait_for_publish(10)
    device.disconnect()
    device.loop_stop()
