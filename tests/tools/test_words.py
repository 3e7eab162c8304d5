"""Actions, numbers and times in words."""

from datetime import timedelta
from uuid import uuid4

import pytest
from fakes.desk import NOW
from hypothesis import given
from hypothesis import strategies as st

from safety.actions import (
    KINDS,
    HeatedPart,
    SendGcode,
    SetTemperature,
    StartPrint,
    SwitchLight,
    UnlockDoor,
)
from safety.entities import DeviceId, JobId, ZoneId
from tools.phrases import ago, capped, clock, either, percent, short, span
from tools.wording import describe, describe_action

HERE = {"device": DeviceId(uuid4()), "zone": ZoneId(uuid4())}


@pytest.mark.parametrize(
    ("action", "device", "words"),
    [
        (UnlockDoor(**HERE), "Welding bay door", "unlock the Welding bay door for 10 seconds"),
        (UnlockDoor(**HERE, seconds=1), "the gate", "unlock the gate for 1 second"),
        (SwitchLight(**HERE, on=False), "Bench lamp", "turn off the Bench lamp"),
        (
            SetTemperature(**HERE, part=HeatedPart.NOZZLE, celsius=215),
            "Giga",
            "heat the nozzle of Giga to 215 °C",
        ),
        (SendGcode(**HERE, gcode="G28\nM104 S200"), "MK4", "send `G28 / M104 S200` to MK4"),
        (
            StartPrint(
                **HERE, job=JobId(uuid4()), gcode_path="a/hinge.gcode", gcode_sha256="0" * 64
            ),
            "MK4",
            "print hinge.gcode on MK4",
        ),
    ],
)
def test_actions_are_told_with_machine_and_numbers(action, device: str, words: str) -> None:
    assert describe_action(action, device, "Print farm") == words


def test_every_kind_of_action_has_words() -> None:
    for kind in KINDS:
        words = describe(kind.__name__, {}, "Giga", "Print farm")
        assert "Giga" in words
        assert kind.__name__ not in words


def test_what_is_not_known_is_said_as_such() -> None:
    assert describe("Dance", {}, "Giga", "Print farm") == "do 'Dance' on Giga"
    assert describe("LockDoor", {}, "", "Print farm") == "lock a device in the Print farm"


def test_long_gcode_is_cut_and_counted() -> None:
    words = describe("SendGcode", {"gcode": "G1 X1\n" * 300}, "MK4", "")
    assert "(1799 characters in all)" in words
    assert len(words) < 300


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 seconds"),
        (1, "1 second"),
        (119, "119 seconds"),
        (120, "2 minutes"),
        (7_199, "120 minutes"),
        (7_200, "2 hours"),
        (7_500, "2 h 5 min"),
        (172_800, "2 days"),
    ],
)
def test_durations(seconds: float, words: str) -> None:
    assert span(seconds) == words


def test_times_carry_their_day_when_it_is_another() -> None:
    assert clock(NOW, NOW) == "10:03 UTC"
    assert clock(NOW - timedelta(days=1), NOW) == "10:03 UTC on 1 March"
    assert clock(NOW - timedelta(days=365), NOW) == "10:03 UTC on 2 March 2025"
    assert ago(NOW + timedelta(seconds=5), NOW) == "just now"


@given(st.floats(0, 1))
def test_only_all_of_it_is_a_hundred_percent(share: float) -> None:
    assert (percent(share) == "100 %") == (share == 1)


@given(st.lists(st.text("abc", min_size=1), max_size=40), st.integers(2, 12))
def test_capped_lists_say_how_many_are_left_out(lines: list[str], limit: int) -> None:
    shown = capped(lines, limit).splitlines()
    assert len(shown) <= limit
    if len(lines) > limit:
        assert shown[-1] == f"... and {len(lines) - limit + 1} more."
    else:
        assert shown == lines


@given(st.text())
def test_short_text_is_one_line_within_its_limit(text: str) -> None:
    line = short(text, 20)
    assert len(line) <= 20
    assert "\n" not in line


def test_lists_of_names() -> None:
    assert [either(n) for n in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        "",
        "a",
        "a or b",
        "a, b or c",
    ]
