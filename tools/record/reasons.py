"""Why KITTY answered the way it did."""

from typing import Any
from uuid import UUID

from tools.desk import DecisionView, Desk
from tools.fields import RequestId
from tools.phrases import clock, percent, short
from tools.spec import Answer, ToolError, tool
from tools.views import iso

FAMILY = "record"
_TIERS = {
    "local": "here, without any model outside",
    "mcp": "with a tool server",
    "frontier": "with a model outside",
}
_SECOND_MS = 1_000


@tool(FAMILY)
async def why(desk: Desk, request: RequestId | None = None) -> Answer:
    """Say why a request was answered the way it was; the one before this if none is named."""
    view = await desk.record.decision(
        request=None if request is None else _id(request),
        conversation=desk.conversation,
        before=desk.request,
    )
    if view is None:
        raise ToolError(
            "no_decision",
            "I have no record of such a request."
            if request
            else "There is nothing before this in our conversation.",
        )
    return Answer(
        text=" ".join(_sentences(desk, view)),
        spoken=f"I answered it {_TIERS.get(view.tier, view.tier)},"
        f" {percent(view.confidence)} sure.",
        data=_data(view),
        citations=(str(view.id),),
    )


def _id(text: str) -> UUID:
    try:
        return UUID(text.strip())
    except ValueError:
        raise ToolError(
            "unknown_request", "Name the request by its id, or ask about the last one."
        ) from None


def _sentences(desk: Desk, view: DecisionView) -> list[str]:
    where = _TIERS.get(view.tier, view.tier)
    rule = f", by the rule {short(view.rule)}" if view.rule else ""
    model = f" ({short(view.model)})" if view.model else ""
    reason = short(view.escalation_reason, 200)
    return [
        f"At {clock(view.at, desk.now)} I answered {where}{model}{rule}.",
        f"I was {percent(view.confidence)} sure.",
        f"{_took(view)}; {_cost(view)}.",
        *([f"Why not here: {reason}."] if reason else []),
        *([f"It came to: {view.outcome}."] if view.outcome else []),
    ]


def _took(view: DecisionView) -> str:
    if view.latency_ms is None:
        return "It has not finished yet"
    if view.latency_ms < _SECOND_MS:
        return f"It took {view.latency_ms} ms"
    return f"It took {view.latency_ms / _SECOND_MS:.1f} s"


def _cost(view: DecisionView) -> str:
    return f"it cost about ${view.cost_estimate:.4f}" if view.cost_estimate else "it cost nothing"


def _data(view: DecisionView) -> dict[str, Any]:
    return {
        "id": str(view.id),
        "request_id": str(view.request),
        "at": iso(view.at),
        "selected_tier": view.tier,
        "confidence": view.confidence,
        "cost_estimate": view.cost_estimate,
        "latency_ms": view.latency_ms,
        "escalation_reason": view.escalation_reason,
        "model": view.model,
        "threshold_version": view.threshold_version,
        "rule": view.rule,
        "outcome": view.outcome,
    }


REASONS = (why,)
