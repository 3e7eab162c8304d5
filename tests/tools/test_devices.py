"""Lights, doors, power, cameras, people."""

from dataclasses import replace
from datetime import timedelta

import pytest
from fakes.desk import NOW, SAFETY, Room, make_id

from safety.actions import CutPower, EnablePower, LockDoor, SetScene, SwitchLight, UnlockDoor
from safety.entities import OnlineState, PresenceSource
from tests.tools.conftest import Call, NotingGate
from tools.desk import Sighting
from tools.run import CallOutcome

pytestmark = pytest.mark.anyio


async def text_of(call: Call, name: str, **arguments: object) -> str:
    result = await call(name, **arguments)
    assert result.answer is not None, result.declined
    return result.answer.text


# -- acting -----------------------------------------------------------------------------------


async def test_a_zone_means_all_its_lights_and_nothing_else(
    call: Call, gate: NotingGate, room: Room
) -> None:
    await call("switch_light", target="welding bay", on=False)
    lamps = [room.view("Welding bay lights"), room.view("Bench lamp")]
    assert gate.proposed == [
        SwitchLight(device=each.device.id, zone=each.zone.id, on=False) for each in lamps
    ]


@pytest.mark.parametrize("target", ["Welding bay lights", "the welding bay lights", "bench lamp"])
async def test_a_lights_own_name_means_only_that_light(
    call: Call, gate: NotingGate, target: str
) -> None:
    await call("switch_light", target=target, on=True)
    assert len(gate.proposed) == 1


async def test_zones_and_lights_go_by_id(call: Call, gate: NotingGate, room: Room) -> None:
    await call("switch_light", target=str(room.view("Bench lamp").zone.id), on=True)
    assert len(gate.proposed) == 2
    await call("switch_light", target=str(room.view("Bench lamp").device.id), on=True)
    assert len(gate.proposed) == 3


async def test_a_zone_without_lights_says_so(call: Call, gate: NotingGate) -> None:
    result = await call("switch_light", target="store room", on=True)
    assert result.declined is not None
    assert result.declined.code == "nothing_there"
    assert gate.proposed == []


async def test_switching_a_door_as_a_light_is_refused(call: Call, gate: NotingGate) -> None:
    result = await call("switch_light", target="Welding bay door", on=True)
    assert result.declined is not None
    assert result.declined.code == "wrong_kind"
    assert gate.proposed == []


async def test_a_scene_reaches_the_lights_that_have_it(
    call: Call, gate: NotingGate, room: Room
) -> None:
    await call("set_scene", zone="welding bay", scene="Evening")
    lights = room.view("Welding bay lights")
    assert gate.proposed == [
        SetScene(device=lights.device.id, zone=lights.zone.id, scene="evening")
    ]


async def test_an_unknown_scene_names_those_there_are(call: Call) -> None:
    result = await call("set_scene", zone="welding bay", scene="disco")
    assert result.declined is not None
    assert result.declined.code == "unknown_scene"
    assert [each.id for each in result.declined.choices] == ["evening", "work"]
    result = await call("set_scene", zone="print farm", scene="work")
    assert result.declined is not None
    assert result.declined.code == "no_scenes"


@pytest.mark.parametrize(
    ("tool", "arguments", "kind", "name"),
    [
        ("lock_door", {"door": "laser room"}, LockDoor, "Laser room door"),
        ("unlock_door", {"door": "the bay"}, UnlockDoor, "Welding bay door"),
        ("cut_power", {"device": "cutter"}, CutPower, "Laser cutter"),
        ("enable_power", {"device": "laser cutter"}, EnablePower, "Laser cutter"),
    ],
)
async def test_doors_and_power_are_told_what_was_asked(
    call: Call, gate: NotingGate, room: Room, tool: str, arguments: dict, kind: type, name: str
) -> None:
    result = await call(tool, **arguments)
    view = room.view(name)
    assert result.outcome is CallOutcome.DONE
    assert gate.proposed == [kind(device=view.device.id, zone=view.zone.id)]


async def test_a_door_opens_for_as_long_as_was_asked_and_no_longer_than_a_minute(
    call: Call, gate: NotingGate
) -> None:
    await call("unlock_door", door="laser room", seconds=60)
    assert gate.proposed[0].arguments == {"seconds": 60}
    for seconds in (0, 61, -1, 10.5):
        result = await call("unlock_door", door="laser room", seconds=seconds)
        assert result.declined is not None
        assert result.declined.code == "bad_arguments"
    assert len(gate.proposed) == 1


@pytest.mark.parametrize(
    ("tool", "argument"),
    [
        ("switch_light", "target"),
        ("set_scene", "zone"),
        ("lock_door", "door"),
        ("unlock_door", "door"),
        ("cut_power", "device"),
        ("enable_power", "device"),
        ("who_is_in", "zone"),
        ("show_camera", "target"),
        ("device_status", "device"),
        ("device_status", "zone"),
        ("list_devices", "zone"),
    ],
)
async def test_what_nobody_knows_is_refused(
    call: Call, gate: NotingGate, tool: str, argument: str
) -> None:
    rest = {"switch_light": {"on": True}, "set_scene": {"scene": "work"}}.get(tool, {})
    for text in ("zzyzx qqq", str(make_id("nobody"))):
        result = await call(tool, **rest, **{argument: text})
        assert result.declined is not None
        assert result.declined.code in {"unknown_device", "unknown_zone"}
    assert gate.proposed == []


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("lock_door", {"door": "room"}),
        ("unlock_door", {"door": "room"}),
        ("cut_power", {"device": "room"}),
        ("enable_power", {"device": "room"}),
        ("switch_light", {"target": "room", "on": True}),
        ("show_camera", {"target": "room"}),
        ("who_is_in", {"zone": "room"}),
        ("set_scene", {"zone": "room", "scene": "work"}),
        ("device_status", {"device": "laser"}),
    ],
)
async def test_what_could_be_several_is_asked_back(
    call: Call, gate: NotingGate, room: Room, tool: str, arguments: dict
) -> None:
    for name in ("Welding bay door", "Laser cutter", "Welder", "Welding bay lights", "Bench lamp"):
        old = room.view(name)
        new = f"{name} room" if name.startswith("Weld") else f"{name}, room two"
        room.lab.views[room.lab.views.index(old)] = replace(
            old, device=replace(old.device, name=new)
        )
    result = await call(tool, **arguments)
    assert result.declined is not None
    assert result.declined.code == "ambiguous"
    assert len(result.declined.choices) >= 2
    assert gate.proposed == []


# -- looking ----------------------------------------------------------------------------------


async def test_the_state_is_told_plainly(call: Call) -> None:
    for name, words in {
        "welding bay door": "The Welding bay door is locked.",
        "laser room door": "The Laser room door is unlocked and open.",
        "welding bay lights": "The Welding bay lights are on.",
        "bench lamp": "The Bench lamp is off.",
        "welder": "The Welder is on.",
        "bay sensor": "The Bay sensor reads 24.5 °C and no smoke.",
        "bay camera": "The Bay camera is recording.",
        "giga": "Giga is printing, 42 %, about 18 minutes left,"
        " nozzle 215 of 215 °C, bed 60 of 60 °C.",
        "mk4": "MK4 is idle.",
    }.items():
        assert await text_of(call, "device_status", device=name) == words


async def test_an_old_state_is_told_with_its_time(call: Call, room: Room) -> None:
    room.change("Welding bay door", state_at=NOW - timedelta(minutes=2))
    assert "as last reported" not in await text_of(call, "device_status", device="welding door")
    room.change("Welding bay door", state_at=NOW - timedelta(minutes=5))
    assert await text_of(call, "device_status", device="welding door") == (
        "The Welding bay door is locked, as last reported at 09:58 UTC."
    )


async def test_offline_says_since_when_and_claims_no_state(call: Call, room: Room) -> None:
    room.change("Welding bay door", online=OnlineState.OFFLINE, state_at=NOW - timedelta(minutes=9))
    assert await text_of(call, "device_status", device="welding door") == (
        "The Welding bay door is offline since 10:02 UTC. Last reported at 09:54 UTC: locked."
    )
    room.change("Welding bay door", state={}, state_at=None)
    told = await text_of(call, "device_status", device="welding door")
    assert told.endswith("I do not know its state.")


async def test_a_fault_is_told(call: Call, room: Room) -> None:
    room.change("Giga", online=OnlineState.FAULT, fault="nozzle clogged")
    told = await text_of(call, "device_status", device="giga")
    assert told.endswith("It reports a fault: nozzle clogged.")
    overview = await text_of(call, "device_status")
    assert "1 with a fault" in overview
    assert "Giga (Print farm)" in overview


async def test_nothing_reported_is_said_as_such(call: Call, room: Room) -> None:
    room.change("Welding bay door", state={"locked": "yes", "open": 3})
    assert "has not reported more yet" in await text_of(
        call, "device_status", device="welding door"
    )


async def test_lists_count_cap_and_hand_programs_everything(call: Call, room: Room) -> None:
    result = await call("list_devices")
    assert result.answer is not None
    lines = result.answer.text.splitlines()
    assert lines[0] == (
        "3 printers, 1 camera, 3 lights, 2 doors, 2 machines with switchable power"
        " and 1 sensor: all online."
    )
    assert len(lines) == 13
    assert result.answer.spoken.endswith("The rest is on your screen.")
    room.lab.views = [room.view("Bench lamp")] * 40
    result = await call("list_devices")
    assert result.answer is not None
    lines = result.answer.text.splitlines()
    assert lines[-1] == "... and 29 more."
    assert len(lines) == 13
    assert len(result.answer.data["devices"]) == 40


async def test_a_list_can_be_narrowed_by_kind_and_zone(call: Call) -> None:
    result = await call("list_devices", kind="door", zone="laser room")
    assert result.answer is not None
    assert [each["name"] for each in result.answer.data["devices"]] == ["Laser room door"]
    assert await text_of(call, "list_devices", kind="sensor", zone="store room") == (
        "There are no sensors in the Store room."
    )


async def test_a_list_can_be_narrowed_to_one_state(call: Call, room: Room) -> None:
    assert await text_of(call, "list_devices", state="offline") == "No device is offline."
    assert await text_of(call, "list_devices", kind="door", state="fault") == "No door is in fault."
    room.change("Bench lamp", online=OnlineState.OFFLINE)
    room.change("Giga", online=OnlineState.ONLINE, fault="nozzle clogged")
    result = await call("list_devices", state="offline")
    assert result.answer is not None
    assert result.answer.text.startswith("1 device offline.")
    assert [each["name"] for each in result.answer.data["devices"]] == ["Bench lamp"]
    assert (await text_of(call, "list_devices", state="fault")).startswith("1 device with a fault.")
    result = await call("list_devices", kind="printer", state="online")
    assert result.answer is not None
    assert "Giga" not in [each["name"] for each in result.answer.data["devices"]]
    result = await call("list_devices", state="asleep")
    assert result.declined is not None
    assert result.declined.code == "bad_arguments"


async def test_who_is_in_says_who_when_and_how_it_is_known(call: Call, room: Room) -> None:
    empty = await text_of(call, "who_is_in", zone="welding bay")
    assert empty.startswith("Nobody was seen in the Welding bay lately.")
    zone = room.view("Welder").zone.id
    seen = Sighting(
        user=SAFETY, source=PresenceSource.UNIFI, observed_at=NOW - timedelta(minutes=3)
    )
    room.lab.sightings[zone] = [seen]
    assert await text_of(call, "who_is_in", zone="welding bay") == (
        "1 person last seen in the Welding bay:\nSafety: seen 3 minutes ago, says a badge reader"
    )


async def test_a_picture_comes_with_its_age(call: Call, room: Room) -> None:
    camera = room.view("Bay camera").device.id
    result = await call("show_camera", target="welding bay")
    assert result.answer is not None
    assert result.answer.text == "The Bay camera has not sent a picture yet."
    assert result.answer.artifacts == ()
    room.lab.pictures[camera] = NOW - timedelta(seconds=12)
    room.change("Bay camera", online=OnlineState.OFFLINE)
    result = await call("show_camera", target="bay camera")
    assert result.answer is not None
    assert result.answer.text == (
        "The Bay camera: picture of 10:02 UTC, taken 12 seconds ago. The camera is offline now."
    )
    assert [each.url for each in result.answer.artifacts] == [f"/api/devices/{camera}/snapshot"]
