"""What the zones demand, and what a wish would need: shown, never done.

Words are read and tools are asked as for a real request, but what they propose goes to the
gate's `explain`, which stores and sends nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from assistant.policy_json import explanation_json, zone_policy_json
from assistant.turn import Utterance
from assistant.understanding.reading import Act, Ask, Call, Confirm, Reading, Stop
from assistant.words import NameOf
from infra import ids
from infra.store.policies import PolicyBook
from safety.entities import ConversationId, Hazard, RequestId, User
from safety.explaining import Explanation
from safety.policy import Waits
from safety.records import Proposal
from tools.desk import Desk
from tools.looking import looking
from tools.run import CallResult, Origin, Runner

_NOWHERE: Final = ConversationId(UUID(int=0))
_ANSWERS: Final = "That only asks for something to be shown or noted; nobody has to agree to it."


class NotUnderstoodError(Exception):
    """The words are not clearly a wish; the message says what they were taken for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What somebody wants to know: words, or a tool's call."""

    person: User
    """Who would ask."""
    at: datetime
    """When they would ask."""
    text: str = ""
    call: Call | None = None
    tainted: bool = False
    """As if untrusted text had led to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """Shows policies and explains what they would demand."""

    book: PolicyBook
    runner: Runner
    desk: Callable[[Utterance, datetime], Desk]
    read: Callable[[Utterance], Reading]
    name_of: NameOf
    synced_for_high: bool
    """Whether keys that can be copied count for a high hazard."""

    async def zones(self) -> list[dict[str, Any]]:
        """Return all zones with their policies."""
        return [zone_policy_json(each) for each in await self.book.zones()]

    async def explain(self, question: Question) -> dict[str, Any]:
        """Say what each action of a wish would need; raise NotUnderstoodError if it is none."""
        utterance = Utterance(
            text=question.text,
            speaker=question.person,
            conversation=_NOWHERE,
            request=RequestId(ids.uuid7()),
            channel="rest",
            correlation="explain",
            at=question.at,
        )
        calls = [question.call] if question.call is not None else _calls(self.read(utterance))
        desk = looking(self.desk(utterance, question.at))
        items: list[dict[str, Any]] = []
        for step, call in enumerate(calls):
            items += await self._call(call, desk, question, step)
        return {
            "as": {
                "handle": question.person.handle,
                "display_name": question.person.display_name,
                "roles": sorted(question.person.roles),
            },
            "at": question.at.isoformat(),
            "items": items,
        }

    async def _call(
        self, call: Call, desk: Desk, question: Question, step: int
    ) -> list[dict[str, Any]]:
        catalog = self.runner.catalog
        if call.tool in catalog and not catalog[call.tool].proposes:
            # Not even run: such tools may write notes, and the gate has no say in them.
            return [_said(call, "clear", None, _ANSWERS)]
        origin = Origin(step=step, correlation="explain", tainted=question.tainted)
        proposed = await self.runner.proposed(call.tool, call.arguments, desk, origin)
        if isinstance(proposed, CallResult):
            return [_declined(call, proposed)]
        return [await self._action(call, each, question.at) for each in proposed]

    async def _action(self, call: Call, proposal: Proposal, at: datetime) -> dict[str, Any]:
        found = await self.runner.gate.explain(proposal, at)
        shown = explanation_json(found, self.name_of(str(proposal.action.device)))
        signers = [_person(each) for each in await self._signers(found)]
        return {"tool": call.tool, **shown, "signers": signers}

    async def _signers(self, found: Explanation) -> Sequence[User]:
        """Return who could sign; nobody where no signature is asked for."""
        policy = found.seen.policy
        if policy is None or found.hazard < Hazard.MEDIUM or not isinstance(found.verdict, Waits):
            return ()
        synced = found.hazard is not Hazard.HIGH or self.synced_for_high
        return await self.book.signers(policy.required_roles, synced=synced)


def _calls(reading: Reading) -> tuple[Call, ...]:
    match reading:
        case Act(calls=calls) | Stop(calls=calls):
            return calls
        case Ask(text=text, options=options):
            offered = "; ".join(each.label for each in options if each.label)
            raise NotUnderstoodError(f"{text} ({offered})" if offered else text)
        case Confirm():
            raise NotUnderstoodError("That answers a question; say the whole wish.")
        case _:
            raise NotUnderstoodError(reading.text)


def _person(user: User) -> dict[str, Any]:
    return {
        "handle": user.handle,
        "display_name": user.display_name,
        "roles": sorted(user.roles),
    }


def _declined(call: Call, result: CallResult) -> dict[str, Any]:
    if result.declined is None:
        said = _ANSWERS if result.answer is None else result.answer.text
        return _said(call, "clear", None, said)
    return _said(call, "refused", result.declined.code, result.declined.message)


def _said(call: Call, verdict: str, code: str | None, reason: str) -> dict[str, Any]:
    """Return an item without an action: the gate is never asked."""
    nothing: Mapping[str, Any] = {
        "device_id": None, "zone": None, "policy": None, "hazard": "none", "reasons": [],
        "checks": [], "needs": [], "protection": [], "signers": [],
    }  # fmt: skip
    return {
        "tool": call.tool,
        "what": call.label or call.tool,
        "verdict": verdict,
        "code": code,
        "reason": reason,
        **nothing,
    }
