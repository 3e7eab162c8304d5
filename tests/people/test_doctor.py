"""The doctor says what is wrong, why it matters and what to do, and keeps secrets."""

import socket
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant import doctor, doctor_checks
from assistant.doctor_table import Finding, State, exit_code, findings_text
from infra import clock
from infra.settings import load

pytestmark = pytest.mark.anyio


@pytest.fixture
def taken_port() -> Iterator[int]:
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


@pytest.fixture
def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def home(tmp_path: Path) -> dict[str, str]:
    # Below /tmp's own folder of the test, which the database's user could not enter.
    return {"KITTY_HOME": str(tmp_path), "KITTY_HTTP_PORT": "0"}


def of(findings: list[Finding], what: str) -> Finding:
    [found] = [each for each in findings if each.what == what]
    return found


async def test_a_machine_that_works(tmp_path: Path, database: str) -> None:
    lab = tmp_path / "lab.toml"
    lab.write_text("version = 1")
    url = f"postgresql:///?{database.replace(' ', '&')}"
    findings = await doctor.examine(
        load({**home(tmp_path), "KITTY_DATABASE_URL": url, "KITTY_LAB_FILE": str(lab)})
    )
    assert exit_code(findings) == 0, findings_text(findings)
    assert of(findings, "Database").found.startswith("PostgreSQL 18")
    assert of(findings, "pgvector").state is State.OK
    assert of(findings, "Clocks agree").state is State.OK
    assert {each.what for each in findings} >= {
        "Python", "Home", "Clock", "MQTT broker", "Port", "Lab file", "CAD", "Listening",
        "Listening (grammar)", "Speaking", "Local model", "Frontier models", "Chromium",
        "PrusaSlicer",
    }  # fmt: skip


async def test_what_is_wrong_is_explained_without_secrets(
    tmp_path: Path, free_port: int, taken_port: int
) -> None:
    findings = await doctor.examine(
        load(
            {
                "KITTY_HOME": str(tmp_path),
                "KITTY_DATABASE_URL": f"postgresql://kitty:S3cr3t@127.0.0.1:{free_port}/kitty",
                "KITTY_MQTT_HOST": "127.0.0.1",
                "KITTY_MQTT_PORT": str(free_port),
                "KITTY_HTTP_PORT": str(taken_port),
                "KITTY_LAB_FILE": str(tmp_path / "none.toml"),
            }
        )
    )
    wrong = {each.what for each in findings if each.state is State.PROBLEM}
    assert wrong == {"Database", "MQTT broker", "Port", "Lab file"}
    assert exit_code(findings) == 1
    text = findings_text(findings)
    assert "S3cr3t" not in text
    assert "4 problems to put right" in text
    for each in findings:
        assert each.why
        assert bool(each.how) == (each.state is not State.OK)


async def test_a_broker_that_answers(taken_port: int) -> None:
    settings = load({"KITTY_MQTT_HOST": "127.0.0.1", "KITTY_MQTT_PORT": str(taken_port)})
    assert (await doctor_checks.broker(settings.broker)).state is State.OK


async def test_a_database_address_nobody_understands_is_a_problem() -> None:
    url = load({"KITTY_DATABASE_URL": "postgresql://h/d?S3cr3t=password"}).store.database_url
    [found] = await doctor_checks.database(url, clock.now())
    assert found.state is State.PROBLEM


def test_a_home_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    found = doctor_checks.home(tmp_path / "file" / "home", root=False)
    assert found.state is State.PROBLEM
    assert "is not a folder" in found.found


def test_a_home_the_database_cannot_enter(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    found = doctor_checks.home(closed / "kitty", root=True)
    assert found.state is State.PROBLEM
    assert "cannot be entered" in found.found
    assert doctor_checks.home(closed / "kitty", root=False).state is State.OK
    assert not (closed / "kitty").exists()


def test_clocks() -> None:
    now = datetime(2031, 1, 1, tzinfo=UTC)
    assert doctor_checks.clock_sane(now).state is State.OK
    assert doctor_checks.clock_sane(datetime(1970, 1, 1, tzinfo=UTC)).state is State.PROBLEM
    assert doctor_checks.clock_against(now + timedelta(seconds=29), now).state is State.OK
    late = doctor_checks.clock_against(now - timedelta(minutes=2), now)
    assert (late.state, late.found) == (State.PROBLEM, "120.0 s apart from the database")


def test_programs_and_libraries_are_only_looked_for() -> None:
    known = doctor.PROGRAMS[1]
    assert doctor.program(known, {"PrusaSlicer": "/opt/ps"}.get).found == "/opt/ps"
    assert doctor.program(known, {}.get).state is State.MISSING
    there = doctor.extra(doctor.Extra("JSON", "json", "why", "how"))
    assert (there.state, there.how) == (State.OK, "")


FINDINGS = st.builds(
    Finding,
    state=st.sampled_from(State),
    what=st.text("abc ", min_size=1, max_size=20),
    found=st.text(max_size=200),
    why=st.text("why ", max_size=200),
    how=st.text("how ", max_size=200),
)


@given(st.lists(FINDINGS, max_size=5), st.integers(0, 200))
def test_the_text_keeps_its_width(findings: list[Finding], width: int) -> None:
    text = findings_text(findings, width=width)
    assert all(len(line) <= max(width, 40) for line in text.split("\n"))
    assert exit_code(findings) == int(any(each.state is State.PROBLEM for each in findings))


def test_the_last_line_sums_up() -> None:
    ok = Finding(state=State.OK, what="a", found="b", why="c")
    gone = Finding(state=State.MISSING, what="a", found="b", why="c", how="d")
    assert findings_text([ok]).endswith("KITTY has everything.")
    assert findings_text([gone]).endswith("1 thing it could use is missing.")
