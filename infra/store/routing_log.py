"""RoutingDecisions in PostgreSQL: written before the call, completed after it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, LiteralString
from uuid import UUID

from psycopg.rows import dict_row

from infra.db import StorePool
from infra.store.cursor import cursor_of, place_of
from routing.decision import RoutingDecision

MAX_PAGE: Final = 500
"""Decisions in one page (origin: 1 to 500, 100 unless told)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which decisions are wanted; None means any."""

    conversation: UUID | None = None
    tier: str | None = None
    since: datetime | None = None
    outcome: str | None = None
    user: UUID | None = None


_COLUMNS: Final[LiteralString] = """
id, conversation_id, request_id, input_hash, selected_tier, confidence, cost_estimate, latency_ms,
escalation_reason, performed_by, created_at, completed_at, features_hash, threshold_version, model,
rule, channel, outcome, cached, forced
"""


class RoutingLog:
    """The audit of who was chosen to answer."""

    def __init__(self, pool: StorePool) -> None:
        self._pool = pool

    async def write(self, decision: RoutingDecision) -> bool:
        """Store a decision; False if its request has one already."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                """insert into routing_decisions (id, conversation_id, request_id, input_hash,
                       selected_tier, confidence, cost_estimate, latency_ms, escalation_reason,
                       performed_by, created_at, completed_at, features_hash, threshold_version,
                       model, rule, channel, outcome, forced)
                   values (%(id)s, %(conversation)s, %(request)s, %(input_hash)s, %(tier)s,
                       %(confidence)s, %(cost)s, %(latency)s, %(reason)s, %(by)s, %(created)s,
                       %(completed)s, %(features)s, %(version)s, %(model)s, %(rule)s, %(channel)s,
                       %(outcome)s, %(forced)s)
                   on conflict (request_id) do nothing""",
                {
                    "id": decision.id,
                    "conversation": decision.conversation,
                    "request": decision.request,
                    "input_hash": decision.input_hash,
                    "tier": decision.selected_tier.value,
                    "confidence": decision.confidence,
                    "cost": decision.cost_estimate,
                    "latency": decision.latency_ms,
                    "reason": decision.escalation_reason,
                    "by": decision.performed_by,
                    "created": decision.created_at,
                    "completed": decision.completed_at,
                    "features": decision.features_hash,
                    "version": decision.threshold_version,
                    "model": decision.model,
                    "rule": decision.rule,
                    "channel": decision.channel,
                    "outcome": decision.outcome,
                    "forced": decision.forced,
                },
            )
            return cursor.rowcount == 1

    async def complete(self, request: UUID, *, latency_ms: int, outcome: str, at: datetime) -> None:
        """Add how long it took and what came of it."""
        async with self._pool.connection() as connection:
            await connection.execute(
                """update routing_decisions
                   set completed_at = %(at)s, latency_ms = %(latency)s, outcome = %(outcome)s
                   where request_id = %(request)s and completed_at is null""",
                {"request": request, "latency": latency_ms, "outcome": outcome, "at": at},
            )

    async def page(
        self, wanted: Filter, *, limit: int, cursor: str | None
    ) -> tuple[Sequence[Mapping[str, Any]], str | None]:
        """Return decisions, newest first, and the cursor of the next page; None at the end."""
        before_at, before_id = place_of(cursor)
        limit = max(1, min(limit, MAX_PAGE))
        async with (
            self._pool.connection() as connection,
            connection.cursor(row_factory=dict_row) as rows,
        ):
            await rows.execute(
                "select "
                + _COLUMNS
                + """
                from routing_decisions
                where (%(conversation)s::uuid is null or conversation_id = %(conversation)s)
                  and (%(tier)s::text is null or selected_tier = %(tier)s)
                  and (%(since)s::timestamptz is null or created_at >= %(since)s)
                  and (%(outcome)s::text is null or outcome = %(outcome)s)
                  and (%(user)s::uuid is null or performed_by = %(user)s)
                  and (%(at)s::timestamptz is null
                       or (created_at, id) < (%(at)s::timestamptz, %(id)s::uuid))
                order by created_at desc, id desc limit %(limit)s
                """,
                {
                    "conversation": wanted.conversation,
                    "tier": wanted.tier,
                    "since": wanted.since,
                    "outcome": wanted.outcome,
                    "user": wanted.user,
                    "at": before_at,
                    "id": before_id,
                    "limit": limit + 1,
                },
            )
            found = await rows.fetchall()
        more = len(found) > limit
        items = found[:limit]
        last = items[-1] if more else None
        return items, cursor_of(last["created_at"], last["id"]) if last else None
