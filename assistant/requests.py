"""A request in its three forms: as it was said, as it is stored, as the graph is given it."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID, uuid5

from langchain_core.runnables import RunnableConfig

from assistant.graph import Turning
from assistant.turn import Utterance
from infra.checkpoints import NEW
from infra.store.conversations import StoredRequest
from routing.decision import RoutingDecision, Tier
from safety.entities import RequestId, User

_FREE: Final = Decimal(0)


def config_of(request: UUID, *, new: bool = False) -> RunnableConfig:
    """One thread a request: checkpoints stay small and turns never share one.

    `new` says that there is no checkpoint yet to be looked for.
    """
    return {"configurable": {"thread_id": str(request), NEW: new}}


def turning_of(utterance: Utterance) -> Turning:
    """Return what the graph is given."""
    digest = hashlib.sha256(utterance.text.encode("utf-8", "surrogatepass")).hexdigest()
    return Turning(utterance=utterance, input_hash=digest)


def stored_of(utterance: Utterance) -> StoredRequest:
    """Return what is stored before anything is done."""
    return StoredRequest(
        id=utterance.request,
        conversation=utterance.conversation,
        user=utterance.speaker,
        channel=utterance.channel,
        text=utterance.text,
        correlation=utterance.correlation,
        created_at=utterance.at,
    )


def utterance_of(stored: StoredRequest) -> Utterance:
    """Return what was said, from what was stored."""
    return Utterance(
        text=stored.text,
        speaker=stored.user,
        conversation=stored.conversation,
        request=stored.id,
        channel=stored.channel,
        correlation=stored.correlation,
        at=stored.created_at,
    )


def direct_decision(
    name: str,
    arguments: Mapping[str, Any],
    user: User,
    request: RequestId,
    at: datetime,
    *,
    version: str,
) -> RoutingDecision:
    """Return the decision of a program that called a tool by its name."""
    rule = f"tool:{name[:60]}"
    return RoutingDecision(
        id=uuid5(request, "decision"),
        conversation=None,
        request=request,
        input_hash=hashlib.sha256(f"{name}{sorted(arguments.items())!r}".encode()).hexdigest(),
        selected_tier=Tier.LOCAL,
        confidence=1.0,
        cost_estimate=_FREE,
        escalation_reason="",
        performed_by=user.id,
        created_at=at,
        features_hash=hashlib.sha256(rule.encode()).hexdigest(),
        threshold_version=version,
        model="direct",
        rule=rule,
        channel="rest",
    )
