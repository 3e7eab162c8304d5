"""Which tier answers a request, and why.  The record is written before the call."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from safety.entities import ConversationId, RequestId, UserId


class Tier(StrEnum):
    """Where a request may be answered."""

    LOCAL = "local"
    MCP = "mcp"
    FRONTIER = "frontier"


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingDecision:
    """One decision per request, also for refused, failed and repeated ones (seed 004)."""

    id: UUID
    conversation: ConversationId | None
    request: RequestId
    input_hash: str
    """SHA-256 of the person's words, hex; the words themselves are not in this record."""
    selected_tier: Tier
    confidence: float
    """0 to 1."""
    cost_estimate: Decimal
    """US dollars; 0 is recorded as 0."""
    escalation_reason: str
    """Why not simply the local tier; empty when it answers."""
    performed_by: UserId | None
    """Who asked; None for the system itself."""
    created_at: datetime
    features_hash: str
    """SHA-256 of what the choice was made from, so that a replay can be compared."""
    threshold_version: str
    model: str
    """What understood it, for example `grammar/1`."""
    rule: str
    """Which rule or intent matched."""
    channel: str
    forced: bool = False
    latency_ms: int | None = None
    """Milliseconds from the request to the end of its answer; None until completed."""
    outcome: str | None = None
    completed_at: datetime | None = None
