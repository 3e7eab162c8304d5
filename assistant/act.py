"""Do what a reading asks for: call tools, answer the gate's questions, collect what came of it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from assistant.codec import call_json, dump_reading
from assistant.gathered import Gathered, WaitingAct
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
from safety.actions import Action
from safety.entities import EventId, RequestId, User
from safety.errors import ALREADY_SETTLED, WITHDRAWN
from safety.gate import Gate
from safety.policy import Need
from safety.records import Outcome, Pending, Refused
from tools.desk import Desk
from tools.run import ActResult, CallResult, Origin, Runner
from tools.spec import Answer

Emit = Callable[[Event], None]
Begun = Callable[[RequestId], Awaitable[bool]]
"""Tells whether anything was done or asked for on behalf of a request."""

_LATEST: Final = timedelta(minutes=1)
"""A wish older than this is not begun any more: whoever had it may have gone elsewhere."""
_TOO_LATE: Final = (
    "I could not get to that for more than a minute, so I did nothing. Please ask again."
)


class Actor:
    """Calls the tools of a reading on behalf of the person who spoke."""

    def __init__(
        self,
        *,
        runner: Runner,
        gate: Gate,
        desk: Callable[[Utterance, datetime], Desk],
        name_of: NameOf,
        begun: Begun,
        now: Callable[[], datetime],
    ) -> None:
        self._runner = runner
        self._begun = begun
        self._gate = gate
        self._desk = desk
        self._name_of = name_of
        self._now = now

    async def act(self, reading: Reading, utterance: Utterance, emit: Emit) -> Gathered:
        """Carry out what the reading asks for; the same request never acts twice."""
        match reading:
            case Act() | Confirm() if await self._too_late(utterance):
                return Gathered(said=((_TOO_LATE, ""),))
            case Act(calls=calls) | Stop(calls=calls):
                return await self._calls(calls, utterance, emit)
            case Confirm(event=event, yes=yes):
                events = [EventId(UUID(each)) for each in event.split()]
                return await self._answer(events, utterance, emit, yes=yes)
            case _:
                return Gathered()

    async def _too_late(self, utterance: Utterance) -> bool:
        late = self._now() - utterance.at > _LATEST
        return late and not await self._begun(utterance.request)

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
            outcome = await self._decide(event, utterance.speaker, yes=yes)
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

    async def _decide(self, event: EventId, user: User, *, yes: bool) -> Outcome:
        outcome = (
            await self._gate.confirm(event, user) if yes else await self._gate.deny(event, user, "")
        )
        if not isinstance(outcome, Refused) or outcome.code != ALREADY_SETTLED:
            return outcome
        # A turn that was cut off right here: what its answer came to is the outcome.
        standing = await self._gate.standing(event)
        withdrawn = isinstance(standing, Refused) and standing.code == WITHDRAWN
        mine = not isinstance(standing, Refused) if yes else withdrawn
        return standing if mine else outcome

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
