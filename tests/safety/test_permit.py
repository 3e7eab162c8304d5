"""Nobody but the gate gets a permit, whatever Python allows elsewhere."""

import copy
import pickle
from collections.abc import Iterator
from dataclasses import FrozenInstanceError, fields, replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from fakes.world import World

from safety import permit as permits
from safety.actions import SwitchLight, UnlockDoor
from safety.entities import Device, DeviceKind
from safety.permit import Drivers, Permit

NOW = datetime(2026, 3, 2, tzinfo=UTC)
ZONE = uuid4()
DEVICE = Device(
    id=uuid4(), external_id="bay-door", name="Bay door", kind=DeviceKind.DOOR, zone=ZONE
)
DOOR = UnlockDoor(device=DEVICE.id, zone=ZONE)
GIVEN = (DOOR, DEVICE, uuid4(), uuid4(), NOW, NOW + timedelta(seconds=5), "test", None)


@pytest.fixture
async def permit(world: World) -> Permit:
    """Return a real one, as a driver was handed it."""
    light = world.act(SwitchLight, "bay-light", on=True)
    await world.gate.submit(world.proposal(light))
    return world.driver.done[0]


def test_the_fields_are_the_ones_forged_here():
    assert len(GIVEN) == len(fields(Permit))


@pytest.mark.parametrize(
    "seal", [None, object(), "seal", permits._Seal(), permits._Seal, True, type(permits._SEAL)()]
)
def test_a_permit_without_the_gates_seal_cannot_be_built(seal):
    with pytest.raises(TypeError, match="only the gate"):
        Permit(*GIVEN, seal)


def test_a_permit_without_any_seal_cannot_be_built():
    with pytest.raises(TypeError, match="seal"):
        Permit(*GIVEN)


def test_the_gates_seal_builds_one():
    """Positive control for the refusals above."""
    assert Permit(*GIVEN, permits._SEAL).action == DOOR


@pytest.mark.anyio
async def test_a_permit_cannot_be_turned_into_another(permit):
    with pytest.raises(ValueError, match="seal"):
        replace(permit, action=DOOR)
    with pytest.raises(TypeError, match="only the gate"):
        replace(permit, action=DOOR, seal=permits._Seal())
    with pytest.raises((FrozenInstanceError, TypeError)):
        permit.action = DOOR
    with pytest.raises((AttributeError, TypeError)):
        permit.seal = permits._SEAL
    with pytest.raises((FrozenInstanceError, TypeError)):
        del permit.deadline


def copies(original: Permit) -> Iterator[object]:
    yield copy.copy
    yield copy.deepcopy
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        yield lambda each, protocol=protocol: pickle.dumps(each, protocol)


@pytest.mark.anyio
async def test_a_permit_is_neither_copied_nor_stored(permit):
    for way in copies(permit):
        with pytest.raises(TypeError, match="neither copied nor stored"):
            way(permit)


def test_an_empty_shell_is_nothing():
    shell = object.__new__(Permit)
    for each in fields(Permit):
        with pytest.raises(AttributeError):
            getattr(shell, each.name)
    with pytest.raises(TypeError, match="neither copied nor stored"):
        shell.__setstate__(list(GIVEN))


def test_a_pickle_made_by_hand_is_refused():
    by_hand = b"csafety.permit\nPermit\n)\x81](K\x01K\x02eb."
    with pytest.raises(TypeError, match="neither copied nor stored"):
        pickle.loads(by_hand)


def test_the_permit_carries_no_seal():
    built = Permit(*GIVEN, permits._SEAL)
    assert not hasattr(built, "seal")
    assert not hasattr(built, "__dict__")
    assert permits._SEAL not in [getattr(built, each.name) for each in fields(built)]


def test_a_subclass_is_still_asked_for_the_seal():
    class Lax(Permit):  # a type error as well: see tests/typing
        pass

    with pytest.raises(TypeError, match="only the gate"):
        Lax(*GIVEN, None)


def test_a_kind_of_action_has_one_driver_and_no_other_kind_has_it():
    async def driver(_permit, /, *, before_send):
        await before_send()

    drivers = Drivers()
    drivers.add(UnlockDoor, driver)
    with pytest.raises(ValueError, match="already has a driver"):
        drivers.add(UnlockDoor, driver)

    class Wider(UnlockDoor):
        pass

    assert drivers.find(DOOR) is driver
    assert drivers.find(Wider(device=DEVICE.id, zone=ZONE)) is None
    assert drivers.find(SwitchLight(device=DEVICE.id, zone=ZONE, on=True)) is None
