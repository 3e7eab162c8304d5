"""Whatever people, clocks, devices and crashes do, in any order: the rules of the gate hold."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID, uuid4

import pytest
from fakes.world import DEVICES, NOW, PEOPLE, POLICY_ROLES, Keyring, World
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from infra.db import open_pool
from safety.actions import KINDS, Action, CutPower, ResumePrint, SetScene, SwitchLight, UnlockDoor
from safety.entities import EventId, Hazard
from safety.gate import Gate, Times
from safety.permit import Drivers, Permit
from safety.records import (
    COMMAND_TRANSITIONS,
    EVENT_TRANSITIONS,
    Carried,
    CommandStatus,
    Done,
    EventStatus,
    Failed,
    NoAnswer,
    Outcome,
    Pending,
    Receipt,
    Refused,
    Rejected,
    Sources,
)

LONG_AGO = NOW - timedelta(days=3_000)
"""Sightings cannot be from the future of the real clock, so this world lives in the past."""
WISHES: dict[str, tuple[type[Action], str, dict[str, object]]] = {
    "door": (UnlockDoor, "bay-door", {}),
    "resume": (ResumePrint, "mk4", {}),
    "scene": (SetScene, "floor-light", {"scene": "dim"}),
    "light": (SwitchLight, "bay-light", {"on": True}),
    "cut": (CutPower, "welder", {}),
}
POINTS = [
    (name, when)
    for name in ("sign", "confirm", "approve", "claim", "open_command", "mark_sent", "close")
    for when in ("before", "after")
] + [("driver", "before"), ("driver", "after")]
SIGNERS = ["olga", "emil", "sara"]


class CrashError(Exception):
    """The process dies here."""


class Brittle:
    """A ledger, or a driver, whose process dies at a chosen point."""

    def __init__(self, real: Any) -> None:
        self._real = real
        self.at: tuple[str, str] | None = None
        self.lies: frozenset[str] = frozenset()
        """Methods that say True whatever happened, and other faults: for the tests of this test."""

    def reached(self, point: tuple[str, str]) -> None:
        if self.at == point:
            self.at = None
            raise CrashError(point)

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        method = getattr(self._real, name)

        async def call(*arguments: Any) -> Any:
            self.reached((name, "before"))
            result = await method(*arguments)
            self.reached((name, "after"))
            return True if name in self.lies else result

        return call


@dataclass
class Effect:
    """Something that happened to a machine."""

    command: UUID
    event: UUID | None
    action: Action
    at: datetime


@dataclass
class Lab:
    """The machines as they really are, and whoever may speak for an event as the test sees it."""

    world: World
    brittle: Brittle
    effects: list[Effect] = field(default_factory=list)
    mood: str = "well"
    signed: dict[EventId, set[str]] = field(default_factory=dict)
    confirmed: set[EventId] = field(default_factory=set)
    hazards: dict[EventId, Hazard] = field(default_factory=dict)
    askers: dict[EventId, str] = field(default_factory=dict)
    ends: dict[EventId, tuple[datetime, datetime]] = field(default_factory=dict)
    disabled: set[str] = field(default_factory=set)
    revoked: set[str] = field(default_factory=set)

    async def __call__(
        self, permit: Permit[Action], /, *, before_send: Callable[[], Awaitable[None]]
    ) -> Receipt:
        mood, self.mood = self.mood, "well"
        if mood == "offline":
            return Rejected(code="broker_unavailable", detail="nothing was sent")
        await before_send()
        self.brittle.reached(("driver", "before"))
        if mood == "refuses":
            return Rejected(code="busy", detail="the machine is busy")
        if mood != "lost on the way":
            self.approved(permit)
            at = self.world.clock()
            if "acts twice" in self.brittle.lies:
                self.effects.append(Effect(permit.command, permit.event, permit.action, at))
            self.effects.append(Effect(permit.command, permit.event, permit.action, at))
            Machine.reached[permit.action.intent] += 1
        self.brittle.reached(("driver", "after"))
        if mood in {"lost on the way", "silent"}:
            return NoAnswer()
        return Carried(at=self.world.clock(), detail="ok")

    def approved(self, permit: Permit[Action]) -> None:
        """Check the approvals when it happens, by the test's own bookkeeping."""
        if permit.event is None:
            assert permit.action.hazard is Hazard.NONE
            return
        event, now = permit.event, self.world.clock()
        start, end = self.ends[event]
        assert start <= now < end
        asker, hazard = self.askers[event], self.hazards[event]
        assert asker not in self.disabled
        zone = DEVICES[permit.device.external_id][1]
        able = {
            person
            for person in self.signed.get(event, set())
            if "nobody signed" not in self.brittle.lies
            and set(PEOPLE[person]) & set(POLICY_ROLES[zone])
            and person not in self.disabled | self.revoked
        }
        match hazard:
            case Hazard.LOW:
                assert event in self.confirmed
            case Hazard.MEDIUM:
                assert able
            case Hazard.HIGH:
                assert len(able) >= 2
                assert able - {asker}


class Machine(RuleBasedStateMachine):
    """The gate under random use.  `runner` and `world` are set by the test."""

    runner: ClassVar[asyncio.Runner]
    world: ClassVar[World]
    lies: ClassVar[frozenset[str]] = frozenset()
    reached: ClassVar[Counter[str]] = Counter()
    """How often each end was reached, over all runs."""

    def __init__(self) -> None:
        super().__init__()
        self.brittle = Brittle(self.world.ledger)
        self.brittle.lies = self.lies
        self.lab = Lab(self.world, self.brittle)
        self.gates = [self.gate(), self.gate()]
        self.events: list[EventId] = []
        self.keys: list[tuple[UUID, str, str, bool]] = []
        self.locked = True
        self.seen_events: dict[UUID, str] = {}
        self.seen_commands: dict[UUID, str] = {}
        self.log_length = 0

    def gate(self) -> Gate:
        drivers = Drivers()
        for kind in KINDS:
            drivers.add(kind, self.lab)
        return Gate(
            facts=self.world.facts,
            ledger=self.brittle,
            drivers=drivers,
            sources=Sources(now=self.world.clock, new_id=uuid4, nonce=lambda: uuid4().hex),
            times=Times(),
            announce=lambda _event, _outcome: None,
        )

    def run(self, work: Any) -> Any:
        return self.runner.run(work)

    def try_(
        self, which: int, work: Awaitable[Outcome], *, repeated: bool = False
    ) -> Outcome | None:
        """Do something at one of two processes; None if that process dies of it."""
        try:
            outcome: Outcome = self.run(work)
        except CrashError:
            self.gates[which] = self.gate()
            self.reached["crash"] += 1
            return None
        self.reached[type(outcome).__name__] += 1
        self.logged(outcome, repeated=repeated)
        return outcome

    def logged(self, outcome: Outcome, *, repeated: bool) -> None:
        """Check that the outcome stands in the log; `repeated` if it may be an earlier one."""
        ((length,),) = self.run(self.world.sql("select count(*) from gate_log"))
        match outcome:
            case Refused() if not repeated:
                assert length > self.log_length
            case Done(command=command) | Failed(command=command):
                verdict = "done" if isinstance(outcome, Done) else "failed"
                found = f"select 1 from gate_log where command_id = '{command}' and verdict = '{verdict}'"
                assert self.run(self.world.sql(found))
            case Pending(event=event):
                found = f"select 1 from gate_log where event_id = '{event}' and verdict = 'waits'"
                assert self.run(self.world.sql(found))
            case _:
                pass

    # -- what happens -------------------------------------------------------------------------

    @initialize()
    def begin(self) -> None:
        """Make everything good again: new keys for revoked ones, everybody in, doors locked."""

        async def again() -> None:
            world = self.world
            world.clock.pass_time(timedelta(hours=1))
            await self.gates[0].expire()
            await world.sql("update users set disabled_at = null where disabled_at is not null")
            for name in world.keys:
                ring = world.keys[name] = Keyring(world.keys[name].algorithm)
                await world.sql(
                    """insert into public_keys (id, user_id, algorithm, spki, label)
                       values (%s, %s, %s, %s, 'x')""",
                    ring.id,
                    world.users[name].id,
                    ring.algorithm,
                    ring.spki,
                )
            await world.report("bay-door", locked=True)
            for person in SIGNERS:
                await world.see(person, "bay")

        self.run(again())

    @rule(
        wish=st.sampled_from(sorted(WISHES)),
        person=st.sampled_from(SIGNERS),
        tainted=st.booleans(),
        which=st.integers(0, 1),
    )
    def propose(self, wish: str, person: str, which: int, *, tainted: bool) -> None:
        self.ask(uuid4(), wish, person, which, tainted=tainted)

    @precondition(lambda self: self.keys)
    @rule(data=st.data(), which=st.integers(0, 1))
    def propose_again(self, data: st.DataObject, which: int) -> None:
        key, wish, person, tainted = data.draw(st.sampled_from(self.keys))
        self.ask(key, wish, person, which, tainted=tainted and data.draw(st.booleans()))

    def ask(self, key: UUID, wish: str, person: str, which: int, *, tainted: bool) -> bool:
        """Propose; tell whether a new request waits now."""
        kind, device, arguments = WISHES[wish]
        action = self.world.act(kind, device, **arguments)
        proposal = self.world.proposal(action, person, key=key, tainted=tainted)
        known = any(each[0] == key for each in self.keys)
        self.keys.append((key, wish, person, tainted))
        outcome = self.try_(which, self.gates[which].submit(proposal), repeated=known)
        new = isinstance(outcome, Pending) and outcome.event not in self.events
        if isinstance(outcome, Pending) and new:
            self.events.append(outcome.event)
            self.lab.hazards[outcome.event] = outcome.hazard
            self.lab.askers[outcome.event] = person
            stored = self.run(self.world.ledger.event(outcome.event))
            self.lab.ends[outcome.event] = (stored.not_before, stored.expires_at)
        return new

    @precondition(lambda self: self.events)
    @rule(
        data=st.data(),
        person=st.sampled_from(SIGNERS),
        how=st.sampled_from(["right"] * 5 + ["another event", "another key", "bit flip"]),
        which=st.integers(0, 1),
    )
    def sign(self, data: st.DataObject, person: str, how: str, which: int) -> None:
        event = data.draw(st.sampled_from(self.events))
        ring = self.world.keys[person]
        stored = self.run(self.world.ledger.event(event))
        other = self.run(self.world.ledger.event(data.draw(st.sampled_from(self.events))))
        signature = ring.sign(stored.digest)
        match how:
            case "another event":
                signature = ring.sign(other.digest)
            case "another key":
                signature = Keyring(ring.algorithm).sign(stored.digest)
            case "bit flip":
                signature = signature[:-1] + bytes([signature[-1] ^ 1])
            case _:
                pass
        right = how == "right" or (how == "another event" and other.id == event)
        if right and stored.status is EventStatus.PENDING:
            self.lab.signed.setdefault(event, set()).add(person)
        outcome = self.try_(
            which,
            self.gates[which].sign(
                event, ring.id, signature, relayed_by=stored.proposal.requester.id
            ),
        )
        if not right:
            assert outcome is None or isinstance(outcome, Refused)

    @rule(
        wish=st.sampled_from(["door"] * 3 + sorted(WISHES)),
        person=st.sampled_from(SIGNERS),
        which=st.integers(0, 1),
        crash=st.sampled_from([None] * 8 + POINTS),
        mood=st.sampled_from(["well", "well", "refuses", "lost on the way", "silent"]),
    )
    def from_asking_to_doing(
        self, wish: str, person: str, which: int, crash: tuple[str, str] | None, mood: str
    ) -> None:
        """Go the whole way; on the last answer something may break."""
        self.brittle.at = None
        for each in sorted(self.lab.disabled):
            self.person_disabled_or_let_in(each)
        self.badge(person)
        if self.ask(uuid4(), wish, person, which, tainted=False):
            self.lab.mood = mood
            self.everybody_approves(self.events[-1], which, crash)

    def everybody_approves(self, event: EventId, which: int, crash: tuple[str, str] | None) -> None:
        people = ["emil", "sara"] if self.lab.hazards[event] > Hazard.LOW else []
        for person in people:
            self.brittle.at = crash if person == people[-1] else None
            ring = self.world.keys[person]
            stored = self.run(self.world.ledger.event(event))
            if stored.status is EventStatus.PENDING:
                self.lab.signed.setdefault(event, set()).add(person)
            signature = ring.sign(stored.digest)
            work = self.gates[which].sign(
                event, ring.id, signature, relayed_by=self.world.users[person].id
            )
            self.try_(which, work)
        if not people:
            self.brittle.at = crash
            self.lab.confirmed.add(event)
            asker = self.world.users[self.lab.askers[event]]
            self.try_(which, self.gates[which].confirm(event, asker))

    @precondition(lambda self: self.events)
    @rule(data=st.data(), person=st.sampled_from(SIGNERS), which=st.integers(0, 1))
    def confirm(self, data: st.DataObject, person: str, which: int) -> None:
        event = data.draw(st.sampled_from(self.events))
        if person == self.lab.askers[event]:
            self.lab.confirmed.add(event)
        outcome = self.try_(which, self.gates[which].confirm(event, self.world.users[person]))
        if person != self.lab.askers[event]:
            assert outcome is None or isinstance(outcome, Refused)

    @precondition(lambda self: self.events)
    @rule(data=st.data(), person=st.sampled_from(sorted(PEOPLE)), which=st.integers(0, 1))
    def deny(self, data: st.DataObject, person: str, which: int) -> None:
        event = data.draw(st.sampled_from(self.events))
        self.try_(which, self.gates[which].deny(event, self.world.users[person], ""))

    @rule(which=st.integers(0, 1))
    def expire(self, which: int) -> None:
        try:
            self.run(self.gates[which].expire())
        except CrashError:
            self.gates[which] = self.gate()

    @rule(which=st.integers(0, 1))
    def restart(self, which: int) -> None:
        self.gates[which] = self.gate()
        try:
            self.run(self.gates[which].recover())
        except CrashError:
            self.gates[which] = self.gate()

    @rule(seconds=st.sampled_from([1, 3, 8, 60, 295, 301, -2, -400]))
    def time_passes(self, seconds: int) -> None:
        self.world.clock.pass_time(timedelta(seconds=seconds))

    @rule(person=st.sampled_from(SIGNERS))
    def badge(self, person: str) -> None:
        self.run(self.world.see(person, "bay"))

    @rule(mood=st.sampled_from(["offline", "refuses", "lost on the way", "silent"]))
    def device_mood(self, mood: str) -> None:
        self.lab.mood = mood

    @rule(point=st.sampled_from(POINTS))
    def crash_at(self, point: tuple[str, str]) -> None:
        self.brittle.at = point

    @rule()
    def door_changes(self) -> None:
        self.locked = not self.locked
        self.run(self.world.report("bay-door", locked=self.locked))

    @rule(person=st.sampled_from(SIGNERS))
    def person_disabled_or_let_in(self, person: str) -> None:
        gone = person in self.lab.disabled
        value = "null" if gone else "now()"
        self.lab.disabled ^= {person}
        self.run(
            self.world.sql(f"update users set disabled_at = {value} where handle = '{person}'")
        )

    @precondition(lambda self: not self.lab.revoked)
    @rule(person=st.sampled_from(SIGNERS))
    def key_revoked(self, person: str) -> None:
        self.lab.revoked.add(person)
        key = self.world.keys[person].id
        self.run(self.world.sql("update public_keys set revoked_at = now() where id = %s", key))

    @rule(device=st.sampled_from(["bay-door", "mk4"]))
    def late_answer(self, device: str) -> None:
        """Let a device tell what really came of what is unknown."""
        self.run(
            self.world.sql(
                "update devices set commanded = %s::jsonb where external_id = %s",
                "[" + ",".join(f'"{each.command}"' for each in self.lab.effects[-16:]) + "]",
                device,
            )
        )

    # -- what holds ---------------------------------------------------------------------------

    @invariant()
    def one_effect_at_most(self) -> None:
        hazardous = [each for each in self.lab.effects if not each.action.makes_safe]
        commands = Counter(each.command for each in hazardous)
        events = Counter(each.event for each in hazardous if each.event is not None)
        assert all(count == 1 for count in (commands + events).values())

    @invariant()
    def what_is_said_is_what_happened(self) -> None:
        happened = {each.command for each in self.lab.effects}
        since = self.run(
            self.world.sql(
                "select id, outcome from device_commands where outcome in ('done', 'failed')"
                " and proposal_key = any(%s)",
                [key for key, *_ in self.keys],
            )
        )
        for command, outcome in since:
            assert (outcome == "done") is (command in happened)

    @invariant()
    def statuses_follow_the_tables(self) -> None:
        keys = [key for key, *_ in self.keys]
        self._follow("safety_events", EventStatus, EVENT_TRANSITIONS, self.seen_events, keys)
        self._follow(
            "device_commands", CommandStatus, COMMAND_TRANSITIONS, self.seen_commands, keys
        )

    def _follow(
        self, table: str, kind: Any, allowed: Any, seen: dict[UUID, str], keys: Any
    ) -> None:
        query = f"select id, status from {table} where proposal_key = any(%s)"
        for row, status in self.run(self.world.sql(query, keys)):
            was = seen.get(row, "pending")
            assert kind(status) in _reachable(kind(was), allowed)
            seen[row] = status
        assert {row for row, _ in self.run(self.world.sql(query, keys))} >= set(seen)

    @invariant()
    def the_log_only_grows(self) -> None:
        ((length,),) = self.run(self.world.sql("select count(*) from gate_log"))
        assert length >= self.log_length
        self.log_length = length

    def teardown(self) -> None:
        """Let all time pass: nothing stays open, and nothing more happens."""
        before = len(self.lab.effects)
        self.brittle.at = None
        self.world.clock.pass_time(timedelta(hours=1))
        self.run(self.gate().expire())
        self.run(self.gate().recover())
        assert len(self.lab.effects) == before
        assert self.run(self.world.ledger.unfinished_events()) == []
        assert self.run(self.world.ledger.open_commands()) == []
        self.statuses_follow_the_tables()
        self.what_is_said_is_what_happened()


def _reachable(status: Any, allowed: Any) -> set[Any]:
    """Return where a status may have gone in any number of steps."""
    reached, ahead = {status}, {status}
    while ahead:
        ahead = {after for each in ahead for after in allowed[each]} - reached
        reached |= ahead
    return reached


@pytest.fixture
def machine(database: str) -> Iterator[type[Machine]]:
    async def enter(stack: AsyncExitStack) -> World:
        pool = await stack.enter_async_context(open_pool(database, min_size=1, max_size=4))
        world = World(pool)
        await world.open()
        world.clock.moment = LONG_AGO
        await world.sql("delete from zone_presences")
        return world

    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        Machine.runner, Machine.world = runner, runner.run(enter(stack))
        Machine.lies, Machine.reached = frozenset(), Counter()
        yield Machine
        runner.run(stack.aclose())


def use(machine: type[Machine], examples: int, steps: int, *, chance: bool = False) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            derandomize=not chance,
            phases=[Phase.explicit, Phase.generate],  # what it would shrink it replays for minutes
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_the_gate_under_random_use(machine: type[Machine]) -> None:
    ends = {"Done", "Failed", "Unknown", "Pending", "Refused", "crash"}
    wanted = ends | {kind.intent for kind, *_ in WISHES.values()}
    use(machine, 80, 50)
    # What is drawn depends on which modules are loaded: now and then it wants another round.
    for _ in range(4):
        if wanted <= set(machine.reached):
            break
        use(machine, 80, 50, chance=True)
    assert not wanted - set(machine.reached), "some ends were never tried"


@pytest.mark.parametrize("fault", ["carried_out", "acts twice", "nobody signed"])
def test_a_fault_is_noticed(machine: type[Machine], fault: str) -> None:
    """Positive control: the rules above fail when something is wrong.

    A device acts twice, a lost command is taken for carried out, something runs unsigned.
    """
    machine.lies = frozenset({fault})
    with pytest.raises((AssertionError, ExceptionGroup)):
        use(machine, 100, 50)


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_the_gate_under_long_random_use(machine: type[Machine]) -> None:
    use(machine, 300, 80, chance=True)
