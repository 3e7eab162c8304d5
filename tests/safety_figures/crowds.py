"""Sixty-four approvers at once, through the gates of two processes, on one ledger."""

import asyncio
from collections import Counter

from fakes.world import World
from safety_figures.elsewhere import module
from safety_figures.figure import Figure
from safety_figures.places import lab

from safety.actions import UnlockDoor
from safety.entities import EventId
from safety.gate import Gate
from safety.records import Pending

TASKS = 64
BOTH, ONE = 8, 8
"""Requests of a round that two people sign for, and that one does."""


async def _asked(world: World, gate: Gate) -> EventId:
    asked = await gate.submit(world.proposal(world.act(UnlockDoor, "bay-door")))
    assert isinstance(asked, Pending), asked
    return asked.event


async def _round(world: World, gates: list[Gate], turn: int) -> tuple[list[EventId], int]:
    """Let 64 approvals in at once; return what two people signed for, and the approvals."""
    events = [await _asked(world, gates[n % 2]) for n in range(BOTH + ONE)]
    digests = {}
    for event in events:
        stored = await world.ledger.event(event)
        assert stored is not None
        digests[event] = stored.digest
    both, one = events[:BOTH], events[BOTH:]
    work = [(event, person) for event in both for person in ("emil", "sara")]
    work += [(event, ("emil", "sara")[(n + turn) % 2]) for n, event in enumerate(one)] * 2
    work = [work[n % len(work)] for n in range(TASKS)]

    async def sign(number: int, event: EventId, person: str) -> None:
        ring = world.keys[person]
        value = ring.sign(digests[event])
        relay = world.users[person].id
        await gates[number % 2].sign(event, ring.id, value, relayed_by=relay)

    await asyncio.gather(*(sign(n, event, who) for n, (event, who) in enumerate(work)))
    for event in one:  # what one person signed must wait; it is withdrawn, so that few wait
        assert isinstance(await world.gate.standing(event), Pending)
        await world.gate.deny(event, world.users["olga"], "")
    return both, len(work)


async def at_once(number: int) -> Figure:
    """Send `number` approvals, 64 at a time."""
    wanted: list[EventId] = []
    sent = turn = 0
    async with lab() as world:
        gates = [world.gate, world.new_gate()]
        while sent < number:
            both, approvals = await _round(world, gates, turn)
            wanted += both
            sent, turn = sent + approvals, turn + 1
        ran = Counter(permit.event for permit in world.driver.done)
        ((approved,),) = await world.sql(
            "select count(*) from safety_events where status = 'approved'"
        )
        tests = module("safety/test_concurrency.py")
        claims = await tests.claims(world.pool, tests.look_then_write)
    double = sum(count - 1 for count in ran.values())
    equal = ran == Counter(dict.fromkeys(wanted, 1)) and approved == len(wanted)
    return Figure(
        what="approvals by 64 at once",
        tried=sent,
        goal="executions = approved",
        measured=f"{len(world.driver.done)} executions, {approved} approved, {double} double",
        met=equal,
        naive=f"looks first, writes then: {max(claims.values())} claims of one approval",
        caught=max(claims.values()) > 1,
    )
