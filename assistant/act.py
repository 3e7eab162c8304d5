"""Do what a reading asks for: call tools, answer the gate's questions, collect what came of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter

from assistant.codec import call_json, dump_reading, load_reading
from assistant.turn import Acted, Asked, Event, Utterance, Waiting
from assistant.understanding.reading import Act, Ask, Call, Confirm, Reading, Stop
from assistant.words import (
    NameOf,
    acts_words,
    approve_path,
    listed,
    need_words,
    time_left,
    waiting_words,
    wish,
)
from safety.actions import Action, revive
from safety.entities import DeviceId, EventId, ZoneId
from safety.errors import WITHDRAWN
from safety.gate import Gate
from safety.policy import Need
from safety.records import Outcome, Pending, Refused
from tools.desk import Desk
from tools.run import ActResult, CallResult, Origin, Runner
from tools.spec import Answer, Artifact


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingAct:
    """An action that waits for signatures, with what is needed to speak of it later."""

    event: str
    kind: str
    device_id: str
    zone_id: str
    arguments: Mapping[str, Any]
    device: str
    """What people call the device."""

    @property
    def action(self) -> Action:
        """The action itself."""
        return revive(
            self.kind, DeviceId(UUID(self.device_id)), ZoneId(UUID(self.zone_id)), self.arguments
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """What came of a reading."""

    said: tuple[tuple[str, str], ...] = ()
    """Text and spoken form of each piece."""
    calls: tuple[Mapping[str, Any], ...] = ()
    waiting: tuple[WaitingAct, ...] = ()
    pending: Waiting | None = None
    question: Asked | None = None
    artifacts: tuple[Artifact, ...] = ()
    citations: tuple[str, ...] = ()
    confirm: str = ""
    """SafetyEvent that the open question is bound to."""
    reread: Mapping[str, Any] | None = None
    """The reading that the dialogue goes on from, when acting changed it."""

    @property
    def events(self) -> tuple[str, ...]:
        """SafetyEvents that wait for signatures."""
        return tuple(each.event for each in self.waiting)

    @property
    def reading(self) -> Reading | None:
        """The reading that the dialogue goes on from, when acting changed it."""
        return None if self.reread is None else load_reading(self.reread)

    def as_json(self) -> dict[str, Any]:
        """Return JSON values for the checkpoint."""
        stored: dict[str, Any] = _GATHERED.dump_python(self, mode="json")
        return stored

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Gathered":
        """Rebuild from the checkpoint."""
        return _GATHERED.validate_python(stored)


_GATHERED: TypeAdapter[Gathered] = TypeAdapter(Gathered)

Emit = Callable[[Event], None]


class Actor:
    """Calls the tools of a reading on behalf of the person who spoke."""

    def __init__(
        self,
        *,
        runner: Runner,
        gate: Gate,
        desk: Callable[[Utterance, datetime], Desk],
        name_of: NameOf,
        now: Callable[[], datetime],
    ) -> None:
        self._runner = runner
        self._gate = gate
        self._desk = desk
        self._name_of = name_of
        self._now = now

    async def act(self, reading: Reading, utterance: Utterance, emit: Emit) -> Gathered:
        """Carry out what the reading asks for; the same request never acts twice."""
        match reading:
            case Act(calls=calls) | Stop(calls=calls):
                return await self._calls(calls, utterance, emit)
            case Confirm(event=event, yes=yes):
                events = [EventId(UUID(each)) for each in event.split()]
                return await self._answer(events, utterance, emit, yes=yes)
            case _:
                return Gathered()

    async def _calls(self, calls: tuple[Call, ...], utterance: Utterance, emit: Emit) -> Gathered:
        gathered = Gathered()
        desk = self._desk(utterance, self._now())
        for step, call in enumerate(calls):
            result = await self._runner.call(
                call.tool,
                call.arguments,
                desk,
                Origin(step=step, correlation=utterance.correlation),
            )
            emit(Acted(result=result, names=self._names(result)))
            gathered = self._with(gathered, call, result, emit)
        return gathered

    def _with(self, sofar: Gathered, call: Call, result: CallResult, emit: Emit) -> Gathered:
        gathered = replace(sofar, calls=(*sofar.calls, call_json(result, self._names(result))))
        if result.answer is not None:
            answer = result.answer
            return replace(
                gathered,
                said=(*gathered.said, (answer.text, answer.spoken)),
                artifacts=gathered.artifacts + answer.artifacts,
                citations=gathered.citations + answer.citations,
            )
        if result.declined is not None:
            return self._declined(gathered, call, result, emit)
        waits = [act for act in result.acts if isinstance(act.outcome, Pending)]
        settled = [act for act in result.acts if not isinstance(act.outcome, Pending)]
        words = acts_words(settled, self._name_of) if settled else []
        gathered = replace(gathered, said=(*gathered.said, *((text, "") for text in words)))
        asks = [act for act in waits if _wants_yes(act.outcome)]
        if asks:
            gathered = self._asks(gathered, asks, emit)
        for act in waits:
            if isinstance(act.outcome, Pending) and not _wants_yes(act.outcome):
                gathered = self._waits(gathered, act, act.outcome, emit)
        return gathered

    def _names(self, result: CallResult) -> dict[str, str]:
        """Return what people call the things that the arguments name by id."""
        given = {key: value for key, value in result.arguments.items() if isinstance(value, str)}
        called = {key: self._name_of(value) for key, value in given.items()}
        return {key: name for key, name in called.items() if name != given[key]}

    def _declined(self, gathered: Gathered, call: Call, result: CallResult, emit: Emit) -> Gathered:
        declined = result.declined
        assert declined is not None
        said = (*gathered.said, (declined.message, ""))
        if not (declined.choices and declined.argument):
            return replace(gathered, said=said)
        options = tuple(
            Call(
                tool=call.tool,
                arguments=dict(call.arguments) | {declined.argument: choice.id},
                label=choice.label,
            )
            for choice in declined.choices
        )
        asked = Asked(text=declined.message, options=tuple(each.label for each in options))
        emit(asked)
        ask = Ask(
            text=declined.message,
            options=options,
            missing=declined.argument,
            partial=call,
            rule="which_one",
        )
        return replace(gathered, said=said, question=asked, reread=dump_reading(ask))

    def _asks(self, gathered: Gathered, acts: Sequence[ActResult], emit: Emit) -> Gathered:
        """Ask one question for everything that wants a yes; the answer is bound to each event."""
        wishes = [wish(act.action, self._name_of(str(act.action.device))) for act in acts]
        words = f"Shall I {listed(wishes)}? Say yes or no."
        asked = Asked(text=words, options=("yes", "no"))
        emit(asked)
        pending = acts[-1].outcome
        assert isinstance(pending, Pending)
        return replace(
            gathered,
            said=(*gathered.said, (words, "")),
            question=asked,
            confirm=" ".join(
                str(act.outcome.event) for act in acts if isinstance(act.outcome, Pending)
            ),
            pending=self._waiting(acts[-1], pending, self._name_of(str(acts[-1].action.device))),
        )

    def _waits(self, gathered: Gathered, act: ActResult, pending: Pending, emit: Emit) -> Gathered:
        name = self._name_of(str(act.action.device))
        words = waiting_words(act.action, pending, name, time_left(pending.expires_at, self._now()))
        waiting = self._waiting(act, pending, name)
        emit(waiting)
        return replace(
            gathered,
            said=(*gathered.said, (words, "")),
            pending=waiting,
            waiting=(
                *gathered.waiting,
                WaitingAct(
                    event=str(pending.event),
                    kind=type(act.action).__name__,
                    device_id=str(act.action.device),
                    zone_id=str(act.action.zone),
                    arguments=act.action.arguments,
                    device=name,
                ),
            ),
        )

    def _waiting(self, act: ActResult, pending: Pending, name: str) -> Waiting:
        return Waiting(
            event=pending.event,
            prompt=wish(act.action, name),
            needs=need_words([need.value for need in pending.needs]),
            hazard=pending.hazard.word,
            expires_at=pending.expires_at,
            approve_url=approve_path(pending.event),
        )

    async def _answer(
        self, events: Sequence[EventId], utterance: Utterance, emit: Emit, *, yes: bool
    ) -> Gathered:
        """Take a yes or a no to low hazards, bound to their events."""
        gathered = Gathered()
        for event in events:
            stored = await self._gate.proposal(event)
            if stored is None:
                gone = ("That request is gone. Please ask again.", "")
                gathered = replace(gathered, said=(*gathered.said, gone))
                continue
            outcome = (
                await self._gate.confirm(event, utterance.speaker)
                if yes
                else await self._gate.deny(event, utterance.speaker, "")
            )
            result = self._answered(event, stored.action, outcome, yes=yes)
            emit(Acted(result=result))
            words = (
                [result.answer.text]
                if result.answer is not None
                else acts_words(result.acts, self._name_of)
            )
            gathered = replace(
                gathered,
                said=(*gathered.said, *((text, "") for text in words)),
                calls=(*gathered.calls, call_json(result)),
            )
        return gathered

    def _answered(
        self, event: EventId, action: Action, outcome: Outcome, *, yes: bool
    ) -> CallResult:
        arguments = {"event": str(event)}
        if not yes and isinstance(outcome, Refused) and outcome.code == WITHDRAWN:
            name = self._name_of(str(action.device))
            text = f"All right, I did not {wish(action, name)}."
            return CallResult(
                tool="withdraw_request", arguments=arguments, answer=Answer(text=text)
            )
        return CallResult(
            tool="confirm" if yes else "withdraw_request",
            arguments=arguments,
            acts=(ActResult(action=action, outcome=outcome),),
        )


def _wants_yes(outcome: Outcome) -> bool:
    return isinstance(outcome, Pending) and Need.CONFIRMATION in outcome.needs
