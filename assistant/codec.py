"""Readings, decisions and answers as JSON: for checkpoints, history and the HTTP answers."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, assert_never

from pydantic import TypeAdapter

from assistant.turn import Acted, Asked, Event, Finished, Routed, Said, Turn, Waiting
from assistant.understanding.reading import (
    Act,
    Ask,
    Confirm,
    Heard,
    Reading,
    Reply,
    Stop,
    Unknown,
)
from routing.decision import RoutingDecision
from safety import records
from tools.run import ActResult, CallResult
from tools.spec import Artifact

_READINGS: Final[Mapping[str, TypeAdapter[Any]]] = {
    kind.__name__: TypeAdapter(kind) for kind in (Act, Stop, Ask, Confirm, Reply, Heard, Unknown)
}


def dump_reading(reading: Reading) -> dict[str, Any]:
    """Return a reading as JSON values."""
    kind = type(reading).__name__
    return {"kind": kind, "value": _READINGS[kind].dump_python(reading, mode="json")}


def load_reading(stored: Mapping[str, Any]) -> Reading:
    """Rebuild a reading."""
    reading: Reading = _READINGS[stored["kind"]].validate_python(stored["value"])
    return reading


def decision_json(decision: RoutingDecision) -> dict[str, Any]:
    """Return a decision as the outside sees it: the seed's fields and what we add."""
    return {
        "id": str(decision.id),
        "conversation_id": _text(decision.conversation),
        "request_id": str(decision.request),
        "input_hash": decision.input_hash,
        "selected_tier": decision.selected_tier.value,
        "confidence": decision.confidence,
        "cost_estimate": float(decision.cost_estimate),
        "latency_ms": decision.latency_ms,
        "escalation_reason": decision.escalation_reason,
        "performed_by": _text(decision.performed_by),
        "created_at": decision.created_at.isoformat(),
        "features_hash": decision.features_hash,
        "threshold_version": decision.threshold_version,
        "model": decision.model,
        "rule": decision.rule,
        "forced": decision.forced,
    }


def act_json(act: ActResult) -> dict[str, Any]:
    """Return one action's outcome: outcome, event_id?, receipt?, code?, reason?."""
    base: dict[str, Any] = {"device_id": str(act.action.device), "intent": act.action.intent}
    match act.outcome:
        case records.Done(command=command, event=event, at=at, detail=detail):
            receipt = {"command_id": str(command), "at": at.isoformat(), "detail": detail}
            return base | {"outcome": "done", "event_id": _text(event), "receipt": receipt}
        case records.Pending(event=event, needs=needs, expires_at=expires_at):
            return base | {
                "outcome": "pending",
                "event_id": str(event),
                "needs": sorted(needs),
                "expires_at": expires_at.isoformat(),
            }
        case records.Refused(code=code, reason=reason, event=event):
            return base | {
                "outcome": "refused",
                "event_id": _text(event),
                "code": code,
                "reason": reason,
            }
        case records.Failed(command=command, event=event, code=code, reason=reason):
            return base | {
                "outcome": "failed",
                "event_id": _text(event),
                "command_id": str(command),
                "code": code,
                "reason": reason,
            }
        case records.Unknown(command=command, event=event, reason=reason):
            return base | {
                "outcome": "unknown",
                "event_id": _text(event),
                "command_id": str(command),
                "code": "no_answer",
                "reason": reason,
            }
        case _ as unreachable:
            assert_never(unreachable)


def call_json(result: CallResult, names: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return a call as the HTTP answer has it; `names` says what people call its arguments."""
    call: dict[str, Any] = {
        "tool": result.tool,
        "arguments": dict(result.arguments),
        "outcome": result.outcome.value,
    }
    if names:
        call["names"] = dict(names)
    if result.answer is not None:
        call["result"] = {"text": result.answer.text, "data": dict(result.answer.data)}
    if result.declined is not None:
        call |= {"code": result.declined.code, "reason": result.declined.message}
        if result.declined.choices:
            call["choices"] = [{"id": c.id, "label": c.label} for c in result.declined.choices]
    acts = [act_json(act) for act in result.acts]
    if len(acts) == 1:
        call |= {key: acts[0][key] for key in _ACT_KEYS if acts[0].get(key) is not None}
    elif acts:
        call["actions"] = acts
        first = next((act for act in acts if act["outcome"] == call["outcome"]), acts[0])
        call |= {key: first[key] for key in ("event_id", "code", "reason") if first.get(key)}
    return call


_ACT_KEYS = ("event_id", "receipt", "command_id", "code", "reason", "needs", "expires_at")


def waiting_json(waiting: Waiting) -> dict[str, Any]:
    """Return `pending_hazard`."""
    return {
        "safety_event_id": str(waiting.event),
        "prompt": waiting.prompt,
        "needs": list(waiting.needs),
        "hazard": waiting.hazard,
        "expires_at": waiting.expires_at.isoformat(),
        "approve_url": waiting.approve_url,
    }


def said_json(said: Said) -> dict[str, Any]:
    """Return one piece of the reply."""
    return {"role": "assistant", "text": said.text, "spoken": said.spoken or said.text}


def artifact_json(artifact: Artifact) -> dict[str, Any]:
    """Return one thing to look at."""
    return {"title": artifact.title, "url": artifact.url, "media_type": artifact.media_type}


def turn_json(turn: Turn) -> dict[str, Any]:
    """Return the whole answer, as POST /api/query gives it."""
    return {
        "conversation_id": str(turn.conversation),
        "request_id": str(turn.request),
        "replies": [said_json(said) for said in turn.said],
        "calls": [dict(call) for call in turn.calls],
        "routing": dict(turn.routing),
        "pending_hazard": None if turn.pending is None else waiting_json(turn.pending),
        "question": None if turn.question is None else asked_json(turn.question),
        "artifacts": [artifact_json(each) for each in turn.artifacts],
        "citations": list(turn.citations),
    }


def asked_json(asked: Asked) -> dict[str, Any]:
    """Return `question`."""
    return {"text": asked.text, "options": list(asked.options)}


def event_json(event: Event) -> tuple[str, Mapping[str, Any]]:
    """Return the name and the body of a streamed event."""
    match event:
        case Routed(decision=decision):
            return "routed", decision_json(decision)
        case Said() as said:
            return "said", said_json(said)
        case Acted(result=result, names=names):
            return "acted", call_json(result, names)
        case Waiting() as waiting:
            return "waiting", waiting_json(waiting)
        case Asked() as asked:
            return "asked", asked_json(asked)
        case Finished(body=body):
            return "finished", body
        case _ as unreachable:
            assert_never(unreachable)


def worst(calls: Sequence[Mapping[str, Any]]) -> str:
    """Return the outcome of a whole request: the worst of its calls, `answered` without any."""
    order = ("answered", "done", "pending", "refused", "failed", "unknown")
    return max((str(call["outcome"]) for call in calls), key=order.index, default="answered")


def _text(value: object) -> str | None:
    return None if value is None else str(value)
