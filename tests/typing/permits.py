"""Code that must not type-check: each marked line is an error of exactly that kind for mypy."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import assert_never

from safety.actions import Action, LockDoor, SwitchLight, UnlockDoor
from safety.entities import CommandId, Device, EventId, UserId
from safety.gate import Gate
from safety.permit import Drivers, Permit
from safety.records import Carried, Done, Failed, Outcome, Pending, Proposal, Receipt, Refused

BeforeSend = Callable[[], Awaitable[None]]


def forge(door: UnlockDoor, device: Device, command: CommandId, now: datetime) -> None:
    Permit(door, device, command, None, now, now, "x", None)  # E: call-arg
    Permit(door, device, command, None, now, now, "x", None, None)  # E: arg-type
    Permit(door, device, command, None, now, now, "x", None, object())  # E: arg-type


def change(permit: Permit[UnlockDoor], door: UnlockDoor) -> None:
    permit.action = door  # E: misc
    permit.command = permit.event  # E: misc, assignment
    print(permit.seal)  # E: attr-defined


class Lax(Permit[UnlockDoor]):  # E: misc
    pass


async def switch(permit: Permit[SwitchLight], /, *, before_send: BeforeSend) -> Receipt:
    await before_send()
    return Carried(at=permit.issued_at, detail=str(permit.action.on))


async def anything(permit: Permit[Action], /, *, before_send: BeforeSend) -> Receipt:
    await before_send()
    return Carried(at=permit.issued_at)


async def of_an_action(action: SwitchLight, /, *, before_send: BeforeSend) -> Receipt:
    await before_send()
    raise NotImplementedError(action)


async def of_more(
    permit: Permit[SwitchLight], brightness: int, /, *, before_send: BeforeSend
) -> Receipt:
    await before_send()
    raise NotImplementedError(permit, brightness)


async def unmarked(permit: Permit[SwitchLight], /) -> Receipt:
    raise NotImplementedError(permit)


async def silent(permit: Permit[SwitchLight], /, *, before_send: BeforeSend) -> None:
    await before_send()


def register(drivers: Drivers) -> None:
    drivers.add(SwitchLight, switch)
    drivers.add(SwitchLight, anything)
    drivers.add(UnlockDoor, switch)  # E: misc
    drivers.add(LockDoor, switch)  # E: misc
    drivers.add(Action, switch)  # E: misc
    drivers.add(SwitchLight, of_an_action)  # E: arg-type
    drivers.add(SwitchLight, of_more)  # E: arg-type
    drivers.add(SwitchLight, unmarked)  # E: arg-type
    drivers.add(SwitchLight, silent)  # E: arg-type
    drivers.add(str, anything)  # E: misc


async def call(gate: Gate, proposal: Proposal, event: EventId, user: UserId) -> None:
    await gate.submit(proposal.action)  # E: arg-type
    gate.submit(proposal)  # E: unused-coroutine
    await gate.sign(event, user, b"")  # E: call-arg, arg-type
    await gate.standing(user)  # E: arg-type


def say(outcome: Outcome) -> str:
    match outcome:
        case Done():
            return "done"
        case Pending():
            return "pending"
        case Refused():
            return "refused"
        case Failed():
            return "failed"
        case _ as forgotten:
            assert_never(forgotten)  # E: arg-type
