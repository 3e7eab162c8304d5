"""Presence around the end of its time to live, at every step of a request."""

from datetime import timedelta

from fakes.world import World
from safety_figures.figure import Figure
from safety_figures.places import in_the_past, lab

from safety.actions import UnlockDoor
from safety.gate import Times
from safety.records import Done, Pending
from safety.rules import present

TTL = timedelta(minutes=15)
WIDTH = timedelta(seconds=1)
STEPS = ("asking", "first signature", "second signature")


async def around_the_limit(points: int) -> Figure:
    """Do each step at `points` moments from TTL -1 s to +1 s after the sighting."""
    late = ran = naive = tried = 0
    async with lab() as world:
        await in_the_past(world)
        for at in range(points):
            offset = -WIDTH + 2 * WIDTH * at / (points - 1)
            for step in STEPS:
                tried += 1
                asked, executed = await _run(world, step, TTL + offset)
                ran += executed
                late += executed and offset > timedelta(0)
                naive += asked and offset > timedelta(0)
        exact = await _pure(world)
    return Figure(
        what="presence from TTL -1 s to +1 s, at three steps",
        tried=tried + exact[0],
        goal="0 after the TTL",
        measured=f"{late + exact[1]} after it; {ran + exact[2]} within it",
        met=late == exact[1] == 0 and ran == len(STEPS) * (points // 2 + points % 2),
        naive=f"looks at presence only when asked: {naive} executed after it",
        caught=naive > 0,
    )


async def _run(world: World, late: str, age: timedelta) -> tuple[bool, bool]:
    """Let one step meet this age; return whether it was asked for in time, and whether it ran."""
    seen = world.clock()
    await world.see("olga", "bay", seen)
    before = len(world.driver.done)
    start = age - STEPS.index(late) * Times().command
    world.clock.pass_time(start)
    asked = await world.gate.submit(world.proposal(world.act(UnlockDoor, "bay-door")))
    if isinstance(asked, Pending):
        await _signed(world, asked, late)
    world.clock.moment = seen + timedelta(hours=1)
    return isinstance(asked, Pending), len(world.driver.done) > before


async def _signed(world: World, asked: Pending, late: str) -> None:
    for person, step in (("emil", "first signature"), ("sara", "second signature")):
        if STEPS.index(step) <= STEPS.index(late):
            world.clock.pass_time(Times().command)
        outcome = await world.sign(asked.event, person)
    if not isinstance(outcome, Done):
        await world.gate.deny(asked.event, world.users["olga"], "")


async def _pure(world: World) -> tuple[int, int, int]:
    """Try every half millisecond with the rule itself; return tried, wrong and present."""
    zone, user = world.zones["bay"], world.users["olga"]
    await world.see("olga", "bay")
    seen = await world.facts.circumstances(world.act(UnlockDoor, "bay-door"), user.id)
    assert seen.presence is not None
    assert seen.zone is not None
    assert seen.zone.id == zone
    wrong = there = 0
    for step in range(-2_000, 2_001):
        age = TTL + step * timedelta(microseconds=500)
        found = present(seen.presence, user, seen.zone, TTL, seen.presence.observed_at + age)
        there += found
        wrong += found != (age <= TTL)
    return 4_001, wrong, there
