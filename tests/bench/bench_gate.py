"""What the gate costs over the real ledger, against one bare INSERT in the same run."""

import gc
import statistics
import time
from collections.abc import Awaitable, Callable

import pytest
from fakes.world import World

from infra.db import StorePool
from safety.actions import SwitchLight, UnlockDoor
from safety.entities import EventId
from safety.policy import Support, assess
from safety.records import Done, Pending

pytestmark = [pytest.mark.slow, pytest.mark.anyio]
ROUNDS = 300
Work = Callable[[int], Awaitable[object]]


@pytest.fixture
async def world(pool: StorePool) -> World:
    return await World(pool).open()


async def cpu_ms(work: Work, rounds: int = ROUNDS) -> list[float]:
    """Return this process's CPU milliseconds for each round; the first tenth is warming up."""
    taken = []
    gc.collect()
    for number in range(rounds + rounds // 10):
        start = time.process_time()
        await work(number)
        taken.append((time.process_time() - start) * 1000)
    return taken[rounds // 10 :]


def told(label: str, taken: list[float], bare: float) -> float:
    """Print one line; return the median."""
    ordered = sorted(taken)
    median, p99 = statistics.median(taken), ordered[int(len(ordered) * 0.99)]
    print(f"{label}: {median:.2f} CPU-ms median, {p99:.2f} p99, {median / bare:.1f} x bare INSERT")
    return median


async def bare_insert(world: World) -> list[float]:
    await world.sql("create table bare (id bigint primary key, at timestamptz default now())")

    async def insert(number: int) -> None:
        await world.sql("insert into bare (id) values (%s)", number)

    return await cpu_ms(insert)


async def test_what_the_gate_costs(world):
    bare = statistics.median(await bare_insert(world))
    print(f"\nbare INSERT through the pool: {bare:.2f} CPU-ms median")

    async def harmless(number: int) -> None:
        light = world.act(SwitchLight, "bay-light", on=number % 2 == 0)
        assert isinstance(await world.gate.submit(world.proposal(light)), Done)

    async def circumstances(_number: int) -> None:
        await world.facts.circumstances(light, world.users["olga"].id)

    light = world.act(SwitchLight, "bay-light", on=True)
    seen = await world.facts.circumstances(light, world.users["olga"].id)

    async def judging(_number: int) -> None:
        assess(light, seen, Support(), world.clock())

    waiting: list[EventId] = []

    async def asking(_number: int) -> None:
        asked = await world.gate.submit(world.proposal(world.act(UnlockDoor, "bay-door")))
        assert isinstance(asked, Pending)
        waiting.append(asked.event)

    submit = told("submit, harmless, done", await cpu_ms(harmless), bare)
    told("  of it, reading the circumstances", await cpu_ms(circumstances), bare)
    told("  of it, deciding (assess)", await cpu_ms(judging), bare)
    told("submit, two people needed", await cpu_ms(asking), bare)
    events = list(waiting)
    digests = {each: (await world.ledger.event(each)).digest for each in events}

    def signing(person: str) -> Work:
        ring = world.keys[person]
        made = {each: ring.sign(digests[each]) for each in events}

        async def sign(number: int) -> None:
            await world.gate.sign(
                events[number],
                ring.id,
                made[events[number]],
                relayed_by=world.users[person].id,
            )

        return sign

    first = told("first signature (Ed25519)", await cpu_ms(signing("emil")), bare)
    second = told("second signature (P-256), claimed and done", await cpu_ms(signing("sara")), bare)
    print(f"verifying a two-person approval, from request to receipt: {first + second:.2f} CPU-ms")
    assert len(world.driver.done) == ROUNDS * 2 + 2 * (ROUNDS // 10)
    assert submit / bare < 40
    assert (first + second) / bare < 160
