"""An emergency stop misses nothing that runs, and is never refused for lack of knowledge."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from fakes.desk import FakeLab, Room, make_device, make_zone
from hypothesis import given, settings
from hypothesis import strategies as st

from safety.actions import AbortPrint, CutPower
from safety.entities import DeviceKind, OnlineState
from tests.tools.conftest import Call, NotingGate
from tools.desk import DeviceView
from tools.printing.stop import stop_everything
from tools.spec import Answer

pytestmark = pytest.mark.anyio
PLACES = [make_zone("North hall"), make_zone("South hall"), make_zone("Yard")]
KINDS = (DeviceKind.PRINTER, DeviceKind.POWER, DeviceKind.LIGHT, DeviceKind.DOOR)
ANYTHING = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5))
STATES = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from(["idle", "printing", "paused", "complete", "error"]) | ANYTHING,
        "on": st.sampled_from([True, False, False, None, 0, "off"]),
        "nozzle_target_c": st.sampled_from([0, 215]) | ANYTHING,
    },
)


@st.composite
def machines(draw: st.DrawFn) -> list[DeviceView]:
    views = []
    for number in range(draw(st.integers(0, 8))):
        view = make_device(
            f"Machine {number}",
            draw(st.sampled_from(KINDS)),
            draw(st.sampled_from(PLACES)),
            online=draw(st.sampled_from(OnlineState)),
            state=draw(STATES),
        )
        views.append(view)
    return views


def stopped(views: list[DeviceView], zone: str | None) -> Any:
    room = Room(lab=FakeLab(views=views, places=list(PLACES)))
    return asyncio.run(stop_everything.body(room.desk(), zone=zone))


@settings(max_examples=300)
@given(machines(), st.sampled_from([None, *(each.zone.name for each in PLACES)]))
def test_it_misses_no_print_and_no_power(views: list[DeviceView], zone: str | None) -> None:
    result = stopped(views, zone)
    here = [view for view in views if zone in {None, view.zone.name}]
    told = {} if isinstance(result, Answer) else {each.device: type(each) for each in result}
    by_id = {view.device.id: view for view in views}
    for view in here:
        state, identity = view.state, view.device.id
        if view.device.kind is DeviceKind.PRINTER and state.get("status") in {"printing", "paused"}:
            assert told[identity] is AbortPrint
        known_off = state.get("on") is False and view.device.online_state is not OnlineState.OFFLINE
        if view.device.kind is DeviceKind.POWER and not known_off:
            assert told[identity] is CutPower
    assert all(by_id[identity] in here for identity in told)
    assert all(by_id[identity].device.kind in KINDS[:2] for identity in told)
    if any(view.device.kind is DeviceKind.POWER for view in here):
        assert told


async def test_everything_at_rest_is_cut_all_the_same(
    call: Call, gate: NotingGate, room: Room
) -> None:
    room.change("Giga", state={"status": "idle"})
    room.change("Welder", state={"on": False})
    await call("stop_everything")
    assert [type(each) for each in gate.proposed] == [CutPower, CutPower]


async def test_power_that_was_off_before_it_went_offline_is_cut(
    call: Call, gate: NotingGate, room: Room
) -> None:
    room.change("Laser cutter", online=OnlineState.OFFLINE)
    await call("stop_everything", zone="laser room")
    assert [each.device for each in gate.proposed] == [room.view("Laser cutter").device.id]
    room.change("Laser cutter", online=OnlineState.ONLINE)
    room.change("Welder", state={})
    await call("stop_everything")
    assert room.view("Welder").device.id in {each.device for each in gate.proposed}


async def test_a_printer_that_has_not_said_is_aborted(
    call: Call, gate: NotingGate, room: Room
) -> None:
    room.change("MK4", state={}, online=OnlineState.OFFLINE)
    await call("stop_everything")
    aborted = {each.device for each in gate.proposed if isinstance(each, AbortPrint)}
    assert aborted == {room.view("Giga").device.id, room.view("MK4").device.id}


async def test_a_printer_that_heats_without_printing_is_aborted(
    call: Call, gate: NotingGate, room: Room
) -> None:
    room.change("MK4", state={"status": "idle", "nozzle_target_c": 215})
    await call("stop_everything", zone="print farm")
    assert room.view("MK4").device.id in {each.device for each in gate.proposed}


async def test_only_the_zone_is_stopped(call: Call, gate: NotingGate, room: Room) -> None:
    await call("stop_everything", zone="welding bay")
    assert [each.device for each in gate.proposed] == [room.view("Welder").device.id]


async def test_a_zone_nobody_knows_stops_everything(
    call: Call, gate: NotingGate, room: Room
) -> None:
    await call("stop_everything", zone="the whatsit corner")
    assert {each.device for each in gate.proposed} == {
        room.view("Giga").device.id,
        room.view("Welder").device.id,
    }


async def test_a_name_of_several_zones_stops_them_all(
    call: Call, gate: NotingGate, room: Room
) -> None:
    room.change("Laser cutter", state={"on": True})
    room.lab.places = [
        replace(place, aliases=("hot work",))
        if place.zone.name in {"Welding bay", "Laser room"}
        else place
        for place in room.lab.places
    ]
    await call("stop_everything", zone="hot work")
    assert {each.device for each in gate.proposed} == {
        room.view("Welder").device.id,
        room.view("Laser cutter").device.id,
    }


async def test_where_nothing_can_be_stopped_it_says_so(call: Call) -> None:
    result = await call("stop_everything", zone="store room")
    assert result.answer is not None
    assert "Nothing is running there" in result.answer.text
