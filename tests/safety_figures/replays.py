"""Approvals used again: here, elsewhere, after a restart, after a restored database."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from random import Random

import psycopg
from fakes.edge import Bench, Signed, enable_power, heat, start_print, unlock
from fakes.world import World
from psycopg import sql
from safety_figures.figure import Figure
from safety_figures.places import TEMPLATE, EdgeDriver, cluster, edge_of, lab

from infra.db import StorePool, open_pool
from infra.store.facts import PostgresFacts
from infra.store.ledger import PostgresLedger
from safety.actions import UnlockDoor
from safety.edge import Accepted, Verdict, verify
from safety.nonces import Memory, Nonces, VolatileMemory
from safety.records import Done, Failed, Pending
from safety.signatures import verify as verify_key

ORIGINALS = 40
ELSEWHERE = {"bay-door": "laser-door", "welder": "laser-door", "mk4": "laser-door"}
SECOND = timedelta(seconds=1)


class Yard:
    """Devices that have obeyed a number of approvals once."""

    def __init__(self) -> None:
        self.bench = Bench()
        makes = [unlock, enable_power, heat, start_print]
        people = [("emil", "sara"), ("emil", "sara"), ("olga", "sara"), ("olga", "emil")]
        self.used = [self.bench.signed(makes[n % 4](), *people[n % 4]) for n in range(ORIGINALS)]
        self.memory: Memory = VolatileMemory()
        for signed in self.used:
            assert isinstance(self.bench.verify(signed, memory=self.memory), Accepted)

    def same(self, signed: Signed) -> Verdict:
        return self.bench.verify(signed, memory=self.memory)

    def restarted(self, signed: Signed) -> Verdict:
        """Switch the device off and on: it reads its memory from its disk."""
        kept = json.loads(json.dumps(self.memory._nonces.kept()))
        again = VolatileMemory()
        again._nonces = Nonces.restored(kept)
        return self.bench.verify(signed, memory=again)

    def other_device(self, signed: Signed) -> Verdict:
        """Another device, with a memory of its own, hears the message as it was."""
        other = ELSEWHERE[signed.command.device]
        return self.bench.verify(signed, device=other, memory=VolatileMemory())

    def readdressed(self, signed: Signed) -> Verdict:
        other = ELSEWHERE[signed.command.device]
        moved = replace(signed, command=replace(signed.command, device=other))
        return self.bench.verify(moved, memory=VolatileMemory())

    def other_site(self, signed: Signed) -> Verdict:
        """Send it to a sister site with devices of the same names and the same people."""
        return verify(
            signed.command,
            signed.envelope,
            replace(self.bench.trust, site="south"),
            device=signed.command.device,
            now=self.bench.now,
            memory=VolatileMemory(),
        )

    def restored(self, signed: Signed) -> Verdict:
        """Send it anew from a KITTY that was restored from a backup: another deadline, same id."""
        late = replace(signed.command, deadline=signed.command.deadline + 4 * SECOND)
        return self.bench.verify(replace(signed, command=late), memory=self.memory)

    def later(self, signed: Signed) -> Verdict:
        """Send it when the window is over and the memory may have forgotten."""
        late = replace(signed.command, deadline=self.bench.now + timedelta(hours=1))
        return verify(
            late,
            signed.envelope,
            self.bench.trust,
            device=signed.command.device,
            now=self.bench.now + timedelta(minutes=30),
            memory=VolatileMemory(),
        )


def at_the_edge(number: int) -> Figure:
    """Replay approvals that were used once."""
    yard, dice = Yard(), Random(5)
    ways: list[Callable[[Signed], Verdict]] = [
        yard.same, yard.restarted, yard.other_device, yard.readdressed,
        yard.other_site, yard.restored, yard.later,
    ]  # fmt: skip
    obeyed = naive = 0
    for turn in range(number):
        signed = dice.choice(yard.used)
        obeyed += isinstance(ways[turn % len(ways)](signed), Accepted)
        if turn < 500:
            forgetful = yard.bench.verify(signed, memory=VolatileMemory())
            naive += isinstance(forgetful, Accepted)
    return Figure(
        what="replays at the edge, seven ways",
        tried=number,
        goal="0 obeyed",
        measured=f"{obeyed} obeyed",
        met=obeyed == 0,
        naive=f"a device without a memory: {naive} of {min(number, 500)} obeyed",
        caught=naive > 0,
    )


async def after_a_restored_database(number: int) -> Figure:
    """Let a door open, put the database back to before it, and send the signature again."""
    obeyed = naive = ran = 0
    with cluster() as server:
        first = server.dsn
        async with open_pool(first, min_size=1, max_size=4) as pool:
            world = await World(pool).open()
            device = await edge_of(world)
        for turn in range(number):
            again = server.dsn_of(f"restored_{turn}")
            async with open_pool(first, min_size=1, max_size=4) as pool:
                _connect(world, pool)
                asked = await world.gate.submit(world.proposal(world.act(UnlockDoor, "bay-door")))
                assert isinstance(asked, Pending)
                await world.sign(asked.event, "emil")
            _copied(server.dsn_of("postgres"), TEMPLATE, f"restored_{turn}")
            async with open_pool(first, min_size=1, max_size=4) as pool:
                _connect(world, pool)
                outcome = await world.sign(asked.event, "sara")
                ran += isinstance(outcome, Done)
            before = len(device.done)
            async with open_pool(again, min_size=1, max_size=4) as pool:
                _connect(world, pool)
                outcome = await world.sign(asked.event, "sara")
                assert isinstance(outcome, Failed), outcome
            obeyed += len(device.done) - before
            naive += _without_memory(device)
    return Figure(
        what="replays after restoring an old database (gate, edge)",
        tried=number,
        goal="0 obeyed twice",
        measured=f"{obeyed} obeyed twice, {ran} once",
        met=obeyed == 0 and ran == number,
        naive=f"a device whose memory was restored as well: {naive} of {number} twice",
        caught=naive > 0,
    )


def _without_memory(device: EdgeDriver) -> bool:
    """Show the last command to the same check with an empty memory."""
    kept, device.memory = device.memory, VolatileMemory()
    obeyed = isinstance(device.verdict(device.done[-1]), Accepted)
    device.memory = kept
    return obeyed


def _connect(world: World, pool: StorePool) -> None:
    world.pool = pool
    world.ledger, world.facts = PostgresLedger(pool), PostgresFacts(pool)
    world.gate = world.new_gate()


def _copied(admin_dsn: str, old: str, new: str) -> None:
    with psycopg.connect(admin_dsn, autocommit=True) as admin:
        admin.execute(
            sql.SQL("create database {} template {} strategy file_copy").format(
                sql.Identifier(new), sql.Identifier(old)
            )
        )


async def signatures_again(number: int) -> Figure:
    """Send signatures again that have counted: to their request, to others, after a restart."""
    naive = 0
    async with lab() as world:
        events = []
        for _ in range(20):
            asked = await world.gate.submit(world.proposal(world.act(UnlockDoor, "bay-door")))
            assert isinstance(asked, Pending)
            events.append(asked.event)
        ran, waiting = events[:10], events[10:]
        for event in ran:
            await world.sign(event, "emil")
            await world.sign(event, "sara")
        before, dice = len(world.driver.done), Random(9)
        for turn in range(number):
            old = await world.ledger.event(dice.choice(ran))
            assert old is not None
            used = dice.choice(old.endorsements)
            target = old.id if turn % 2 else dice.choice(waiting)
            if turn % 50 == 0:
                world.gate = world.new_gate()
            await world.gate.sign(target, used.key.id, used.value, relayed_by=used.key.user)
            naive += target != old.id and verify_key(used.key, used.value, old.digest)
        moved = len(world.driver.done) - before
    return Figure(
        what="used signatures sent to the gate again",
        tried=number,
        goal="0 executed",
        measured=f"{moved} executed",
        met=moved == 0 and before == len(ran),
        naive=f"a signature counts wherever it is good: {naive} taken for another request",
        caught=naive > 0,
    )
