"""Run one tool call: the same few lines behind every door."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import uuid5

from pydantic import ValidationError

from safety.actions import Action, InvalidActionError
from safety.gate import Gate
from safety.records import Done, Failed, Outcome, Pending, Proposal, Refused, Unknown
from tools.desk import Desk
from tools.spec import Answer, Catalog, Choice, Tool, ToolError


class CallOutcome(StrEnum):
    """What a call came to, for programs."""

    DONE = "done"
    ANSWERED = "answered"
    PENDING = "pending"
    REFUSED = "refused"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Declined:
    """The call could not be made; the message says why and what to do."""

    code: str
    message: str
    choices: tuple[Choice, ...] = ()
    argument: str = ""
    """The argument that one of the choices would settle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActResult:
    """One proposed action and what the gate made of it."""

    action: Action
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class CallResult:
    """One tool call and everything that came of it."""

    tool: str
    arguments: Mapping[str, Any]
    answer: Answer | None = None
    declined: Declined | None = None
    acts: tuple[ActResult, ...] = ()

    @property
    def outcome(self) -> CallOutcome:
        """The worst of what happened: nobody reads "done" while something did not."""
        if self.declined is not None:
            return CallOutcome.REFUSED
        if self.answer is not None:
            return CallOutcome.ANSWERED
        return max((_OUTCOMES[type(act.outcome)] for act in self.acts), key=_SEVERITY.index)


_OUTCOMES: Mapping[type[Outcome], CallOutcome] = {
    Done: CallOutcome.DONE,
    Pending: CallOutcome.PENDING,
    Refused: CallOutcome.REFUSED,
    Failed: CallOutcome.FAILED,
    Unknown: CallOutcome.UNKNOWN,
}
_SEVERITY = (
    CallOutcome.DONE,
    CallOutcome.PENDING,
    CallOutcome.REFUSED,
    CallOutcome.FAILED,
    CallOutcome.UNKNOWN,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a call comes from; together with its place in the turn it makes the proposal key."""

    step: int
    """Number of the call within its request."""
    correlation: str
    tainted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """Calls tools; what they propose goes through the gate."""

    catalog: Catalog
    gate: Gate

    async def call(
        self, name: str, arguments: Mapping[str, Any], desk: Desk, origin: Origin
    ) -> CallResult:
        """Call a tool by name.  The same request and step never act twice."""
        proposed = await self.proposed(name, arguments, desk, origin)
        if isinstance(proposed, CallResult):
            return proposed
        # All at once: a stop must not wait for the answer of the machine before it.
        outcomes = await asyncio.gather(*(self.gate.submit(each) for each in proposed))
        acts = tuple(
            ActResult(action=proposal.action, outcome=outcome)
            for proposal, outcome in zip(proposed, outcomes, strict=True)
        )
        return CallResult(tool=name, arguments=arguments, acts=acts)

    async def proposed(
        self, name: str, arguments: Mapping[str, Any], desk: Desk, origin: Origin
    ) -> CallResult | tuple[Proposal, ...]:
        """Return what a tool wants of the gate, before the gate is asked; else what it says."""
        if name not in self.catalog:
            return _declined(name, arguments, "unknown_tool", f"There is no tool {name!r}.")
        tool = self.catalog[name]
        try:
            given = tool.arguments.model_validate(dict(arguments))
        except ValidationError as error:
            return _declined(name, arguments, "bad_arguments", _explain(tool, error))
        try:
            result = await tool.body(desk, **{key: getattr(given, key) for key in _names(tool)})
        except ToolError as error:
            declined = Declined(
                code=error.code,
                message=error.message,
                choices=error.choices,
                argument=error.argument,
            )
            return CallResult(tool=name, arguments=arguments, declined=declined)
        except InvalidActionError as error:
            return _declined(name, arguments, "bad_arguments", f"I can't do that: {error}.")
        if isinstance(result, Answer):
            return CallResult(tool=name, arguments=arguments, answer=result)
        actions = (result,) if isinstance(result, Action) else tuple(result)
        if not actions:
            return _declined(name, arguments, "nothing_to_do", "There is nothing to do.")
        return tuple(
            Proposal(
                key=uuid5(desk.request, f"{origin.step}/{part}"),
                action=action,
                requester=desk.asker,
                request=desk.request,
                conversation=desk.conversation,
                correlation=origin.correlation,
                tainted=origin.tainted,
            )
            for part, action in _named(actions)
        )


def _named(actions: Iterable[Action]) -> Iterator[tuple[str, Action]]:
    """Name each action by what it is, so that it keeps its name when fewer are left to do."""
    seen: Counter[str] = Counter()
    for action in actions:
        name = f"{type(action).__name__}/{action.device}"
        yield f"{name}/{seen[name]}", action
        seen[name] += 1


def _names(tool: Tool) -> tuple[str, ...]:
    return tuple(tool.arguments.model_fields)


def _declined(name: str, arguments: Mapping[str, Any], code: str, message: str) -> CallResult:
    return CallResult(tool=name, arguments=arguments, declined=Declined(code=code, message=message))


def _explain(tool: Tool, error: ValidationError) -> str:
    """Name each argument that does not fit and why, without echoing its value."""
    problems = "; ".join(
        f"{'.'.join(str(part) for part in each['loc']) or 'arguments'}: {each['msg'].lower()}"
        for each in error.errors(include_url=False, include_input=False)[:5]
    )
    return f"The arguments of {tool.name} do not fit: {problems}."
