"""Every pair of states of every machine: allowed exactly where the data model says so."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from fakes.rows import HOUR, NOW, Row, Rows
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from safety.records import COMMAND_TRANSITIONS, EVENT_TRANSITIONS


@dataclass(frozen=True, kw_only=True)
class Machine:
    """One machine of the data model."""

    table: str
    make: Callable[[Rows], Row]
    allowed: Mapping[str, frozenset[str]]
    """From the seed's "State Transitions"; the first state is the one a row starts in."""
    values: Callable[[Row, str], Mapping[str, Any]]
    """What a row must say besides its status to stand in that state."""

    @property
    def first(self) -> str:
        return next(iter(self.allowed))

    def path_to(self, state: str) -> list[str]:
        paths = {self.first: [self.first]}
        for each, path in ((s, paths[s]) for s in self._reachable(paths)):
            if each == state:
                return path
        raise AssertionError(f"{state} cannot be reached")

    def _reachable(self, paths: dict[str, list[str]]) -> Any:
        queue = [self.first]
        while queue:
            state = queue.pop(0)
            yield state
            for target in sorted(self.allowed[state]):
                if target not in paths:
                    paths[target] = [*paths[state], target]
                    queue.append(target)


def _allowed(**states: str) -> Mapping[str, frozenset[str]]:
    return {state: frozenset(targets.split()) for state, targets in states.items()}


def _job(row: Row, state: str) -> Mapping[str, Any]:
    ended = state in {"completed", "failed", "aborted"}
    began = state in {"printing", "paused", "completed"} or row["started_at"] is not None
    return {
        "started_at": NOW if began else None,
        "completed_at": NOW + HOUR if ended else None,
    }


def _command(row: Row, state: str) -> Mapping[str, Any]:
    closed = state in {"acked", "failed"}
    sent = state in {"sent", "acked"} or row["sent_at"] is not None
    return {
        "sent_at": NOW if sent else None,
        "ack_at": NOW if state == "acked" else None,
        "outcome": {"acked": "done", "failed": "failed"}.get(state),
        "failure_code": "busy" if state == "failed" else None,
        "closed_at": NOW if closed else None,
    }


def _event(row: Row, state: str) -> Mapping[str, Any]:
    confirmed = {
        "approved_by": row["initiated_by"],
        "signature": f"confirmation:{row['request_id']}",
        "confirmed_at": NOW,
    }
    denied = {"reason_code": "withdrawn", "resolved_at": NOW}
    return {"approved": confirmed, "denied": denied}.get(state, {})


MACHINES = [
    Machine(
        table="fabrication_jobs",
        make=Rows.job,
        allowed=_allowed(
            # The seed's arrow leaves open how a job that never prints ends: failed or aborted.
            preparing="printing failed aborted",
            printing="paused completed failed aborted",
            paused="printing failed aborted",
            completed="",
            failed="",
            aborted="",
        ),
        values=_job,
    ),
    Machine(
        table="cad_jobs",
        make=Rows.cad_job,
        allowed=_allowed(queued="running", running="completed failed", completed="", failed=""),
        values=lambda _, state: {"completed_at": NOW if state in {"completed", "failed"} else None},
    ),
    Machine(
        table="safety_events",
        make=lambda rows: rows.event(hazard="low"),
        allowed=_allowed(pending="approved denied", approved="", denied=""),
        values=_event,
    ),
    Machine(
        table="device_commands",
        make=Rows.command,
        # pending to failed: a command that never reached the wire.
        allowed=_allowed(pending="sent failed", sent="acked failed", acked="", failed=""),
        values=_command,
    ),
    Machine(
        table="notifications",
        make=Rows.notification,
        allowed=_allowed(queued="sent failed", sent="", failed="queued"),
        values=lambda *_: {},
    ),
    Machine(
        table="conversation_requests",
        make=Rows.request,
        allowed=_allowed(accepted="finished failed", finished="", failed=""),
        values=lambda _, state: {"finished_at": None if state == "accepted" else NOW},
    ),
]
NAMES = [machine.table for machine in MACHINES]
PAIRS = [
    pytest.param(machine, was, to, id=f"{machine.table}-{was}-{to}")
    for machine in MACHINES
    for was in machine.allowed
    for to in machine.allowed
    if was != to
]


def _go(rows: Rows, machine: Machine, row: Row, state: str) -> Row:
    return rows.update(machine.table, row, status=state, **machine.values(row, state))


def _in_state(rows: Rows, machine: Machine, state: str) -> Row:
    row = machine.make(rows)
    for step in machine.path_to(state)[1:]:
        row = _go(rows, machine, row, step)
    return row


@pytest.mark.parametrize(("machine", "was", "to"), PAIRS)
def test_a_pair_of_states(rows: Rows, machine: Machine, was: str, to: str) -> None:
    row = _in_state(rows, machine, was)
    if to in machine.allowed[was]:
        assert _go(rows, machine, row, to)["status"] == to
        return
    with pytest.raises(psycopg.errors.CheckViolation) as refused, rows.connection.transaction():
        _go(rows, machine, row, to)
    assert refused.value.diag.constraint_name == f"{machine.table}_transition"
    assert rows.get(machine.table, row)["status"] == was


@pytest.mark.parametrize("machine", MACHINES, ids=NAMES)
def test_a_row_starts_at_the_beginning(rows: Rows, machine: Machine) -> None:
    row = machine.make(rows)
    assert row["status"] == machine.first
    for state in list(machine.allowed)[1:]:
        again = {**row, "status": state, "id": uuid4(), "proposal_key": uuid4()}
        values = {**again, **machine.values(row, state)}
        known = {name: value for name, value in values.items() if name in row}
        with (
            pytest.raises(psycopg.errors.CheckViolation, match="cannot start") as refused,
            rows.connection.transaction(),
        ):
            rows.insert(machine.table, **known)
        assert refused.value.diag.constraint_name == f"{machine.table}_transition"


@pytest.mark.parametrize("machine", MACHINES, ids=NAMES)
def test_the_refusal_says_from_where_to_where(rows: Rows, machine: Machine) -> None:
    with pytest.raises(psycopg.errors.CheckViolation) as refused, rows.connection.transaction():
        rows.update(machine.table, machine.make(rows), status="asleep")
    assert refused.value.diag.sqlstate == "23514"
    assert "status" in str(refused.value) or machine.table in str(refused.value)


@pytest.mark.parametrize("machine", MACHINES, ids=NAMES)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_walk(rows: Rows, machine: Machine, data: st.DataObject) -> None:
    """Whatever is tried in whatever order, a row only ever moves along allowed arrows."""
    row = machine.make(rows)
    for _ in range(data.draw(st.integers(1, 8))):
        to = data.draw(st.sampled_from(sorted(machine.allowed)))
        was = row["status"]
        if to == was:
            continue
        try:
            with rows.connection.transaction():
                row = _go(rows, machine, row, to)
            moved = True
        except psycopg.errors.CheckViolation:
            moved = False
        assert moved == (to in machine.allowed[was])


def test_the_database_and_the_table_agree(rows: Rows) -> None:
    found: dict[str, dict[str, set[str]]] = {}
    for name, was, to in rows.connection.execute(
        "select machine, from_state, to_state from state_transitions where from_state <> ''"
    ):
        found.setdefault(name, {}).setdefault(was, set()).add(to)
    expected = {
        machine.table: {was: set(to) for was, to in machine.allowed.items() if to}
        for machine in MACHINES
    }
    assert found == expected


@pytest.mark.parametrize(
    ("table", "code"),
    [("safety_events", EVENT_TRANSITIONS), ("device_commands", COMMAND_TRANSITIONS)],
)
def test_the_database_and_the_code_agree(
    rows: Rows, table: str, code: Mapping[Any, frozenset[Any]]
) -> None:
    found = set(
        rows.connection.execute(
            "select from_state, to_state from state_transitions"
            " where machine = %s and from_state <> ''",
            (table,),
        )
    )
    assert found == {(str(was), str(to)) for was, targets in code.items() for to in targets}
