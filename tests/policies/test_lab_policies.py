"""Policies in a lab file: each mistake by its path, and nothing lost on the way to the gate."""

import re
from pathlib import Path

import pytest
from people.labs import LAB, NOW

from infra.db import StorePool
from infra.lab_file import LabFileError, parse_lab
from infra.store.lab_import import Count, import_lab
from infra.store.policies import PolicyBook
from safety.entities import Role
from safety.hours import Day, Hours, TimeWindow
from safety.limits import RequestLimit, TaintRule

ROOT = Path(__file__).resolve().parents[2]
OLD = "presence_ttl_seconds = 600\n"
ZONE = "zones[0].policy."
WINDOW = '{ days = ["mon", "fri"], from = "22:00", to = "06:00" }'
HOURS = f'time_zone = "Europe/Berlin"\ntime_windows = [{WINDOW}]\n'
WHOLE = HOURS + 'max_requests = { count = 3, seconds = 60 }\nmax_pending = 2\ntaint = "refuse"\n'


def lab(lines: str) -> str:
    assert OLD in LAB
    return LAB.replace(OLD, OLD + lines)


def problems(lines: str) -> tuple[str, ...]:
    with pytest.raises(LabFileError) as error:
        parse_lab(lab(lines))
    return error.value.problems


def hours(window: str, zone: str = "Europe/Berlin") -> str:
    return f'time_zone = "{zone}"\ntime_windows = [{window}]\n'


@pytest.mark.parametrize(
    ("lines", "place"),
    [
        (hours(WINDOW, "Europe/Atlantis"), "time_zone: is no time zone"),
        (hours(WINDOW, "../etc/passwd"), "time_zone: is no time zone"),
        (hours(WINDOW, "x" * 101), "time_zone: "),
        ('time_zone = "Europe/Berlin"\n', "time_windows and time_zone belong together"),
        (f"time_windows = [{WINDOW}]\n", "time_windows and time_zone belong together"),
        (hours('{ days = [], from = "07:00", to = "08:00" }'), "time_windows[0].days: "),
        (hours('{ days = ["monday"], from = "07:00", to = "08:00" }'), "time_windows[0].days"),
        (hours('{ days = ["mon"], from = "7", to = "08:00" }'), "time_windows[0].from: a time is"),
        (hours('{ days = ["mon"], from = "07:00", to = "24:01" }'), "time_windows[0].to: a time"),
        (hours('{ days = ["mon"], from = "24:00", to = "08:00" }'), "time_windows[0]: "),
        (hours('{ days = ["mon"], from = "07:00", to = "07:00" }'), "time_windows[0]: a time"),
        (hours('{ days = ["mon"], from = "07:00" }'), "time_windows[0].to: "),
        (hours('{ days = ["mon"], from = 07:00:00, to = "08:00" }'), "time_windows[0].from: "),
        (hours('{ days = ["mon"], from = "07:00", to = "08:00", at = 1 }'), "time_windows[0].at: "),
        (hours(", ".join([WINDOW] * 51)), "time_windows: "),
        ("max_requests = { count = 0, seconds = 60 }\n", "max_requests.count: "),
        ("max_requests = { count = true, seconds = 60 }\n", "max_requests.count: "),
        ("max_requests = { count = 1.5, seconds = 60 }\n", "max_requests.count: "),
        ("max_requests = { count = 3, seconds = 2678401 }\n", "max_requests.seconds: "),
        ("max_requests = { count = 3 }\n", "max_requests.seconds: "),
        ("max_requests = 3\n", "max_requests: "),
        ("max_pending = 0\n", "max_pending: "),
        ("max_pending = 10_001\n", "max_pending: "),
        ('max_pending = "5"\n', "max_pending: "),
        ('taint = "ignore"\n', "taint: "),
        ("max_waiting = 3\n", "max_waiting: "),
    ],
)
def test_each_mistake_is_named_by_its_path(lines: str, place: str) -> None:
    found = problems(lines)
    wanted = "zones[0].policy: " if place.startswith("time_windows and") else ZONE
    assert any(each.startswith(wanted) and place in each for each in found), found


def test_the_documented_policy_is_good() -> None:
    page = (ROOT / "docs" / "policies.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    zone = '[[zones]]\nslug = "bay"\nname = "Bay"\nhazard_level = "high"\n'
    policy = parse_lab(f"version = 1\n{zone}{example}").zones[0].policy
    assert policy is not None
    assert len(policy.time_windows) == 2


def test_without_the_new_fields_the_defaults_are_those_of_before() -> None:
    policy = parse_lab(LAB).zones[0].policy
    assert policy is not None
    assert (policy.time_windows, policy.max_requests) == ((), None)
    assert (policy.max_pending, policy.taint) == (20, TaintRule.RAISE)


@pytest.mark.anyio
async def test_what_the_file_says_is_what_the_gate_sees(pool: StorePool) -> None:
    await import_lab(pool, parse_lab(lab(WHOLE)), now=NOW)
    book = PolicyBook(pool)
    floor, bay = [each.policy for each in await book.zones()]
    assert bay is not None
    assert floor is not None
    window = TimeWindow(days=frozenset({Day.MON, Day.FRI}), begins=22 * 60, ends=6 * 60)
    assert bay.time_windows == Hours(zone="Europe/Berlin", windows=(window,))
    assert bay.max_requests is not None
    assert bay.max_requests == RequestLimit(count=3, period=bay.max_requests.period)
    assert bay.max_requests.period.total_seconds() == 60
    assert (bay.max_pending, bay.taint, bay.version) == (2, TaintRule.REFUSE, 1)
    assert (floor.time_windows, floor.max_requests, floor.max_pending) == (None, None, 20)


@pytest.mark.anyio
async def test_only_a_real_change_raises_the_version(pool: StorePool) -> None:
    await import_lab(pool, parse_lab(lab(WHOLE)), now=NOW)
    swapped = WHOLE.replace('"mon", "fri"', '"fri", "mon"')
    again = await import_lab(pool, parse_lab(lab(swapped)), now=NOW)
    assert again.policies == Count(same=2)
    steps = (
        WHOLE.replace("Berlin", "Paris"),
        WHOLE.replace('"06:00"', '"05:00"'),
        WHOLE.replace("count = 3", "count = 4"),
        WHOLE.replace("seconds = 60", "seconds = 61"),
        WHOLE.replace("max_pending = 2", "max_pending = 3"),
        WHOLE.replace("refuse", "raise"),
        "",
    )
    for number, lines in enumerate(steps, start=2):
        done = await import_lab(pool, parse_lab(lab(lines)), now=NOW)
        assert done.policies == Count(same=1, changed=1), lines
        versions = [each.policy.version for each in await PolicyBook(pool).zones() if each.policy]
        assert versions == [1, number]


@pytest.mark.anyio
async def test_who_could_sign_has_the_role_and_a_key_that_counts(pool: StorePool) -> None:
    await import_lab(pool, parse_lab(LAB), now=NOW)
    book = PolicyBook(pool)

    async def handles(*roles: Role, synced: bool = True) -> list[str]:
        return [each.handle for each in await book.signers(roles, synced=synced)]

    assert await handles(Role.OPERATOR) == ["operator"]  # the admin is one too, without a key
    assert await handles(Role.SAFETY) == []
    assert await handles(Role.OPERATOR, synced=False) == ["operator"]
    async with pool.connection() as connection:
        await connection.execute("update public_keys set revoked_at = now()")
    assert await handles(Role.OPERATOR) == []
