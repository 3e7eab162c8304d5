"""What happened and why, from the tables that prove it."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

from infra.db import StorePool
from infra.store.desk_record_sql import DECISION, ENTRIES
from infra.store.desk_sql import contains, rows
from infra.store.rows import Row
from safety.entities import ConversationId, RequestId
from tools.desk import DecisionView, RecordEntry
from tools.phrases import percent, sentence, short
from tools.wording import describe

_BY_REQUEST: Final[LiteralString] = """
where r.request_id = %(request)s or r.id = %(request)s
order by r.created_at desc limit 1
"""
_LAST: Final[LiteralString] = """
where r.conversation_id = %(conversation)s and r.request_id is distinct from %(before)s
  and r.created_at <= coalesce(
      (select b.created_at from routing_decisions b where b.request_id = %(before)s), 'infinity')
order by r.created_at desc limit 1
"""


class PostgresRecord:
    """Implements `tools.desk.Record`."""

    def __init__(self, pool: StorePool) -> None:
        self._pool = pool

    async def entries(
        self, *, since: datetime, until: datetime, about: str | None, limit: int = 100
    ) -> Sequence[RecordEntry]:
        """Return what happened in the window, newest first; `about` is a name or word."""
        values = {
            "since": since,
            "until": until,
            "about": None if about is None else contains(about.strip()),
            "limit": limit,
        }
        return [_entry(row) for row in await rows(self._pool, ENTRIES, values)]

    async def decision(
        self, *, request: UUID | None, conversation: ConversationId | None, before: RequestId | None
    ) -> DecisionView | None:
        """Return the decision of a request, or the last one of a conversation before `before`."""
        query = DECISION + (_LAST if request is None else _BY_REQUEST)
        values = {"request": request, "conversation": conversation, "before": before}
        found = await rows(self._pool, query, values)
        return _decision(found[0]) if found else None


def _decision(row: Row) -> DecisionView:
    return DecisionView(
        id=row["id"],
        request=RequestId(row["request_id"]),
        conversation=ConversationId(row["conversation_id"]) if row["conversation_id"] else None,
        at=row["created_at"],
        tier=row["selected_tier"],
        confidence=row["confidence"],
        cost_estimate=float(row["cost_estimate"]),
        latency_ms=row["latency_ms"],
        escalation_reason=row["escalation_reason"],
        model=row["model"],
        threshold_version=row["threshold_version"],
        rule=row["rule"],
        outcome=row["outcome"],
    )


def _entry(row: Row) -> RecordEntry:
    return RecordEntry(
        at=row["at"],
        id=row["id"],
        kind=row["kind"],
        text=sentence(_TEXTS[row["kind"]](row)),
        device=row["device"],
        zone=row["zone"],
        user=row["who"],
    )


def _action(row: Row) -> str:
    return describe(
        row["action_kind"] or "",
        row["arguments"] or {},
        row["device"] or "",
        row["zone"] or "",
        row["job"] or "",
    )


def _who(row: Row) -> str:
    return row["who"] or "KITTY"


def _command(row: Row) -> str:
    """Say what was sent and what came back, never more."""
    result = _RESULTS.get(row["verdict"], "under way, no answer yet")
    why = f" ({short(row['reason'], 160)})" if row["reason"] and row["verdict"] != "done" else ""
    return f"{_who(row)}: {_action(row)} – {result}{why}."


def _approval(row: Row) -> str:
    return f"{_who(row)} {_STEPS[row['verdict']]} {_action(row)}."


def _denial(row: Row) -> str:
    why = f" {short(row['reason'], 160)}" if row["reason"] else ""
    said = "was denied" if row["verdict"] == "denied" else "was refused"
    return f"The request to {_action(row)} {said}.{why}"


def _print(row: Row) -> str:
    how = f", {percent(row['confidence'])} sure" if row["confidence"] is not None else ""
    where = f" on {row['device']}" if row["device"] else ""
    why = f": {short(row['reason'], 160)}" if row["reason"] else ""
    return f"The print {row['job']}{where} {_PRINTS[row['verdict']]}{how}{why}."


def _device(row: Row) -> str:
    if row["verdict"] == "fault":
        return f"{row['device']} reported a fault: {short(row['reason'] or 'no details', 160)}."
    return f"{row['device']} was heard for the last time; it is offline."


def _routing(row: Row) -> str:
    why = f": {short(row['reason'], 160)}" if row["reason"] else ""
    return f"A request of {row['who'] or 'nobody known'} went to the {row['verdict']} tier{why}."


_RESULTS: Final = {
    "done": "done",
    "failed": "failed",
    "unknown": "sent, but no answer came; nobody knows whether it happened",
}
_STEPS: Final = {
    "waits": "asked for approval to",
    "confirmed": "confirmed the request to",
    "signed": "signed the request to",
    "approved": "completed the approval to",
}
_PRINTS: Final = {
    "started": "started",
    "completed": "was completed",
    "failed": "failed",
    "aborted": "was aborted",
    "first_layer_ok": "has a good first layer",
    "spaghetti_detected": "looks like spaghetti",
    "nozzle_clog": "looks as if the nozzle is clogged",
    "seen_completed": "looks finished",
}
_TEXTS: Final[Mapping[str, Callable[[Row], str]]] = {
    "command": _command,
    "approval": _approval,
    "denial": _denial,
    "print": _print,
    "device": _device,
    "routing": _routing,
}
