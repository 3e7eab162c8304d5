"""Arguments changed by another task between showing a request and running it."""

import asyncio
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any
from uuid import UUID, uuid4

from fakes.world import World
from psycopg.types.json import Jsonb
from safety_figures.figure import Figure
from safety_figures.places import lab

from safety.actions import Action, SetScene, StartPrint, UnlockDoor
from safety.canonical import parse
from safety.entities import EventId
from safety.records import Done, Pending, Proposal, SafetyEvent

AT_ONCE = 6
REWRITE = "update safety_events set action = %s where id = %s and consumed_at is null"
REWRITE_ALL = """update safety_events e set action = %s, canonical = n.bytes,
       digest = encode(sha256(n.bytes), 'hex')
    from (select convert_to(replace(convert_from(canonical, 'UTF8'), %s, %s), 'UTF8') as bytes
          from safety_events where id = %s) n where e.id = %s and e.consumed_at is null"""


@dataclass
class Tally:
    """What came of the runs."""

    shown: dict[EventId, Any] = field(default_factory=dict)
    as_shown: int = 0
    refused: int = 0
    naive: int = 0
    naive_tried: int = 0


async def _job(world: World) -> UUID:
    """Store a job that may be printed."""
    job = uuid4()
    await world.sql(
        """insert into fabrication_jobs (id, device_id, name, gcode_path, requested_by, metadata)
           values (%s, %s, 'hinge', 'a.gcode', %s, '{"hazardous_material": false}')""",
        job,
        world.devices["mk4"],
        world.users["olga"].id,
    )
    return job


def _wishes(world: World, job: UUID) -> list[tuple[Action, Action, tuple[str, ...]]]:
    """Return what is asked for, what the attacker would rather have, and who approves."""
    good = {"job": job, "gcode_path": "a.gcode", "gcode_sha256": "a" * 64}
    bad = good | {"gcode_path": "b.gcode"}
    return [
        (
            world.act(SetScene, "floor-light", scene="dim"),
            world.act(SetScene, "floor-light", scene="bright"),
            (),
        ),
        (world.act(StartPrint, "mk4", **good), world.act(StartPrint, "mk4", **bad), ("emil",)),
        (
            world.act(UnlockDoor, "bay-door", seconds=10),
            world.act(UnlockDoor, "bay-door", seconds=60),
            ("emil", "sara"),
        ),
    ]


class Attacker:
    """Tries to have other arguments run than were shown."""

    def __init__(self, world: World, proposal: Proposal, event: EventId, other: Action) -> None:
        self._world, self._proposal, self._event, self._other = world, proposal, event, other

    async def rewrites_the_row(self) -> None:
        """Write other arguments into the store, as its superuser and past every trigger."""
        await self._as_superuser(REWRITE, Jsonb(dict(self._other.arguments)), self._event)

    async def rewrites_row_and_bytes(self) -> None:
        """Write other arguments, other bytes to sign and their digest."""
        mine, theirs = self._spelled(self._proposal.action), self._spelled(self._other)
        values = Jsonb(dict(self._other.arguments))
        await self._as_superuser(REWRITE_ALL, values, mine, theirs, self._event, self._event)

    async def asks_again(self) -> None:
        """Make the same proposal with other arguments, as a model or a client could."""
        await self._world.gate.submit(replace(self._proposal, action=self._other))

    async def asks_beside(self) -> None:
        """Ask for something else and send the first request's approvals for it."""
        asked = await self._world.gate.submit(self._world.proposal(self._other))
        first = await self._world.ledger.event(self._event)
        assert isinstance(asked, Pending)
        assert first is not None
        for each in first.endorsements:
            await self._world.gate.sign(
                asked.event, each.key.id, each.value, relayed_by=each.key.user
            )

    async def _as_superuser(self, statement: str, *values: object) -> None:
        async with self._world.pool.connection() as connection, connection.transaction():
            await connection.execute("set local session_replication_role = replica")
            await connection.execute(statement.encode(), values)

    def _spelled(self, action: Action) -> str:
        name, value = next(
            (name, value)
            for name, value in action.arguments.items()
            if self._other.arguments[name] != self._proposal.action.arguments[name]
        )
        return f'"{name}":{value}' if isinstance(value, int) else f'"{name}":"{value}"'


async def _approve(world: World, event: SafetyEvent, people: tuple[str, ...]) -> object:
    """Approve as people do: they sign the bytes that they were shown, no later ones."""
    if not people:
        return await world.gate.confirm(event.id, world.users["olga"])
    outcome: object = None
    for person in people:
        ring = world.keys[person]
        outcome = await world.gate.sign(
            event.id, ring.id, ring.sign(event.digest), relayed_by=world.users[person].id
        )
    return outcome


async def _one(world: World, job: UUID, turn: int, tally: Tally) -> None:
    action, other, people = _wishes(world, job)[turn % 3]
    proposal = world.proposal(action)
    asked = await world.gate.submit(proposal)
    assert isinstance(asked, Pending), asked
    stored = await world.ledger.event(asked.event)
    assert stored is not None
    tally.shown[asked.event] = parse(stored.canonical)["action"]["arguments"]
    attacker = Attacker(world, proposal, asked.event, other)
    # What nobody signs is kept together by the row alone: see docs/safety.md, "not protected".
    attacks = [attacker.asks_again, attacker.asks_beside]
    attacks += [attacker.rewrites_the_row] + [attacker.rewrites_row_and_bytes] * bool(people)
    attack = attacks[turn // 3 % len(attacks)]
    _, outcome = await asyncio.gather(attack(), _approve(world, stored, people))
    tally.as_shown += isinstance(outcome, Done)
    tally.refused += not isinstance(outcome, Done)
    if attack == attacker.rewrites_the_row:
        tally.naive_tried += 1
        ((row,),) = await world.sql("select action from safety_events where id = %s", asked.event)
        tally.naive += row != tally.shown[asked.event]


async def changed_while_waiting(number: int) -> Figure:
    """Approve requests while somebody changes what they say."""
    tally, turns = Tally(), list(range(number))
    Random(3).shuffle(turns)
    waiting = iter(turns)
    async with lab() as world:
        job = await _job(world)

        async def worker() -> None:
            for turn in waiting:
                await _one(world, job, turn, tally)

        await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
        other = sum(
            permit.event is None or permit.action.arguments != tally.shown.get(permit.event)
            for permit in world.driver.done
        )
    return Figure(
        what="arguments changed between showing and running",
        tried=number,
        goal="0 run changed",
        measured=f"{other} changed; {tally.as_shown} as shown, {tally.refused} refused",
        met=other == 0 and tally.as_shown > 0 and tally.refused > 0,
        naive=f"runs what the row says by then: {tally.naive} of {tally.naive_tried} changed",
        caught=tally.naive > 0,
    )
