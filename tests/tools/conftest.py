"""Tools called the way every door calls them: through the runner, with a gate that notes."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest
from fakes.desk import NOW, OPERATOR, Room

from safety.actions import Action
from safety.entities import CommandId, User
from safety.records import Done, Outcome, Proposal
from tools.catalog import build_catalog
from tools.run import CallResult, Origin, Runner

Call = Callable[..., Coroutine[Any, Any, CallResult]]


@dataclass
class NotingGate:
    """Lets everything through and notes what it was handed."""

    proposed: list[Action] = field(default_factory=list)

    async def submit(self, proposal: Proposal) -> Outcome:
        self.proposed.append(proposal.action)
        return Done(command=CommandId(proposal.key), event=None, at=NOW, detail="")


@pytest.fixture
def room() -> Room:
    return Room()


@pytest.fixture
def gate() -> NotingGate:
    return NotingGate()


@pytest.fixture
def call(room: Room, gate: NotingGate) -> Call:
    """Call a tool by name with its arguments."""
    runner = Runner(catalog=build_catalog(), gate=gate)  # type: ignore[arg-type]  # speaks the one method it needs

    async def run(name: str, /, *, asker: User = OPERATOR, **arguments: Any) -> CallResult:
        origin = Origin(step=0, correlation="test")
        result = await runner.call(name, arguments, room.desk(asker), origin)
        if result.declined is not None and result.declined.choices:
            # A choice is only one if the caller is told where it goes.
            assert result.declined.argument in runner.catalog[name].arguments.model_fields
        return result

    return run
