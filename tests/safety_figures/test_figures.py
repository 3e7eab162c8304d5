"""The safety figures in small: each goal is met, and each naive variant is noticed.

Crowds, roles and rogue commands have tests of their own: `safety/test_concurrency.py`,
`safety/test_gate.py`, `edge/test_broker.py`.
"""

import re
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from safety_figures import (
    answers,
    arguments,
    clocks,
    crashes,
    logbook,
    mutations,
    presence,
    replays,
)
from safety_figures.elsewhere import TESTS
from safety_figures.figure import Figure, table

pytestmark = pytest.mark.anyio
Gate = Callable[[int], Coroutine[Any, Any, Figure]]
IN_THE_STORE: list[tuple[Gate, int]] = [
    (mutations.through_the_gate, 60),
    (replays.after_a_restored_database, 1),
    (arguments.changed_while_waiting, 36),
    (presence.around_the_limit, 3),
    (clocks.jumping, 59),
    (crashes.in_process, 1),
]


def _name(value: object) -> str:
    """Name a case alike in every worker: a function's text holds its address."""
    return getattr(value, "__name__", str(value))


@pytest.mark.parametrize(("figure", "number"), IN_THE_STORE, ids=_name)
async def test_a_figure_of_the_gate(figure: Gate, number: int) -> None:
    found = await figure(number)
    assert found.passed, table([found])


def test_the_figures_without_a_store() -> None:
    found = [
        mutations.at_the_verifier([mutations.share(500, 1), mutations.share(500, 2)]),
        replays.at_the_edge(140),
        logbook.tampered(35),
        answers.confusing(120),
    ]
    assert all(each.passed for each in found), table(found)


def test_a_goal_that_is_missed_is_said() -> None:
    figure = mutations.at_the_verifier([(10, 1, 10, 5)])
    assert not figure.passed
    assert table([figure]).splitlines()[-1].startswith("MISSED")
    unnoticed = mutations.at_the_verifier([(10, 0, 10, 0)])
    assert not unnoticed.passed
    assert "NOT CAUGHT" in table([unnoticed])


def test_the_safety_case_names_tests_that_exist() -> None:
    text = (TESTS.parent / "docs" / "safety.md").read_text(encoding="utf-8")
    path, named = "", 0
    for file, test in re.findall(r"`([\w/]+\.py)?::(test_\w+)`", text):
        path = file or path
        named += 1
        assert f"def {test}(" in (TESTS / path).read_text(encoding="utf-8"), f"{path}::{test}"
    assert named >= 40
