"""Many at once, on one ledger: what was approved runs once, nothing else runs at all."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from fakes.world import World

from infra.db import StorePool
from safety.actions import SetScene, SwitchLight, UnlockDoor
from safety.entities import EventId
from safety.gate import Gate
from safety.records import Done, Outcome, Pending, Refused

pytestmark = pytest.mark.anyio
TASKS = 64
EVENTS = 12


async def doors(world: World, count: int) -> list[EventId]:
    asked = [
        await world.gate.submit(world.proposal(world.act(UnlockDoor, "bay-door")))
        for _ in range(count)
    ]
    return [each.event for each in asked if isinstance(each, Pending)]


async def sign(world: World, gate: Gate, event: EventId, person: str) -> Outcome:
    stored = await world.ledger.event(event)
    assert stored is not None
    ring = world.keys[person]
    return await gate.sign(
        event, ring.id, ring.sign(stored.digest), relayed_by=world.users[person].id
    )


def executions(world: World) -> Counter[EventId]:
    return Counter(permit.event for permit in world.driver.done if permit.event is not None)


async def test_64_tasks_on_12_events_and_two_processes_run_what_was_approved(world):
    """Executions are exactly the events with two people's signatures, once each."""
    events = await doors(world, EVENTS)
    gates = [world.gate, world.new_gate()]
    both, one = events[: EVENTS // 2], events[EVENTS // 2 :]
    work = [(event, person) for event in both for person in ("emil", "sara")]
    work += [(event, ("emil", "sara")[n % 2]) for n, event in enumerate(one)]
    work = [work[n % len(work)] for n in range(TASKS)]
    outcomes = await asyncio.gather(
        *(sign(world, gates[n % 2], event, person) for n, (event, person) in enumerate(work))
    )
    assert executions(world) == dict.fromkeys(both, 1)
    assert len({permit.command for permit in world.driver.done}) == len(both)
    assert {each.event for each in outcomes if isinstance(each, Done)} <= set(both)
    approved = await world.sql("select id from safety_events where status = 'approved'")
    assert {row[0] for row in approved} == set(both)
    signatures = await world.sql("select event_id, count(*) from safety_signatures group by 1")
    assert dict(signatures) == dict.fromkeys(both, 2) | dict.fromkeys(one, 1)
    for each in one:
        assert isinstance(await world.gate.standing(each), Pending)


async def test_signing_denying_confirming_expiring_and_recovering_at_once(world):
    """All that can touch an event touches it at once: each still has one end."""
    events = await doors(world, EVENTS)
    for event in events:
        await sign(world, world.gate, event, "emil")
    gates = [world.new_gate() for _ in range(4)]
    contested = EVENTS // 2

    def work(n: int) -> Awaitable[object]:
        gate, event = gates[n % 4], events[n % EVENTS]
        match n % 5:
            case 0 | 1:
                return sign(world, gate, event, "sara")
            case 2:
                return gate.deny(events[n % contested], world.users["sara"], "no")
            case 3:
                return gate.recover()
            case _:
                return gate.expire()

    await asyncio.gather(*(work(n) for n in range(TASKS)))
    ran = executions(world)
    assert all(count == 1 for count in ran.values())
    rows = await world.sql("select id, status, outcome, consumed_at is not null from safety_events")
    for event, status, outcome, consumed in rows:
        assert (status == "approved") is consumed is (outcome == "done") is (ran[event] == 1)
    assert {event for event in events[contested:] if ran[event] == 1} == set(events[contested:])
    assert "denied" in {status for _, status, *_ in rows}


async def test_the_same_proposals_from_64_tasks_run_once_each(world):
    keys = [uuid4() for _ in range(8)]
    gates = [world.gate, world.new_gate()]
    light = world.act(SwitchLight, "floor-light", on=True)
    outcomes = await asyncio.gather(
        *(gates[n % 2].submit(world.proposal(light, key=keys[n % 8])) for n in range(TASKS))
    )
    assert len(world.driver.done) == len(keys)
    done = {each.command for each in outcomes if isinstance(each, Done)}
    assert done == {permit.command for permit in world.driver.done}


async def test_the_requesters_yes_from_64_tasks_runs_once(world):
    asked = await world.gate.submit(world.proposal(world.act(SetScene, "floor-light", scene="dim")))
    gates = [world.gate, world.new_gate()]
    outcomes = await asyncio.gather(
        *(gates[n % 2].confirm(asked.event, world.users["olga"]) for n in range(TASKS))
    )
    assert executions(world) == {asked.event: 1}
    assert any(isinstance(each, Done) for each in outcomes)
    assert all(isinstance(each, Done | Pending | Refused) for each in outcomes)


# -- a claim that looks first and writes afterwards -------------------------------------------

Claim = Callable[[StorePool, UUID], Awaitable[bool]]


async def look_then_write(pool: StorePool, approval: UUID) -> bool:
    """Claim as people write it at first; between the two statements somebody else looks too."""
    async with pool.connection() as connection:
        row = await (
            await connection.execute(
                "select 1 from approvals where id = %s and consumed_at is null", (approval,)
            )
        ).fetchone()
    if row is None:
        return False
    async with pool.connection() as connection:
        await connection.execute(
            "update approvals set consumed_at = now() where id = %s", (approval,)
        )
    return True


async def one_statement(pool: StorePool, approval: UUID) -> bool:
    """Claim as the ledger does."""
    async with pool.connection() as connection:
        row = await (
            await connection.execute(
                "update approvals set consumed_at = now()"
                " where id = %s and consumed_at is null returning id",
                (approval,),
            )
        ).fetchone()
    return row is not None


async def claims(pool: StorePool, claim: Claim) -> Counter[UUID]:
    """Return how often each approval was claimed by 64 tasks."""
    async with pool.connection() as connection:
        await connection.execute(
            "create table if not exists approvals (id uuid primary key, consumed_at timestamptz);"
            "truncate approvals"
        )
        approvals = [uuid4() for _ in range(EVENTS)]
        for each in approvals:
            await connection.execute("insert into approvals (id) values (%s)", (each,))
    claimed: Counter[UUID] = Counter()

    async def one(approval: UUID) -> None:
        if await claim(pool, approval):
            claimed[approval] += 1

    await asyncio.gather(*(one(approvals[n % EVENTS]) for n in range(TASKS)))
    assert set(claimed) == set(approvals)
    return claimed


async def test_looking_first_and_writing_afterwards_would_be_caught(pool):
    """Positive control: the same count of executions finds the naive claim's double ones."""
    assert set((await claims(pool, one_statement)).values()) == {1}
    naive = await claims(pool, look_then_write)
    assert max(naive.values()) > 1


async def test_the_ledger_alone_gives_an_approval_to_one(world):
    """The claim itself, without the gate around it: 32 claims of an approved event, one wins."""
    (event,) = await doors(world, 1)
    await sign(world, world.gate, event, "emil")
    claim = world.ledger.claim
    waiting: list[tuple[object, ...]] = []

    async def held(*arguments):
        waiting.append(arguments)
        raise KeyboardInterrupt

    world.ledger.claim = held
    with pytest.raises(KeyboardInterrupt):
        await sign(world, world.gate, event, "sara")
    world.ledger.claim = claim
    ((stored, command, entry),) = waiting
    won = await asyncio.gather(
        *(claim(stored, replace(command, id=uuid4()), entry) for _ in range(32))
    )
    assert sum(won) == 1
    assert await world.sql("select count(*) from device_commands") == [(1,)]
