"""The table of hazards, as properties over everything that can be asked."""

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safety.actions import KINDS, Action, HeatedPart, UnlockDoor
from safety.entities import (
    AccessPolicy,
    Device,
    DeviceId,
    DeviceKind,
    Hazard,
    HazardLevel,
    JobId,
    KeyId,
    OnlineState,
    PolicyId,
    PresenceSource,
    PresenceStatus,
    Role,
    User,
    UserId,
    Zone,
    ZoneId,
    ZonePresence,
)
from safety.policy import (
    Circumstances,
    Clear,
    Need,
    Refusal,
    Signer,
    Support,
    Waits,
    assess,
    effective_hazard,
)

NOW = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
SPACE = UUID(int=7)
ZONE = ZoneId(UUID(int=1))
DEVICE = DeviceId(UUID(int=2))
PEOPLE = [UserId(uuid5(SPACE, name)) for name in ("ada", "bob", "eve")]
KEYS = [KeyId(name) for name in ("k1", "k2", "k3")]
EXAMPLES = {
    "on": True,
    "scene": "dim",
    "seconds": 10,
    "job": JobId(UUID(int=3)),
    "gcode_path": "a.gcode",
    "gcode_sha256": "0" * 64,
    "part": HeatedPart.NOZZLE,
    "celsius": 200,
    "gcode": "M115",
}


def example(kind: type[Action]) -> Action:
    arguments = {f.name: EXAMPLES[f.name] for f in fields(kind) if f.name in EXAMPLES}
    return kind(device=DEVICE, zone=ZONE, **arguments)


roles = st.frozensets(st.sampled_from(Role), min_size=1)
users = st.builds(
    User,
    id=st.sampled_from(PEOPLE),
    display_name=st.just("x"),
    handle=st.just("x"),
    roles=roles,
)
policies = st.none() | st.builds(
    AccessPolicy,
    id=st.just(PolicyId(UUID(int=4))),
    name=st.just("p"),
    zone=st.just(ZONE),
    required_roles=roles,
    requires_dual_confirm=st.booleans(),
    requires_presence=st.booleans(),
)
zones = st.builds(
    Zone,
    id=st.just(ZONE),
    slug=st.just("z"),
    name=st.just("Z"),
    hazard_level=st.sampled_from(HazardLevel),
    requires_ppe=st.booleans(),
)
presences = st.none() | st.builds(
    ZonePresence,
    user=st.sampled_from(PEOPLE),
    zone=st.sampled_from([ZONE, ZoneId(UUID(int=9))]),
    source=st.sampled_from(PresenceSource),
    status=st.sampled_from(PresenceStatus),
    observed_at=st.integers(-1000, 1000).map(lambda s: NOW - timedelta(seconds=s)),
)
signers = st.lists(
    st.builds(
        Signer,
        user=st.sampled_from(PEOPLE),
        key=st.sampled_from(KEYS),
        roles=roles,
        valid=st.booleans(),
    ),
    max_size=4,
).map(tuple)
supports = st.builds(Support, confirmed=st.booleans(), signers=signers, tainted=st.booleans())


@st.composite
def cases(draw: st.DrawFn, kinds: tuple[type[Action], ...] = KINDS):
    action = example(draw(st.sampled_from(kinds)))
    device = Device(
        id=DEVICE,
        external_id="d",
        name="D",
        kind=draw(st.sampled_from(DeviceKind)),
        zone=draw(st.sampled_from([ZONE, ZoneId(UUID(int=9))])),
        capabilities={
            "intents": draw(st.sampled_from([[action.intent], []])),
            "scenes": ["dim"],
            "nozzle_max_c": draw(st.sampled_from([150, 300])),
        },
        online_state=draw(st.sampled_from(OnlineState)),
    )
    seen = Circumstances(
        device=draw(st.sampled_from([device, None])),
        zone=draw(st.none() | zones),
        policy=draw(policies),
        requester=draw(st.none() | users),
        presence=draw(presences),
        has_driver=draw(st.booleans()),
    )
    return action, seen, draw(supports)


def good(kind: type[Action], level: HazardLevel = HazardLevel.HIGH) -> Circumstances:
    return Circumstances(
        device=Device(
            id=DEVICE,
            external_id="d",
            name="D",
            kind=next(iter(kind.device_kinds)),
            zone=ZONE,
            capabilities={"intents": [kind.intent], "scenes": ["dim"], "nozzle_max_c": 300},
            online_state=OnlineState.ONLINE,
        ),
        zone=Zone(id=ZONE, slug="z", name="Z", hazard_level=level),
        requester=ADA,
        policy=AccessPolicy(
            id=PolicyId(UUID(int=4)),
            name="p",
            zone=ZONE,
            required_roles=frozenset({Role.SAFETY}),
            requires_dual_confirm=level is HazardLevel.HIGH,
            requires_presence=level is HazardLevel.HIGH,
        ),
        presence=ZonePresence(
            user=PEOPLE[0],
            zone=ZONE,
            source=PresenceSource.MANUAL,
            status=PresenceStatus.PRESENT,
            observed_at=NOW,
        ),
    )


ADA = User(
    id=PEOPLE[0], display_name="Ada", handle="ada", roles=frozenset({Role.OPERATOR, Role.SAFETY})
)


@given(cases())
def test_nothing_hazardous_runs_without_what_the_table_says(case):
    action, seen, support = case
    if not isinstance(assess(action, seen, support, NOW), Clear):
        return
    hazard = effective_hazard(action, seen.zone, seen.policy, tainted=support.tainted)
    assert seen.requester is not None or action.makes_safe
    valid = (
        [s for s in support.signers if s.valid and s.roles & seen.policy.required_roles]
        if (seen.policy)
        else []
    )
    if hazard is Hazard.LOW:
        assert support.confirmed
        assert seen.requester.roles & seen.policy.required_roles
    if hazard >= Hazard.MEDIUM:
        assert valid
    if hazard is Hazard.HIGH:
        assert len({s.user for s in valid}) >= 2
        assert len({s.key for s in valid}) >= 2
        assert {s.user for s in valid} - {seen.requester.id}
        assert seen.presence is not None
        assert seen.presence.status is PresenceStatus.PRESENT
        assert (seen.presence.user, seen.presence.zone) == (seen.requester.id, ZONE)
        assert timedelta(0) <= NOW - seen.presence.observed_at <= seen.policy.presence_ttl


@given(cases())
def test_whatever_is_unknown_is_refused(case):
    action, seen, support = case
    verdict = assess(action, seen, support, NOW)
    unknown = (
        seen.device is None
        or seen.zone is None
        or not seen.has_driver
        or seen.device.kind not in action.device_kinds
        or action.intent not in seen.device.intents
        or seen.device.zone != action.zone
    )
    if unknown or (not action.makes_safe and seen.device.online_state is OnlineState.OFFLINE):
        assert isinstance(verdict, Refusal)


@given(cases(tuple(kind for kind in KINDS if kind.makes_safe)))
def test_making_safe_never_waits_for_anybody(case):
    action, seen, support = case
    verdict = assess(action, seen, support, NOW)
    assert not isinstance(verdict, Waits)
    if isinstance(verdict, Refusal):
        assert verdict.code in {
            "unknown_device",
            "wrong_zone",
            "unsupported_intent",
            "no_driver",
            "beyond_device_limits",
        }


@given(cases(), signers)
def test_more_signatures_never_make_it_need_more(case, extra):
    action, seen, support = case
    before = assess(action, seen, support, NOW)
    after = assess(action, seen, replace(support, signers=support.signers + extra), NOW)
    if isinstance(before, Clear):
        assert isinstance(after, Clear)
    if isinstance(before, Waits) and isinstance(after, Waits):
        order = [
            frozenset({Need.SIGNATURE, Need.SECOND_SIGNATURE}),
            frozenset({Need.SIGNATURE}),
            frozenset({Need.SECOND_SIGNATURE}),
            frozenset({Need.CONFIRMATION}),
        ]
        assert order.index(after.needs) >= order.index(before.needs)


@given(cases())
def test_taint_never_makes_it_easier(case):
    action, seen, support = case
    clean = effective_hazard(action, seen.zone, seen.policy, tainted=False)
    tainted = effective_hazard(action, seen.zone, seen.policy, tainted=True)
    assert tainted >= clean
    if isinstance(assess(action, seen, replace(support, tainted=True), NOW), Clear):
        assert isinstance(assess(action, seen, replace(support, tainted=False), NOW), Clear) or (
            clean is Hazard.LOW
        )


@given(st.sampled_from(KINDS), zones, policies, st.booleans())
def test_the_stricter_of_action_zone_and_policy_counts(kind, zone, policy, tainted):
    level = effective_hazard(example(kind), zone, policy, tainted=tainted)
    if kind.makes_safe:
        assert level is Hazard.NONE
    elif kind.hazard > Hazard.NONE:
        assert level >= max(kind.hazard, zone.hazard_level.hazard)
        if policy is not None and policy.requires_dual_confirm:
            assert level is Hazard.HIGH


def signer(person: int, key: int) -> Signer:
    return Signer(user=PEOPLE[person], key=KEYS[key], roles=frozenset({Role.SAFETY}))


@pytest.mark.parametrize(
    ("given_signers", "clear"),
    [
        ((), False),
        (((0, 0),), False),
        (((1, 0),), False),
        (((0, 0), (0, 1)), False),
        (((0, 0), (1, 0)), False),
        (((0, 0), (1, 1)), True),
        (((1, 0), (2, 1)), True),
    ],
)
def test_a_high_hazard_needs_two_people_and_two_keys(given_signers, clear):
    support = Support(signers=tuple(signer(*each) for each in given_signers))
    verdict = assess(example(UnlockDoor), good(UnlockDoor), support, NOW)
    assert isinstance(verdict, Clear) is clear


def test_a_new_kind_of_action_is_dangerous_and_refused_until_it_is_listed():
    class Novel(Action):
        pass

    assert Novel.hazard is Hazard.HIGH
    verdict = assess(Novel(device=DEVICE, zone=ZONE), good(UnlockDoor), Support(), NOW)
    assert isinstance(verdict, Refusal)
    assert verdict.code == "unknown_action"


def test_every_kind_says_what_it_is():
    for kind in KINDS:
        assert kind.intent
        assert kind.device_kinds
        assert kind.hazard is Hazard.NONE or not kind.makes_safe
    assert len({kind.intent for kind in KINDS}) == len(KINDS)


def test_a_naive_gate_that_counts_signatures_would_be_caught():
    """Positive control: counting signatures instead of people lets one person open the door."""
    support = Support(signers=(signer(0, 0), signer(0, 1)))
    naive = len(support.signers) >= 2
    assert naive
    assert not isinstance(assess(example(UnlockDoor), good(UnlockDoor), support, NOW), Clear)
