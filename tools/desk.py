"""What a tool may look at: ports that read, and values they return.

A tool is handed a `Desk` and its arguments.  Nothing here can move anything: acting is
the gate's business.  The adapters live in `infra`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from safety.entities import (
    ConversationId,
    Device,
    DeviceId,
    DeviceKind,
    EventId,
    JobId,
    PresenceSource,
    RequestId,
    User,
    Zone,
    ZoneId,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceView:
    """A device as it stands now."""

    device: Device
    zone: Zone
    aliases: tuple[str, ...] = ()
    state: Mapping[str, Any] = field(default_factory=dict)
    """What the device last reported (docs/mqtt.md lists the fields by kind)."""
    state_at: datetime | None = None
    fault: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneView:
    """A zone with what people call it."""

    zone: Zone
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """Somebody seen in a zone."""

    user: User
    source: PresenceSource
    observed_at: datetime


class Lab(Protocol):
    """Zones, devices and people as the store knows them."""

    async def devices(
        self, *, kind: DeviceKind | None = None, zone: ZoneId | None = None
    ) -> Sequence[DeviceView]:
        """Return devices in order of zone and name."""
        ...

    async def device(self, device: DeviceId) -> DeviceView | None:
        """Return one device; None if there is no such device."""
        ...

    async def zones(self) -> Sequence[ZoneView]:
        """Return all zones in order of name."""
        ...

    async def present(self, zone: ZoneId, *, now: datetime) -> Sequence[Sighting]:
        """Return who was last seen in the zone within its policy's time to live."""
        ...

    async def snapshot_at(self, device: UUID) -> datetime | None:
        """Return when the camera's newest picture was taken; None if there is none."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintJob:
    """A FabricationJob as people see it."""

    id: JobId
    name: str
    status: str
    gcode_path: str
    gcode_sha256: str
    device: UUID | None
    estimated_seconds: int | None
    material: str | None
    started_at: datetime | None
    completed_at: datetime | None
    technology: str = ""
    """What it was prepared for: `fdm`, `resin`, `cnc`, `laser`, ...; empty if it does not say."""
    printers: tuple[str, ...] = ()
    """External ids of the printers it was prepared for; empty if it does not say."""


class Printing(Protocol):
    """Jobs that can be or have been printed."""

    async def jobs(self, *, status: str | None = None, limit: int = 50) -> Sequence[PrintJob]:
        """Return jobs, newest first; only those of one status if it is given."""
        ...

    async def again(self, ended: PrintJob, new: JobId, asker: User, *, now: datetime) -> PrintJob:
        """Prepare an ended job once more under a new id; the same id twice is the same job."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalView:
    """A request that waits, or waited, for people."""

    event: EventId
    what: str
    """The action in words, from the stored action."""
    hazard: str
    status: str
    """`pending`, `approved` or `denied`."""
    outcome: str | None
    """`done`, `failed`, `unknown`, or None while nothing has run."""
    requested_by: User
    signed_by: tuple[str, ...]
    needs: tuple[str, ...]
    """What is still missing, in words."""
    reason: str | None
    created_at: datetime
    expires_at: datetime


class Approvals(Protocol):
    """The gate's waiting room, seen from outside."""

    async def pending(self) -> Sequence[ApprovalView]:
        """Return what waits now, oldest first."""
        ...

    async def recent(self, *, limit: int = 20) -> Sequence[ApprovalView]:
        """Return requests of any status, newest first."""
        ...

    async def get(self, event: EventId) -> ApprovalView | None:
        """Return one request."""
        ...

    async def withdraw(self, event: EventId, user: User) -> str | None:
        """Deny one's own pending request; return None, or why that is not possible."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordEntry:
    """One thing that happened, with the record it rests on."""

    at: datetime
    id: str
    kind: str
    """`command`, `approval`, `denial`, `device`, `print`, `routing`."""
    text: str
    device: str | None
    zone: str | None
    user: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionView:
    """A RoutingDecision with what came of it."""

    id: UUID
    request: RequestId
    conversation: ConversationId | None
    at: datetime
    tier: str
    confidence: float
    cost_estimate: float
    latency_ms: int | None
    escalation_reason: str
    model: str
    threshold_version: str
    rule: str
    """Which rule understood the request, for example the intent's name."""
    outcome: str | None


class Record(Protocol):
    """What happened, from the tables that prove it."""

    async def entries(
        self, *, since: datetime, until: datetime, about: str | None, limit: int = 100
    ) -> Sequence[RecordEntry]:
        """Return what happened in the window, newest first; `about` is a name or word."""
        ...

    async def decision(
        self, *, request: UUID | None, conversation: ConversationId | None, before: RequestId | None
    ) -> DecisionView | None:
        """Return the decision of a request, or the last one of a conversation before `before`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Something a person asked KITTY to keep."""

    id: UUID
    text: str
    created_at: datetime


class Memories(Protocol):
    """Notes of one person; nobody else's are ever returned."""

    async def add(self, user: User, text: str, *, now: datetime) -> Memory:
        """Keep a note."""
        ...

    async def search(self, user: User, about: str | None, *, limit: int = 10) -> Sequence[Memory]:
        """Return notes that mention `about`, newest first; all if it is None."""
        ...

    async def remove(self, user: User, ids: Sequence[UUID]) -> int:
        """Delete notes; return how many there were."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Everything a tool body is given besides its arguments."""

    lab: Lab
    printing: Printing
    approvals: Approvals
    record: Record
    memories: Memories
    asker: User
    conversation: ConversationId | None
    request: RequestId
    now: datetime
