"""Tell whoever looks or listens what has happened: consoles, the broker, the metrics."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from assistant.announcer import Announcer
from assistant.codec import decision_json
from assistant.feed import Feed
from assistant.turn import Utterance
from infra.metrics import Metrics
from infra.store.conversations import Message
from routing.decision import RoutingDecision
from safety.entities import EventId
from safety.records import Outcome, Pending, Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """Hands each piece of news to everybody it concerns; never waits."""

    feed: Feed
    metrics: Metrics
    announcer: Announcer
    now: Callable[[], datetime]

    def settled(self, event: EventId, outcome: Outcome) -> None:
        """Tell how a hazardous request stands."""
        verdict = type(outcome).__name__.lower()
        self.metrics.gate(verdict, outcome.code if isinstance(outcome, Refused) else "")
        body = {"id": str(event), "outcome": verdict}
        if isinstance(outcome, Pending):
            body["needs"] = ",".join(sorted(outcome.needs))
        self.feed.tell("approval", body)
        self.announcer.safety(body)

    def decided(self, decision: RoutingDecision) -> None:
        """Tell which tier answers."""
        body = decision_json(decision)
        self.feed.tell("routing", body)
        self.announcer.routing(body)

    def closed(
        self,
        utterance: Utterance,
        body: Mapping[str, Any],
        state: Mapping[str, Any],
        latency_ms: int,
    ) -> None:
        """Tell that a turn has its answer."""
        routing = body["routing"]
        self.metrics.routed(
            routing["selected_tier"],
            body["calls"][-1]["outcome"] if body["calls"] else "answered",
            latency_ms=latency_ms,
            cost=Decimal(str(routing["cost_estimate"])),
        )
        for call in body["calls"]:
            self.metrics.command(call["tool"], call["outcome"])
        self.announcer.context(
            utterance.conversation,
            {
                "conversation_id": str(utterance.conversation),
                "channel": utterance.channel,
                "request_id": str(utterance.request),
                "last_message_at": self.now().isoformat(),
                "state": dict(state),
            },
        )
        self.feed.tell(
            f"turn/{utterance.conversation}",
            {"request_id": str(utterance.request), "channel": utterance.channel},
        )

    def told(self, message: Message, meta: Mapping[str, Any]) -> None:
        """Tell a conversation what came later."""
        self.feed.tell(
            f"conversation/{message.conversation}",
            {
                "id": str(message.id),
                "role": message.role,
                "text": message.text,
                "spoken": message.spoken or message.text,
                "created_at": message.created_at.isoformat(),
                "request_id": str(message.request),
                "meta": dict(meta),
            },
        )
