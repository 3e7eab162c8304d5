"""Crashes at every step: in process by the thousand, and kill -9 of the whole server."""

import re
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID, uuid4

from fakes.processes import ROOT
from fakes.world import World
from safety_figures.elsewhere import module
from safety_figures.figure import Figure
from safety_figures.places import in_the_past, lab

from safety.actions import KINDS, Action, SetScene, SwitchLight, UnlockDoor
from safety.gate import Gate, Times
from safety.permit import Drivers, Permit
from safety.records import Carried, Pending, Proposal, Receipt, Sources

MACHINE = "safety/test_machine.py"
"""Where the brittle ledger is, and the points at which it breaks."""


@dataclass
class Device:
    """Does what it is told and notes it; the process may die around that."""

    world: World
    reached: Callable[[tuple[str, str]], None]
    effects: list[UUID] = field(default_factory=list)

    async def __call__(
        self, permit: Permit[Action], /, *, before_send: Callable[[], Awaitable[None]]
    ) -> Receipt:
        await before_send()
        self.reached(("driver", "before"))
        self.effects.append(permit.command)
        self.reached(("driver", "after"))
        return Carried(at=self.world.clock(), detail="ok")


class Mortal:
    """A gate that can die at a chosen step, and its next life."""

    def __init__(self, world: World) -> None:
        tests = module(MACHINE)
        self.points: list[tuple[str, str]] = tests.POINTS
        self.died: type[Exception] = tests.CrashError
        self.world = world
        self.brittle = tests.Brittle(world.ledger)
        self.device = Device(world, self.brittle.reached)

    def gate(self) -> Gate:
        drivers = Drivers()
        for kind in KINDS:
            drivers.add(kind, self.device)
        return Gate(
            facts=self.world.facts,
            ledger=self.brittle,
            drivers=drivers,
            sources=Sources(now=self.world.clock, new_id=uuid4, nonce=lambda: uuid4().hex),
            times=Times(),
            announce=lambda *_: None,
        )

    async def once(self, point: tuple[str, str]) -> bool:
        """Do something that passes the point and die there; return whether it died."""
        kind, arguments, device = _WISHES.get(point[0], (UnlockDoor, {}, "bay-door"))
        proposal = self.world.proposal(self.world.act(kind, device, **arguments))
        self.brittle.at = None
        gate = self.gate()
        died = False
        try:
            if kind is SwitchLight:
                self.brittle.at = point
                await gate.submit(proposal)
            else:
                await self._answered(gate, proposal, point)
        except self.died:
            died = True
        self.brittle.at = None
        return died

    async def _answered(self, gate: Gate, proposal: Proposal, point: tuple[str, str]) -> None:
        asked = await gate.submit(proposal)
        assert isinstance(asked, Pending), asked
        if proposal.action.intent == "set_scene":
            self.brittle.at = point
            await gate.confirm(asked.event, self.world.users["olga"])
            return
        event = await self.world.ledger.event(asked.event)
        assert event is not None
        for person in ("emil", "sara"):
            if person == "sara":
                self.brittle.at = point
            ring = self.world.keys[person]
            await gate.sign(
                event.id,
                ring.id,
                ring.sign(event.digest),
                relayed_by=self.world.users[person].id,
            )

    async def again(self) -> None:
        """Start again twice, as after a crash and a second one, and let all time pass."""
        await self.gate().recover()
        await self.gate().recover()
        self.world.clock.pass_time(timedelta(minutes=10))
        await self.gate().expire()
        await self.gate().recover()
        await self.world.see("olga", "bay")


_WISHES: dict[str, tuple[type[Action], dict[str, object], str]] = {
    "confirm": (SetScene, {"scene": "dim"}, "floor-light"),
    "open_command": (SwitchLight, {"on": True}, "floor-light"),
}


async def in_process(each: int) -> Figure:
    """Die at every step of the gate `each` times."""
    tried = died = naive = 0
    async with lab() as world:
        await in_the_past(world)
        await world.see("olga", "bay")
        mortal = Mortal(world)
        for point in mortal.points * each:
            tried += 1
            died += await mortal.once(point)
            naive += await _sent_again_naively(world, mortal.device)
            await mortal.again()
        happened = mortal.device.effects
        rows = await world.sql("select id, outcome from device_commands")
    double = len(happened) - len(set(happened))
    false = sum(outcome == "done" and command not in happened for command, outcome in rows)
    missed = sum(outcome == "failed" and command in happened for command, outcome in rows)
    return Figure(
        what=f"crashes at {len(mortal.points)} steps of the gate",
        tried=tried,
        goal='0 double, 0 false "done"',
        measured=f'{double} double, {false} false "done", {missed} false "failed"; {died} died',
        met=double == false == missed == 0 and died == tried and len(set(happened)) > 0,
        naive=f"sends again what has no answer: {naive} double",
        caught=naive > 0,
    )


async def _sent_again_naively(world: World, device: Device) -> int:
    """Count what somebody would do twice who sends every command without an answer again."""
    waiting = {command.id for command in await world.ledger.open_commands()}
    return len(waiting & set(device.effects))


def killed(rounds: int, chosen: str) -> Figure:
    """Run the tests that kill the whole server with -9 at every point, `rounds` times."""
    passed = failed = 0
    for _ in range(rounds):
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "0"),
                *("--timeout", "600", "tests/faults/test_kill.py", "-k", chosen),
            ],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        passed += _count(done.stdout, "passed")
        failed += _count(done.stdout, "failed") + _count(done.stdout, "error")
    return Figure(
        what="kill -9 of the server, whole system",
        tried=passed + failed,
        goal='0 double, 0 false "done"',
        measured=f"{failed} wrong, {passed} right",
        met=failed == 0 and passed > 0,
        naive="see the crashes at steps of the gate",
        caught=True,
    )


def _count(text: str, word: str) -> int:
    found = re.findall(rf"(\d+) {word}", text)
    return int(found[-1]) if found else 0
