"""What the channels are given: the core and the views, nothing that acts by itself."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from assistant.core import Core
from assistant.feed import Feed
from assistant.policies import Policies
from infra.metrics import Metrics
from infra.settings import Settings
from infra.snapshots import Snapshot
from infra.store.conversations import Conversations
from infra.store.people import People
from infra.store.routing_log import RoutingLog
from safety.entities import DeviceId
from safety.gate import Gate
from safety.trust import TrustFile
from tools.desk import Approvals, Lab, Printing, Record
from tools.spec import Catalog


class EventDetails(Protocol):
    """The full records of SafetyEvents, with the exact bytes to sign."""

    async def __call__(self, event: UUID) -> Mapping[str, Any] | None: ...

    async def page(
        self, *, status: str | None, limit: int, cursor: str | None
    ) -> tuple[Sequence[UUID], str | None]:
        """Return the ids of events, newest first, and the cursor of the next page."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """Whether KITTY can serve now, part by part."""

    store: bool
    broker: bool
    recovered: bool

    @property
    def ready(self) -> bool:
        """Everything that a request needs is there."""
        return self.store and self.broker and self.recovered


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Handed to every channel by the composition root."""

    settings: Settings
    core: Core
    gate: Gate
    catalog: Catalog
    feed: Feed
    """Topics: `device` {id}, `job` {id}, `approval` {id}, `keys`, `routing` {...},
    `conversation/{id}` {role, text, spoken, created_at, meta}."""
    lab: Lab
    printing: Printing
    approvals: Approvals
    record: Record
    routing: RoutingLog
    conversations: Conversations
    people: People
    snapshot: Callable[[DeviceId], Snapshot | None]
    event_details: EventDetails
    metrics: Metrics
    readiness: Callable[[], Awaitable[Readiness]]
    policies: Policies
    trust: Callable[[], Awaitable[TrustFile]]
    """Whom devices are to trust, as the store knows it now."""
    now: Callable[[], datetime]
    public_url: str
    """Where people reach this server, for links: no slash at the end."""
