"""What the gate keeps: the events, commands, outcomes and receipts, as values."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from safety.actions import Action
from safety.entities import (
    CommandId,
    ConversationId,
    EventId,
    Hazard,
    KeyId,
    PolicyId,
    PublicKey,
    RequestId,
    Role,
    User,
    UserId,
)
from safety.policy import Need, Signer
from safety.signatures import verify


class EventStatus(StrEnum):
    """Where a SafetyEvent stands (seed 004)."""

    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"


EVENT_TRANSITIONS: Final[Mapping[EventStatus, frozenset[EventStatus]]] = {
    EventStatus.PENDING: frozenset({EventStatus.APPROVED, EventStatus.DENIED}),
    EventStatus.APPROVED: frozenset(),
    EventStatus.DENIED: frozenset(),
}
"""Approved and denied never change into one another (seed 004)."""


class CommandStatus(StrEnum):
    """Where a DeviceCommand stands (seed 004)."""

    PENDING = "pending"
    SENT = "sent"
    ACKED = "acked"
    FAILED = "failed"


COMMAND_TRANSITIONS: Final[Mapping[CommandStatus, frozenset[CommandStatus]]] = {
    CommandStatus.PENDING: frozenset({CommandStatus.SENT, CommandStatus.FAILED}),
    CommandStatus.SENT: frozenset({CommandStatus.ACKED, CommandStatus.FAILED}),
    CommandStatus.ACKED: frozenset(),
    CommandStatus.FAILED: frozenset(),
}
"""Seed 004; a command that never reached the wire goes from pending straight to failed."""


class Result(StrEnum):
    """What came of a command in the world."""

    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """It may or may not have happened: it was sent and no answer came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """An action with everything needed to trace it back."""

    key: UUID
    """The same proposal made twice (a retry, a resumed turn) has the same key and runs once."""
    action: Action
    requester: User
    request: RequestId
    conversation: ConversationId | None
    correlation: str
    tainted: bool = False
    evidence: Mapping[str, str] = field(default_factory=dict)
    """Hashes of files and pictures that the request rests on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """One person's signature over an event's digest."""

    key: KeyId
    user: UserId
    algorithm: str
    value: bytes
    signed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Endorsement:
    """A signature as it is stored, with its key and its owner as they stand now."""

    key: PublicKey
    value: bytes
    roles: frozenset[Role]
    """What the key's owner is trusted with now."""
    disabled: bool = False
    """Whether the owner may not act any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SafetyEvent:
    """A hazardous action that waits, or waited, for people."""

    id: EventId
    proposal: Proposal
    hazard: Hazard
    canonical: bytes
    """The exact bytes that are signed (see safety.canonical)."""
    digest: bytes
    """SHA-256 of `canonical`."""
    nonce: str
    policy: PolicyId
    policy_version: int
    not_before: datetime
    expires_at: datetime
    status: EventStatus = EventStatus.PENDING
    needs: frozenset[Need] = frozenset()
    confirmed_at: datetime | None = None
    endorsements: tuple[Endorsement, ...] = ()
    """What is stored as signatures under the event, oldest first."""
    reason_code: str | None = None
    reason: str | None = None
    consumed_by: CommandId | None = None
    abandoned: bool = False
    """Approved, but it ran out before it was claimed: it never runs."""
    created_at: datetime

    @property
    def signers(self) -> tuple[Signer, ...]:
        """Everyone who signed.  Each signature is verified anew: a stored row proves nothing."""
        return tuple(
            Signer(
                user=each.key.user,
                key=each.key.id,
                roles=each.roles,
                valid=not each.disabled
                and each.key.revoked_at is None
                and verify(each.key, each.value, self.digest),
            )
            for each in self.endorsements
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command to one device."""

    id: CommandId
    """Also the idempotency key that the device remembers."""
    proposal: Proposal
    hazard: Hazard
    event: EventId | None
    status: CommandStatus = CommandStatus.PENDING
    created_at: datetime
    deadline: datetime
    """The device does not act after this."""
    result: Result | None = None
    code: str | None = None
    detail: str | None = None
    closed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """The device says that it did it."""

    at: datetime
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """The device, or the way to it, says that it did not and will not."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoAnswer:
    """It was sent; nothing came back before the deadline."""

    detail: str = "no answer before the deadline"


Receipt = Carried | Rejected | NoAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The action ran; the device said so."""

    command: CommandId
    event: EventId | None
    at: datetime
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """The action waits for people."""

    event: EventId
    hazard: Hazard
    needs: frozenset[Need]
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The action will not run."""

    code: str
    reason: str
    event: EventId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The action was let through and did not happen."""

    command: CommandId
    event: EventId | None
    code: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """The action was sent and nobody knows whether it happened."""

    command: CommandId
    event: EventId | None
    reason: str


Outcome = Done | Pending | Refused | Failed | Unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """One decision of the gate, for the log that is only ever appended to."""

    at: datetime
    verdict: str
    """`allowed`, `waits`, `refused`, `signed`, `confirmed`, `approved`, `denied`, `claimed`,
    `done`, `failed`, `unknown`."""
    code: str
    actor: UserId | None
    action: Action | None
    event: EventId | None = None
    command: CommandId | None = None
    correlation: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)


def entry_for(
    proposal: Proposal,
    now: datetime,
    verdict: str,
    *,
    event: EventId | None = None,
    command: CommandId | None = None,
) -> LogEntry:
    """Start a log entry about a proposal; the requester is the actor."""
    return LogEntry(
        at=now,
        verdict=verdict,
        code="",
        actor=proposal.requester.id,
        action=proposal.action,
        event=event,
        command=command,
        correlation=proposal.correlation,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Time and chance, handed in."""

    now: Callable[[], datetime]
    new_id: Callable[[], UUID]
    nonce: Callable[[], str]
    """At least 128 random bits as text."""
