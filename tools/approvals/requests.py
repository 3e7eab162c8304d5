"""What waits for a signature, how a request stands, and taking one back."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from safety.entities import EventId
from tools.desk import ApprovalView, Desk
from tools.fields import Request
from tools.matching import Named, Sought, one
from tools.phrases import ON_SCREEN, ago, capped, count, either, sentence, span
from tools.spec import Answer, ToolError, tool
from tools.views import iso

FAMILY = "approvals"
_EVENT_WORDS = frozenset({"request", "approval", "for", "to"})


@tool(FAMILY)
async def list_approvals(desk: Desk) -> Answer:
    """List the requests that wait for people: what, who asked, what is missing, until when."""
    waiting = await _waiting(desk)
    if not waiting:
        return Answer(text="Nothing waits for approval.", data={"approvals": []})
    summary = f"{count(len(waiting), 'request waits', 'requests wait')} for approval."
    return Answer(
        text=f"{summary}\n{capped(_line(view, desk.now) for view in waiting)}",
        spoken=f"{summary} {_aloud(waiting, desk.now)}",
        data={"approvals": [approval_data(view) for view in waiting]},
        citations=tuple(str(view.event) for view in waiting),
    )


@tool(FAMILY)
async def approval_status(desk: Desk, event: Request | None = None) -> Answer:
    """Say how a request stands: who signed, what is missing; your newest one if none is named."""
    view = await _meant(desk, event)
    return Answer(
        text=standing(view, desk.now),
        data={"approvals": [approval_data(view)]},
        citations=(str(view.event),),
    )


@tool(FAMILY)
async def withdraw_request(desk: Desk, event: Request | None = None) -> Answer:
    """Take back your own waiting request; the newest one if none is named."""
    if event is None:
        mine = [view for view in await _waiting(desk) if view.requested_by.id == desk.asker.id]
        if not mine:
            raise ToolError("nothing_waiting", "You have no request that waits for approval.")
        view = mine[-1]
    else:
        view = await _meant(desk, event)
    if view.requested_by.id != desk.asker.id:
        raise ToolError(
            "not_yours",
            f"That request is {view.requested_by.display_name}'s. Only they can withdraw it;"
            " whoever may sign it can deny it on the approvals page.",
        )
    refusal = await desk.approvals.withdraw(view.event, desk.asker)
    if refusal is not None:
        raise ToolError("cannot_withdraw", refusal)
    return Answer(
        text=f"Withdrawn: {view.what}. It will not run.",
        data={"safety_event_id": str(view.event), "withdrawn": True},
        citations=(str(view.event),),
    )


def standing(view: ApprovalView, now: datetime) -> str:
    """Return how a request stands, in one or two sentences."""
    what = f"{view.requested_by.display_name}'s request to {view.what}"
    if view.status == "pending" and now >= view.expires_at:
        return f"{what} ran out {ago(view.expires_at, now)}. Nothing was done."
    if view.status == "pending":
        left = span((view.expires_at - now).total_seconds())
        signed = f" Signed by {either(view.signed_by, 'and')}." if view.signed_by else ""
        return f"{what} waits for {_needs(view)}; it runs out in {left}.{signed}"
    if view.status == "denied":
        reason = f" {view.reason}" if view.reason else ""
        return f"{what} was denied.{reason} Nothing was done."
    return f"{what} was approved{_by(view)}. {_outcome(view)}"


_OUTCOMES = {
    "done": "The machine says it was done.",
    "failed": "It was sent and failed.",
    "unknown": "It was sent and no answer came: look at the machine.",
}


def _outcome(view: ApprovalView) -> str:
    if view.outcome is not None:
        return _OUTCOMES[view.outcome]
    return f"It has not run. {view.reason}" if view.reason else "Nothing has come back yet."


def _by(view: ApprovalView) -> str:
    return f" by {either(view.signed_by, 'and')}" if view.signed_by else ""


def _needs(view: ApprovalView) -> str:
    return either(view.needs, "and") if view.needs else "the gate"


def _line(view: ApprovalView, now: datetime) -> str:
    left = span((view.expires_at - now).total_seconds())
    asked = f"{view.requested_by.display_name}, {ago(view.created_at, now)}"
    return f"{sentence(view.what)} ({asked}): waits for {_needs(view)}, {left} left"


def _aloud(waiting: Sequence[ApprovalView], now: datetime) -> str:
    first = standing(waiting[-1], now)
    return first if len(waiting) == 1 else f"The newest: {first} {ON_SCREEN}"


def approval_data(view: ApprovalView) -> dict[str, Any]:
    """Return the request as JSON values."""
    return {
        "safety_event_id": str(view.event),
        "what": view.what,
        "hazard": view.hazard,
        "status": view.status,
        "outcome": view.outcome,
        "requested_by": view.requested_by.display_name,
        "signed_by": list(view.signed_by),
        "needs": list(view.needs),
        "reason": view.reason,
        "created_at": iso(view.created_at),
        "expires_at": iso(view.expires_at),
    }


async def _waiting(desk: Desk) -> list[ApprovalView]:
    return [view for view in await desk.approvals.pending() if view.expires_at > desk.now]


async def _meant(desk: Desk, event: str | None) -> ApprovalView:
    if event is None:
        recent = await desk.approvals.recent()
        mine = [view for view in recent if view.requested_by.id == desk.asker.id]
        if not mine:
            raise ToolError("nothing_asked", "You have asked for nothing that needs approval.")
        return mine[0]
    try:
        view = await desk.approvals.get(EventId(UUID(event.strip())))
    except ValueError:
        return await _by_words(desk, event)
    if view is None:
        raise ToolError("unknown_event", "There is no such request. List the approvals first.")
    return view


async def _by_words(desk: Desk, words: str) -> ApprovalView:
    named = [
        Named(id=str(view.event), names=(view.what,), label=sentence(view.what), value=view)
        for view in await _waiting(desk)
    ]
    sought = Sought(
        text=words,
        argument="event",
        noun="waiting request",
        code="unknown_event",
        drop=_EVENT_WORDS,
    )
    return one(sought, named)


REQUESTS = (list_approvals, approval_status, withdraw_request)
