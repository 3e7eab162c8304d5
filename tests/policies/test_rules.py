"""The rules of a policy: they hold at their edges, and none makes anything easier."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safety.actions import KINDS, LockDoor, SetScene, StartPrint, SwitchLight, UnlockDoor
from safety.entities import (
    AccessPolicy,
    Device,
    DeviceId,
    Hazard,
    HazardLevel,
    InvalidEntityError,
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
from safety.explaining import explain
from safety.hours import WEEK, Day, Hours, InvalidHoursError, TimeWindow, minutes_of, written
from safety.limits import InvalidLimitError, RequestLimit, TaintRule, Traffic
from safety.policy import (
    Assessment,
    Circumstances,
    Clear,
    Refusal,
    Signer,
    Support,
    Waits,
    assess,
    effective_hazard,
)

NOW = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)  # a Monday
ZONE = ZoneId(UUID(int=1))
DEVICE = DeviceId(UUID(int=2))
ADA, BOB = UserId(UUID(int=5)), UserId(UUID(int=6))
BERLIN = ZoneInfo("Europe/Berlin")
NEW_CODES = {"outside_hours", "too_many_requests", "too_many_pending", "tainted_request"}
ACTIONS = [
    SwitchLight(device=DEVICE, zone=ZONE, on=True),
    SetScene(device=DEVICE, zone=ZONE, scene="dim"),
    UnlockDoor(device=DEVICE, zone=ZONE),
    LockDoor(device=DEVICE, zone=ZONE),
    StartPrint(
        device=DEVICE,
        zone=ZONE,
        job=JobId(UUID(int=3)),
        gcode_path="a.gcode",
        gcode_sha256="0" * 64,
    ),
]

days = st.frozensets(st.sampled_from(Day), min_size=1)


@st.composite
def windows(draw: st.DrawFn) -> TimeWindow:
    begins = draw(st.integers(0, 1_439))
    ends = draw(st.integers(0, 1_440).filter(lambda minute: minute != begins))
    return TimeWindow(days=draw(days), begins=begins, ends=ends)


hours = st.builds(
    Hours,
    zone=st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Kolkata", "UTC", "No/Where"]),
    windows=st.lists(windows(), min_size=1, max_size=3).map(tuple),
)
limits = st.builds(
    RequestLimit,
    count=st.integers(1, 5),
    period=st.integers(1, 86_400).map(lambda seconds: timedelta(seconds=seconds)),
)
moments = st.integers(-366 * 86_400, 366 * 86_400).map(lambda each: NOW + timedelta(seconds=each))
traffics = st.none() | st.builds(Traffic, pending=st.integers(0, 8), recent=st.integers(0, 8))
signers = st.lists(
    st.builds(
        Signer,
        user=st.sampled_from([ADA, BOB]),
        key=st.sampled_from([KeyId("k1"), KeyId("k2")]),
        roles=st.just(frozenset({Role.SAFETY})),
    ),
    max_size=3,
).map(tuple)
supports = st.builds(Support, confirmed=st.booleans(), signers=signers, tainted=st.booleans())
PLAIN = AccessPolicy(
    id=PolicyId(UUID(int=4)),
    name="p",
    zone=ZONE,
    required_roles=frozenset({Role.SAFETY}),
    max_pending=10_000,
)


@st.composite
def circumstances(draw: st.DrawFn, action: object) -> Circumstances:
    kind = type(action)
    requester = User(
        id=ADA,
        display_name="Ada",
        handle="ada",
        roles=frozenset({draw(st.sampled_from(Role))}),
    )
    return Circumstances(
        device=Device(
            id=DEVICE,
            external_id="d",
            name="D",
            kind=next(iter(kind.device_kinds)),
            zone=ZONE,
            capabilities={"intents": [kind.intent], "scenes": ["dim"]},
            online_state=draw(st.sampled_from(OnlineState)),
        ),
        zone=Zone(id=ZONE, slug="z", name="Z", hazard_level=draw(st.sampled_from(HazardLevel))),
        policy=replace(PLAIN, requires_dual_confirm=draw(st.booleans())),
        requester=requester,
        presence=ZonePresence(
            user=ADA,
            zone=ZONE,
            source=PresenceSource.MANUAL,
            status=PresenceStatus.PRESENT,
            observed_at=NOW - timedelta(minutes=draw(st.sampled_from([1, 60]))),
        ),
    )


@st.composite
def cases(draw: st.DrawFn):
    action = draw(st.sampled_from(ACTIONS))
    return action, draw(circumstances(action)), draw(supports)


def _ease(verdict: Assessment) -> tuple[int, int]:
    """Order verdicts: refused, waits for more, waits for less, clear."""
    match verdict:
        case Refusal():
            return (0, 0)
        case Waits(needs=needs):
            return (1, -len(needs))
        case _:
            return (2, 0)


@given(cases(), st.none() | hours, st.none() | limits, st.integers(1, 6), traffics, st.booleans())
def test_no_new_rule_makes_anything_easier(case, when, limit, pending, asked, strict):
    action, seen, support = case
    assert seen.policy is not None
    stricter = replace(
        seen.policy,
        time_windows=when,
        max_requests=limit,
        max_pending=pending,
        taint=TaintRule.REFUSE if strict else TaintRule.RAISE,
    )
    before = assess(action, seen, support, NOW)
    after = assess(action, replace(seen, policy=stricter, asked=asked), support, NOW)
    assert _ease(after) <= _ease(before)
    if after != before:
        # Only by refusing, with a code of its own; who signs for what never changes.
        assert isinstance(after, Refusal)
        assert after.code in NEW_CODES or isinstance(before, Refusal)


@given(cases(), hours, limits, traffics)
def test_making_safe_and_the_harmless_are_never_held_up(case, when, limit, asked):
    action, seen, support = case
    assert seen.policy is not None
    policy = replace(
        seen.policy, time_windows=when, max_requests=limit, max_pending=1, taint=TaintRule.REFUSE
    )
    verdict = assess(action, replace(seen, policy=policy, asked=asked), support, NOW)
    level = effective_hazard(action, seen.zone, policy, tainted=support.tainted)
    if level is Hazard.NONE:
        assert not isinstance(verdict, Refusal) or verdict.code not in NEW_CODES
    if isinstance(action, LockDoor):
        assert isinstance(verdict, Clear)


@given(cases())
def test_without_the_new_fields_everything_is_as_before(case):
    action, seen, support = case
    verdict = assess(action, replace(seen, asked=Traffic(pending=9_999)), support, NOW)
    assert verdict == assess(action, seen, support, NOW)
    assert not isinstance(verdict, Refusal) or verdict.code not in NEW_CODES


@given(cases(), st.none() | hours, traffics)
def test_the_explanation_says_what_assess_says(case, when, asked):
    action, seen, support = case
    assert seen.policy is not None
    seen = replace(seen, policy=replace(seen.policy, time_windows=when, max_pending=3), asked=asked)
    found = explain(action, seen, support, NOW)
    verdict = assess(action, seen, support, NOW)
    assert found.verdict == verdict
    unmet = [each.refusal for each in found.checks if not each.met]
    assert (unmet[0] == verdict) if isinstance(verdict, Refusal) else not unmet
    if found.hazard > Hazard.NONE:
        top = max(each.hazard for each in found.reasons)
        assert found.hazard is top
    if not isinstance(verdict, Refusal):
        assert verdict.hazard is found.hazard


# -- hours --------------------------------------------------------------------------------


def _minutes_inside(window: TimeWindow) -> Iterator[tuple[Day, int]]:
    """List a week's minutes in the window, one by one from its beginning: the plain way."""
    for day in window.days:
        length = (window.ends - window.begins) % 1_440
        length = length or 1_440
        for offset in range(length):
            minute = window.begins + offset
            yield WEEK[(WEEK.index(day) + minute // 1_440) % 7], minute % 1_440


@given(windows(), st.lists(moments, min_size=1, max_size=20))
def test_a_window_holds_its_minutes_and_no_other(window, asked):
    inside = set(_minutes_inside(window))
    when = Hours(zone="Europe/Berlin", windows=(window,))
    for moment in asked:
        local = moment.astimezone(BERLIN)
        here = (WEEK[local.weekday()], local.hour * 60 + local.minute)
        assert when.hold(moment) is (here in inside)


def _window(begins: str, ends: str, *on: Day) -> Hours:
    return Hours(
        zone="Europe/Berlin",
        windows=(
            TimeWindow(days=frozenset(on or Day), begins=minutes_of(begins), ends=minutes_of(ends)),
        ),
    )


def berlin(text: str, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold).astimezone(UTC)


@pytest.mark.parametrize(
    ("moment", "inside"),
    [
        ("2026-03-06T21:59:59.999999", False),
        ("2026-03-06T22:00:00", True),  # Friday, when it begins
        ("2026-03-06T23:59:59", True),
        ("2026-03-07T00:00:00", True),  # over midnight into Saturday
        ("2026-03-07T05:59:59.999999", True),
        ("2026-03-07T06:00:00", False),
        ("2026-03-07T22:30:00", False),  # it does not begin on Saturday
        ("2026-03-06T03:00:00", False),  # nor was it begun on Thursday
    ],
)
def test_a_window_over_midnight_belongs_to_the_day_on_which_it_begins(moment, inside):
    assert _window("22:00", "06:00", Day.FRI).hold(berlin(moment)) is inside


def test_sunday_night_reaches_into_monday():
    assert _window("22:00", "02:00", Day.SUN).hold(berlin("2026-03-02T01:00:00"))
    assert not _window("22:00", "02:00", Day.MON).hold(berlin("2026-03-02T01:00:00"))


def test_in_spring_the_hour_that_is_left_out_is_missing_from_the_window():
    """2026-03-29 02:00 becomes 03:00 in Berlin: 00:30 UTC is 01:30, 01:00 UTC is 03:00."""
    window = _window("01:30", "03:30")
    half = timedelta(minutes=30)
    begin = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)
    assert [window.hold(begin + half * step) for step in range(-1, 3)] == [
        False,
        True,
        True,
        False,
    ]
    usual = datetime(2026, 3, 28, 0, 30, tzinfo=UTC)
    assert [window.hold(usual + half * step) for step in range(5)] == [True] * 4 + [False]


def test_in_autumn_the_hour_that_comes_twice_counts_twice():
    """2026-10-25 03:00 becomes 02:00 again in Berlin."""
    window = _window("02:00", "03:00")
    assert window.hold(berlin("2026-10-25T02:30:00", fold=0))
    assert window.hold(berlin("2026-10-25T02:30:00", fold=1))
    begin = datetime(2026, 10, 25, 0, 0, tzinfo=UTC)
    minutes = sum(window.hold(begin + timedelta(minutes=step)) for step in range(180))
    assert minutes == 120


def test_a_window_until_midnight_and_a_whole_day():
    late = _window("18:00", "24:00", Day.MON)
    assert late.hold(berlin("2026-03-02T23:59:59"))
    assert not late.hold(berlin("2026-03-03T00:00:00"))
    whole = _window("00:00", "24:00", Day.MON)
    assert whole.hold(berlin("2026-03-02T00:00:00"))
    assert not whole.hold(berlin("2026-03-01T23:59:59"))


def test_in_a_time_zone_that_nobody_knows_it_is_never_time():
    for name in ("No/Where", "../etc/passwd", "\x00", "/etc/localtime", "x" * 5_000):
        window = TimeWindow(days=frozenset(Day), begins=0, ends=1_440)
        assert not Hours(zone=name, windows=(window,)).hold(NOW)


@given(st.integers(0, 1_440))
def test_times_are_read_as_they_are_written(minutes):
    assert minutes_of(written(minutes)) == minutes


@pytest.mark.parametrize(
    "text",
    [
        "",
        "7:00",
        "07:60",
        "24:01",
        "25:00",
        "07.00",
        "07:00:00",
        " 07:00",
        "07:00\n",
        "٠٧:٠٠",
        "+7:00",
    ],
)
def test_other_texts_are_no_times(text):
    with pytest.raises(InvalidHoursError):
        minutes_of(text)


def test_what_is_no_window_and_no_limit_cannot_be_built():
    with pytest.raises(InvalidHoursError):
        TimeWindow(days=frozenset(), begins=0, ends=60)
    with pytest.raises(InvalidHoursError):
        TimeWindow(days=frozenset(Day), begins=60, ends=60)
    with pytest.raises(InvalidHoursError):
        TimeWindow(days=frozenset(Day), begins=-1, ends=60)
    with pytest.raises(InvalidHoursError):
        TimeWindow(days=frozenset(Day), begins=0, ends=1_441)
    with pytest.raises(InvalidHoursError):
        Hours(zone="UTC", windows=())
    with pytest.raises(InvalidHoursError):
        Hours(zone="", windows=(TimeWindow(days=frozenset(Day), begins=0, ends=1),))
    for count, seconds in ((0, 60), (True, 60), (100_001, 60), (1, 0), (1, 32 * 86_400)):
        with pytest.raises(InvalidLimitError):
            RequestLimit(count=count, period=timedelta(seconds=seconds))
    for pending in (0, -1, 10_001, True):
        with pytest.raises(InvalidEntityError):
            replace(PLAIN, max_pending=pending)


def test_every_action_has_been_looked_at():
    assert {type(each) for each in ACTIONS} <= set(KINDS)


def test_a_naive_window_in_utc_would_be_caught():
    """Positive control: reading the window in UTC lets 22:30 in Berlin through in winter."""
    window = _window("06:00", "22:00").windows[0]
    moment = berlin("2026-01-05T22:30:00")
    assert window.holds(moment)
    assert not _window("06:00", "22:00").hold(moment)
