"""Clocks that jump, at KITTY and at the device, at every step of a request."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import product

from fakes.world import World
from safety_figures.figure import Figure
from safety_figures.places import EdgeDriver, edge_of, in_the_past, lab

from safety.actions import UnlockDoor
from safety.gate import Times
from safety.nonces import VolatileMemory
from safety.records import Outcome, Pending

SECOND = timedelta(seconds=1)
SIZES = [
    SECOND, 2 * SECOND, 10 * SECOND, 60 * SECOND, 100 * SECOND, 299 * SECOND, 300 * SECOND,
    301 * SECOND, 3_600 * SECOND, timedelta(days=1), timedelta(days=30), timedelta(days=366),
]  # fmt: skip
JUMPS = [sign * size for size in SIZES for sign in (-1, 1)]
WAITS = [0 * SECOND, 60 * SECOND, 299 * SECOND, 301 * SECOND, 400 * SECOND, 7_200 * SECOND]
"""How long it truly takes from the request to the second signature."""
STEPS = ("before the first signature", "before the second", "before sending")
WHOSE = ("KITTY", "device")
LIFE = Times().approval


@dataclass
class Run:
    """One request whose time is told wrongly by somebody."""

    world: World
    device: EdgeDriver
    true: datetime
    late: int = 0
    unguarded: int = 0
    """What would have been late without the device's own clock."""

    def passes(self, time: timedelta) -> None:
        self.true += time
        self.world.clock.pass_time(time)

    def reads(self, ahead: timedelta) -> Callable[[], datetime]:
        return lambda: self.true + ahead


async def _run(run: Run, jump: timedelta, wait: timedelta, step: str, whose: str) -> bool:
    """Return whether it was carried out; count it if that was late."""
    world, device = run.world, run.device
    run.true = world.clock()
    device.now = run.reads(timedelta(0))
    await world.see("olga", "bay")
    asked = await world.gate.submit(world.proposal(world.act(UnlockDoor, "bay-door")))
    assert isinstance(asked, Pending), asked
    end, before, sent = run.true + LIFE, len(device.done), len(device.refused)

    def jumps(here: str) -> None:
        if here == step and whose == "KITTY":
            world.clock.pass_time(jump)
        elif here == step:
            device.now = run.reads(jump)

    jumps(STEPS[0])
    await world.sign(asked.event, "emil")
    run.passes(wait)
    jumps(STEPS[1])
    await _second(run, asked, jumps)
    executed = len(device.done) > before
    late = run.true >= end
    run.late += executed and late
    run.unguarded += late and (executed or len(device.refused) > sent)
    world.clock.moment = run.true + timedelta(hours=1)
    await world.gate.expire()
    return executed


async def _second(run: Run, asked: Pending, jumps: Callable[[str], None]) -> Outcome:
    """Sign as the second person; the clock may jump between the claim and the sending."""
    world, mark_sent = run.world, run.world.ledger.mark_sent

    async def jumping(*arguments: object) -> bool:
        jumps(STEPS[2])
        return await mark_sent(*arguments)

    world.ledger.mark_sent = jumping
    try:
        return await world.sign(asked.event, "sara")
    finally:
        del world.ledger.mark_sent


async def jumping(step: int) -> Figure:
    """Let clocks jump by 1 s to a year; a step above 1 takes every so many cases."""
    tried = ran = 0
    async with lab() as world:
        await in_the_past(world)
        device = await edge_of(world, VolatileMemory())
        run = Run(world, device, world.clock())
        for jump, wait, where, whose in list(product(JUMPS, WAITS, STEPS, WHOSE))[::step]:
            device.memory = VolatileMemory()
            tried += 1
            ran += await _run(run, jump, wait, where, whose)
    return Figure(
        what="clock jumps of 1 s to 366 days, KITTY's or the device's",
        tried=tried,
        goal="0 late",
        measured=f"{run.late} late; {ran} in time",
        met=run.late == 0 and ran > 0,
        naive=f"without the device's own clock: {run.unguarded} sent late",
        caught=run.unguarded > 0,
    )
