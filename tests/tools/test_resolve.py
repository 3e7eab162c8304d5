"""From names to things."""

import pytest
from fakes.desk import Room, make_device, make_zone
from hypothesis import given
from hypothesis import strategies as st

from safety.entities import DeviceKind
from tests.tools.conftest import Call
from tools import resolve
from tools.matching import Named, find
from tools.resolve import named_device
from tools.spec import ToolError

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "text",
    [
        "Welding bay door",
        "WELDING BAY DOOR",
        "  welding   bay door ",
        "welding-bay-door",
        "the welding bay door",
        "welding bay",
        "The Bay",
        "welding door",
    ],
)
async def test_a_door_is_found_by_what_people_call_it(room: Room, text: str) -> None:
    view = await resolve.device(room.desk(), text, DeviceKind.DOOR, argument="door")
    assert view.device.name == "Welding bay door"


async def test_an_id_is_found_in_either_case(room: Room) -> None:
    wanted = room.view("Giga")
    for text in (str(wanted.device.id), str(wanted.device.id).upper()):
        assert await resolve.device(room.desk(), text, argument="device") is wanted


async def test_an_exact_name_wins_over_a_longer_one(room: Room) -> None:
    room.lab.views.append(make_device("Giga two", DeviceKind.PRINTER, make_zone("Print farm")))
    view = await resolve.device(room.desk(), "giga", DeviceKind.PRINTER, argument="x")
    assert view.device.name == "Giga"


async def test_several_of_one_name_are_offered_with_their_zones(room: Room) -> None:
    for place in ("North", "South"):
        room.lab.views.append(make_device("Side door", DeviceKind.DOOR, make_zone(place)))
    with pytest.raises(ToolError) as caught:
        await resolve.device(room.desk(), "side door", DeviceKind.DOOR, argument="x")
    assert caught.value.code == "ambiguous"
    assert [each.label for each in caught.value.choices] == [
        "Side door (North)",
        "Side door (South)",
    ]
    chosen = await resolve.device(
        room.desk(), caught.value.choices[1].id, DeviceKind.DOOR, argument="x"
    )
    assert chosen.zone.name == "South"


async def test_a_misspelt_name_is_offered_and_never_taken(room: Room) -> None:
    with pytest.raises(ToolError) as caught:
        await resolve.device(room.desk(), "weldign bay dor", DeviceKind.DOOR, argument="x")
    assert caught.value.code == "unknown_device"
    assert caught.value.choices[0].label == "Welding bay door (Welding bay)"
    assert "Did you mean Welding bay door" in caught.value.message


async def test_a_thing_of_another_kind_is_named_as_such(room: Room) -> None:
    for text in ("Giga", str(room.view("Giga").device.id)):
        with pytest.raises(ToolError, match="Giga is a printer, not a door") as caught:
            await resolve.device(room.desk(), text, DeviceKind.DOOR, argument="door")
        assert caught.value.code == "wrong_kind"


async def test_words_of_kind_alone_mean_nothing(room: Room) -> None:
    with pytest.raises(ToolError) as caught:
        await resolve.device(room.desk(), "the door", DeviceKind.DOOR, argument="x")
    assert caught.value.code == "unknown_device"


async def test_a_zone_is_found_by_slug_and_alias(room: Room) -> None:
    for text in ("welding-bay", "the bay", "Welding Bay area"):
        assert (await resolve.zone_of(room.desk(), text)).zone.name == "Welding bay"
    with pytest.raises(ToolError) as caught:
        await resolve.zone_of(room.desk(), "moon base")
    assert caught.value.code == "unknown_zone"


async def test_the_callers_words_are_cut_in_the_refusal(call: Call) -> None:
    result = await call("lock_door", door="x" * 200)
    assert result.declined is not None
    assert len(result.declined.message) < 300


NAMES = st.lists(st.text(min_size=1, max_size=30), min_size=1, max_size=6, unique=True)


@given(NAMES)
def test_an_exact_name_always_finds_its_thing(names: list[str]) -> None:
    things = [
        Named(id=str(i), names=(f"{name}.{i}",), label=name, value=i)
        for i, name in enumerate(names)
    ]
    for each in things:
        assert each in find(each.names[0], things)


@given(st.text(max_size=60))
def test_no_text_is_too_odd(text: str) -> None:
    things = [named_device(view) for view in Room().lab.views]
    assert all(each in things for each in find(text, things))
