"""Approvals altered in every way that the generators know: none is accepted."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from uuid import uuid4

from edge.test_mutations import mutants, naive
from fakes.edge import Bench
from fakes.world import Keyring, World
from safety_figures.figure import Figure
from safety_figures.places import lab

from safety.actions import UnlockDoor
from safety.canonical import digest
from safety.edge import Accepted
from safety.entities import EventId, KeyId
from safety.nonces import VolatileMemory
from safety.records import Done, Pending, SafetyEvent
from safety.signatures import verify

PROBES = 500
"""Mutants of each share that the naive verifier is shown too."""
AT_ONCE = 8
Forgery = tuple[EventId, KeyId, bytes]


def share(number: int, seed: int) -> tuple[int, int, int, int]:
    """Return how many were tried and accepted, and shown to and obeyed by the naive verifier."""
    bench, tried, accepted, fooled = Bench(), 0, 0, 0
    turn = 0
    while tried < number:
        turn += 1
        for mutant in mutants(bench, Random(f"{seed}/{turn}"), number - tried):
            tried += 1
            verdict = bench.verify(mutant, device=mutant.command.device, memory=VolatileMemory())
            accepted += isinstance(verdict, Accepted)
            fooled += tried <= PROBES and naive(bench, mutant)
    return tried, accepted, min(tried, PROBES), fooled


def at_the_verifier(shares: list[tuple[int, int, int, int]]) -> Figure:
    """Add the shares up."""
    tried, accepted, shown, fooled = (sum(each) for each in zip(*shares, strict=True))
    return Figure(
        what="mutated approvals at the edge's verifier",
        tried=tried,
        goal="0 accepted",
        measured=f"{accepted} accepted",
        met=accepted == 0,
        naive=f"any good signature will do: {fooled} of {shown} accepted",
        caught=fooled > 0,
    )


class Forger:
    """Makes second signatures that nobody may count."""

    def __init__(self, world: World, event: SafetyEvent, other: SafetyEvent, dice: Random) -> None:
        self._world, self._event, self._other, self._dice = world, event, other, dice
        self._sara = world.keys["sara"]
        self._good = self._sara.sign(event.digest)
        self._stranger = Keyring()

    def make(self) -> Forgery:
        ways: list[Callable[[], Forgery]] = [
            self._flipped, self._cut, self._longer, self._wrong_key, self._other_event,
            self._other_arguments, self._undigested, self._without_the_role, self._again,
            self._no_event, self._noise, self._unenrolled,
        ]  # fmt: skip
        return self._dice.choice(ways)()

    def _by_sara(self, value: bytes) -> Forgery:
        return self._event.id, self._sara.id, value

    def _flipped(self) -> Forgery:
        raw = bytearray(self._good)
        raw[self._dice.randrange(len(raw))] ^= 1 << self._dice.randrange(8)
        return self._by_sara(bytes(raw))

    def _cut(self) -> Forgery:
        return self._by_sara(self._good[: self._dice.randrange(len(self._good))])

    def _longer(self) -> Forgery:
        return self._by_sara(self._good + self._dice.randbytes(self._dice.randrange(1, 40)))

    def _wrong_key(self) -> Forgery:
        return self._event.id, self._world.keys["olga"].id, self._good

    def _other_event(self) -> Forgery:
        return self._by_sara(self._sara.sign(self._other.digest))

    def _other_arguments(self) -> Forgery:
        told = self._event.canonical.replace(b'"seconds":10', b'"seconds":60')
        return self._by_sara(self._sara.sign(digest(told)))

    def _undigested(self) -> Forgery:
        return self._by_sara(self._sara.sign(digest(self._event.digest)))

    def _without_the_role(self) -> Forgery:
        olga = self._world.keys["olga"]
        return self._event.id, olga.id, olga.sign(self._event.digest)

    def _again(self) -> Forgery:
        emil = self._world.keys["emil"]
        return self._event.id, emil.id, emil.sign(self._event.digest)

    def _no_event(self) -> Forgery:
        return EventId(uuid4()), self._sara.id, self._good

    def _noise(self) -> Forgery:
        return self._by_sara(self._dice.randbytes(self._dice.choice([0, 1, 64, 70, 72, 4_000])))

    def _unenrolled(self) -> Forgery:
        return self._event.id, self._stranger.id, self._stranger.sign(self._event.digest)


async def _half_signed(world: World) -> SafetyEvent:
    asked = await world.gate.submit(world.proposal(world.act(UnlockDoor, "bay-door")))
    assert isinstance(asked, Pending), asked
    await world.sign(asked.event, "emil")
    event = await world.ledger.event(asked.event)
    assert event is not None
    return event


def _taken_naively(world: World, events: list[SafetyEvent], forgery: Forgery) -> bool:
    """Take a second signature if it is anybody's over any request that waits."""
    _, _, value = forgery
    keys = [key for event in events for each in event.endorsements for key in [each.key]]
    return any(verify(key, value, event.digest) for key in keys for event in events)


async def through_the_gate(number: int) -> Figure:
    """Send forged second signatures to a gate over a real ledger."""
    dice, fooled = Random(11), 0
    async with lab() as world:
        event, other = await _half_signed(world), await _half_signed(world)
        forger = Forger(world, event, other, dice)
        forgeries = [forger.make() for _ in range(number)]
        relay = world.users["sara"].id

        async def send(forgery: Forgery) -> None:
            target, key, value = forgery
            await world.gate.sign(target, key, value, relayed_by=relay)

        await _in_turn(forgeries, send)
        fooled = sum(_taken_naively(world, [event, other], each) for each in forgeries[:PROBES])
        moved = len(world.driver.done)
        done = await world.sign(event.id, "sara")
        assert isinstance(done, Done), f"the true signature must still count: {done}"
    return Figure(
        what="forged second signatures at the gate",
        tried=number,
        goal="0 executed",
        measured=f"{moved} executed",
        met=moved == 0,
        naive=f"any enrolled key over any request: {fooled} of {min(number, PROBES)} taken",
        caught=fooled > 0,
    )


async def _in_turn(items: list[Forgery], work: Callable[[Forgery], Awaitable[None]]) -> None:
    waiting = iter(items)

    async def worker() -> None:
        for item in waiting:
            await work(item)

    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
