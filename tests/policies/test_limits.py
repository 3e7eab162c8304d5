"""Policies at work: in the gate, in the database, and when many ask at once."""

import asyncio
import itertools
from collections import Counter
from datetime import datetime, timedelta

import psycopg
import pytest
from fakes.world import World
from psycopg.types.json import Jsonb

from infra.store.facts import PostgresFacts
from safety.actions import (
    CutPower,
    EnablePower,
    LockDoor,
    ResumePrint,
    SetScene,
    SetTemperature,
    SwitchLight,
    UnlockDoor,
)
from safety.actions import HeatedPart as Part
from safety.entities import AccessPolicy, UserId, ZoneId
from safety.hours import DAY_MINUTES, WEEK, written
from safety.limits import Traffic
from safety.policy import Clear, Waits
from safety.records import Done, Pending, Refused

pytestmark = pytest.mark.anyio
PLAIN = {
    "time_zone": None,
    "time_windows": Jsonb([]),
    "max_requests": None,
    "max_requests_period": None,
    "max_pending": 10_000,
    "taint": "raise",
}
TABLES = ("safety_events", "device_commands", "gate_log", "gate_log_chain", "safety_signatures")


async def lay_down(world: World, **fields: object) -> None:
    """Give all zones the plain policy with these fields."""
    values = PLAIN | {"active": True} | fields
    names = ", ".join(f"{name} = %s" for name in values)
    await world.sql(f"update access_policies set {names}", *values.values())


def around(moment: datetime, before: int, after: int) -> dict[str, object]:
    """Return a window from so many minutes before a moment to so many after it."""
    minute = moment.hour * 60 + moment.minute
    begins, ends = (minute - before) % DAY_MINUTES, (minute + after) % DAY_MINUTES
    window = {"days": list(WEEK), "from": written(begins), "to": written(ends)}
    return {"time_zone": "UTC", "time_windows": Jsonb([window])}


def door(world: World, person: str = "olga", name: str = "floor-door"):
    return world.proposal(world.act(UnlockDoor, name), person)


# -- explain and submit -------------------------------------------------------------------


def wishes(world: World):
    yield world.act(SwitchLight, "floor-light", on=True)
    yield world.act(SwitchLight, "bay-light", on=True)
    yield world.act(SetScene, "floor-light", scene="dim")
    yield world.act(SetScene, "floor-light", scene="disco")
    yield world.act(SetScene, "bay-light", scene="dim")
    yield world.act(UnlockDoor, "floor-door")
    yield world.act(UnlockDoor, "bay-door")
    yield world.act(LockDoor, "bay-door")
    yield world.act(EnablePower, "welder")
    yield world.act(CutPower, "welder")
    yield world.act(SetTemperature, "mk4", part=Part.NOZZLE, celsius=215)
    yield world.act(SetTemperature, "mk4", part=Part.NOZZLE, celsius=340)


def policies(world: World):
    now = world.clock()
    yield {}
    yield around(now, 60, 60)
    yield around(now, -60, 180)
    yield {"taint": "refuse"}
    yield {"max_requests": 2, "max_requests_period": timedelta(hours=1)}
    yield {"max_pending": 2}
    yield {"active": False}


async def test_explain_says_exactly_what_submit_then_does(world: World):
    verdicts: Counter[str] = Counter()
    for policy in policies(world):
        await lay_down(world, **policy)
        for person, action, tainted in itertools.product(
            ("olga", "sara", "anna"), wishes(world), (False, True)
        ):
            proposal = world.proposal(action, person, tainted=tainted)
            before = [await world.sql(f"select count(*) from {table}") for table in TABLES]
            told = len(world.driver.done)
            found = await world.gate.explain(proposal, world.clock())
            after = [await world.sql(f"select count(*) from {table}") for table in TABLES]
            assert (after, len(world.driver.done)) == (before, told)
            outcome = await world.gate.submit(proposal)
            match found.verdict:
                case Clear():
                    assert isinstance(outcome, Done), (policy, person, action, outcome)
                    verdicts["clear"] += 1
                case Waits(hazard=hazard, needs=needs):
                    assert isinstance(outcome, Pending), (policy, person, action, outcome)
                    assert (outcome.hazard, outcome.needs) == (hazard, needs)
                    verdicts["waits"] += 1
                case refusal:
                    assert isinstance(outcome, Refused), (policy, person, action, outcome)
                    assert (outcome.code, outcome.reason) == (refusal.code, refusal.reason)
                    assert any(each.refusal == refusal for each in found.checks)
                    verdicts[refusal.code] += 1
    assert sum(verdicts.values()) == 7 * 3 * 12 * 2
    assert verdicts.keys() == {
        "clear", "waits", "beyond_device_limits", "no_presence", "not_authorised", "no_policy",
        "outside_hours", "tainted_request", "too_many_requests", "too_many_pending",
    }  # fmt: skip


# -- hours --------------------------------------------------------------------------------


async def test_what_is_signed_after_hours_does_not_run(world: World):
    await lay_down(world, **around(world.clock(), 5, 2))
    asked = await world.gate.submit(door(world, name="bay-door"))
    assert isinstance(asked, Pending)
    assert isinstance(await world.sign(asked.event, "emil"), Pending)
    world.clock.pass_time(timedelta(minutes=3))
    late = await world.sign(asked.event, "sara")
    assert isinstance(late, Refused)
    assert late.code == "outside_hours"
    assert not world.driver.done
    assert isinstance(
        await world.gate.submit(world.proposal(world.act(LockDoor, "bay-door"))), Done
    )


async def test_a_policy_that_changes_takes_the_signatures_with_it(world: World):
    changes = [
        around(world.clock(), 60, 60),
        {"max_requests": 100, "max_requests_period": timedelta(minutes=1)},
        {"max_pending": 100},
        {"taint": "refuse"},
    ]
    for change in changes:
        await lay_down(world)
        asked = await world.gate.submit(door(world, name="bay-door"))
        assert isinstance(asked, Pending)
        assert isinstance(await world.sign(asked.event, "emil"), Pending)
        version = await world.sql("select version from access_policies where name = 'bay'")
        await lay_down(world, **change)
        raised = await world.sql("select version from access_policies where name = 'bay'")
        assert raised[0][0] == version[0][0] + 1
        late = await world.sign(asked.event, "sara")
        assert isinstance(late, Refused)
        assert late.code == "policy_changed"
    assert not world.driver.done


# -- counters -----------------------------------------------------------------------------


async def test_requests_are_counted_by_person_zone_and_time(world: World):
    await lay_down(world, max_requests=3, max_requests_period=timedelta(minutes=1))
    for _ in range(3):
        asked = await world.gate.submit(door(world))
        assert isinstance(asked, Pending)
        await world.gate.deny(asked.event, world.users["olga"], "")
    for _ in range(2):
        refused = await world.gate.submit(door(world))
        assert isinstance(refused, Refused)
        assert refused.code == "too_many_requests"
    assert isinstance(await world.gate.submit(door(world, "emil")), Refused)  # was never there
    await world.see("emil", "floor")
    assert isinstance(await world.gate.submit(door(world, "emil")), Pending)
    assert isinstance(await world.gate.submit(door(world, name="bay-door")), Pending)
    safe = world.proposal(world.act(LockDoor, "floor-door"))
    assert isinstance(await world.gate.submit(safe), Done)
    world.clock.pass_time(timedelta(seconds=60))
    assert isinstance(await world.gate.submit(door(world)), Pending)


async def test_a_clock_that_is_set_back_frees_nobody(world: World):
    await lay_down(world, max_requests=1, max_requests_period=timedelta(minutes=1))
    action = world.act(ResumePrint, "mk4")
    assert isinstance(await world.gate.submit(world.proposal(action)), Pending)
    world.clock.pass_time(timedelta(seconds=-30))
    refused = await world.gate.submit(world.proposal(action))
    assert isinstance(refused, Refused)
    assert refused.code == "too_many_requests"


async def test_who_floods_is_held_until_something_is_settled(world: World):
    await lay_down(world, max_pending=2)
    first, second = door(world), door(world, name="bay-door")
    asked = await world.gate.submit(first)
    assert isinstance(asked, Pending)
    assert isinstance(await world.gate.submit(second), Pending)
    refused = await world.gate.submit(door(world))
    assert isinstance(refused, Refused)
    assert refused.code == "too_many_pending"
    # The same request again is no further one.
    assert isinstance(await world.gate.submit(first), Pending)
    await world.see("emil", "floor")
    assert isinstance(await world.gate.submit(door(world, "emil")), Pending)
    await world.gate.deny(asked.event, world.users["olga"], "")
    assert isinstance(await world.gate.submit(door(world)), Pending)
    world.clock.pass_time(timedelta(seconds=301))
    # What has run out does not hold anybody up, even before it is swept away.
    assert isinstance(await world.gate.submit(door(world)), Pending)


async def test_twenty_may_wait_unless_the_policy_says_otherwise(world: World):
    await world.sql("update access_policies set max_pending = default")
    outcomes = [await world.gate.submit(door(world)) for _ in range(21)]
    assert [type(each) for each in outcomes] == [Pending] * 20 + [Refused]


class Together(PostgresFacts):
    """Facts that let nobody go on before all have counted: the worst moment."""

    def __init__(self, world: World, parties: int) -> None:
        super().__init__(world.pool)
        self._barrier = asyncio.Barrier(parties)
        self._left = parties

    async def traffic(
        self, requester: UserId, zone: ZoneId, policy: AccessPolicy, now: datetime
    ) -> Traffic:
        found = await super().traffic(requester, zone, policy, now)
        if self._left:
            self._left -= 1
            await asyncio.wait_for(self._barrier.wait(), 30)
        return found


async def _rush(world: World, count: int = 24) -> Counter[str]:
    world.facts = Together(world, count)
    gates = [world.new_gate(), world.new_gate()]
    outcomes = await asyncio.gather(
        *(gates[number % 2].submit(door(world)) for number in range(count))
    )
    return Counter(
        each.code if isinstance(each, Refused) else type(each).__name__ for each in outcomes
    )


LIMITED = [
    ({"max_pending": 4}, "too_many_pending"),
    ({"max_requests": 4, "max_requests_period": timedelta(minutes=1)}, "too_many_requests"),
]


@pytest.mark.parametrize(("policy", "code"), LIMITED)
async def test_many_at_once_get_no_more_than_one_after_the_other(world: World, policy, code):
    await lay_down(world, **policy)
    assert await _rush(world) == {"Pending": 4, code: 20}
    assert await world.sql("select count(*) from safety_events") == [(4,)]
    assert (await world.log()).count(("refused", code)) == 20


@pytest.mark.parametrize(("policy", "code"), LIMITED)
async def test_counting_without_the_lock_would_be_caught(world: World, policy, code):
    """Positive control: without the database's own count, all who looked at once get through."""
    await world.sql("drop trigger safety_events_2_limits on safety_events")
    await lay_down(world, **policy)
    assert await _rush(world) == {"Pending": 24}


# -- the database -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        {"time_zone": "UTC"},
        {"time_windows": Jsonb([{"days": ["mon"], "from": "07:00", "to": "08:00"}])},
        {"time_zone": "UTC", "time_windows": Jsonb({})},
        {"time_zone": "UTC", "time_windows": Jsonb([[]])},
        {"time_zone": "UTC", "time_windows": Jsonb([{}])},
        {"time_zone": "UTC", "time_windows": Jsonb(["mon"])},
        *(
            {"time_zone": "UTC", "time_windows": Jsonb([window])}
            for window in (
                {"days": [], "from": "07:00", "to": "08:00"},
                {"days": "mon", "from": "07:00", "to": "08:00"},
                {"days": ["monday"], "from": "07:00", "to": "08:00"},
                {"days": ["mon"], "from": "7:00", "to": "08:00"},
                {"days": ["mon"], "from": "24:00", "to": "08:00"},
                {"days": ["mon"], "from": "07:00", "to": "24:01"},
                {"days": ["mon"], "from": "07:00", "to": "07:00"},
                {"days": ["mon"], "from": 7, "to": 8},
                {"days": ["mon"], "from": "07:00", "to": "08:00", "more": 1},
                {"days": ["mon"], "from": "07:00"},
            )
        ),
        {"max_requests": 3},
        {"max_requests_period": timedelta(minutes=1)},
        {"max_requests": 0, "max_requests_period": timedelta(minutes=1)},
        {"max_requests": 1, "max_requests_period": timedelta(0)},
        {"max_requests": 1, "max_requests_period": timedelta(days=32)},
        {"max_pending": 0},
        {"max_pending": 10_001},
        {"taint": "ignore"},
    ],
)
async def test_the_database_refuses_what_no_policy_can_be(world: World, fields):
    with pytest.raises(psycopg.errors.CheckViolation):
        await lay_down(world, **fields)
    seen = await world.facts.circumstances(
        world.act(UnlockDoor, "bay-door"), world.users["olga"].id
    )
    assert seen.policy is not None
    assert seen.policy.version == 1
