"""What the gate must know and where it writes.  The adapters live in `infra`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from safety.actions import Action
from safety.entities import (
    AccessPolicy,
    CommandId,
    EventId,
    KeyId,
    PublicKey,
    User,
    UserId,
    ZoneId,
)
from safety.limits import Traffic
from safety.policy import Circumstances
from safety.records import Command, LogEntry, Result, SafetyEvent, Signature


class Facts(Protocol):
    """What the gate must know about the world; read afresh each time it is asked."""

    async def circumstances(self, action: Action, requester: UserId) -> Circumstances:
        """Return device, zone, policy, reported state, the requester and their newest sighting."""
        ...

    async def traffic(
        self, requester: UserId, zone: ZoneId, policy: AccessPolicy, now: datetime
    ) -> Traffic:
        """Count what somebody has asked for, as far as the policy limits it."""
        ...

    async def user(self, user: UserId) -> User | None:
        """Return a person who may still act; None when unknown or disabled."""
        ...

    async def key(self, key: KeyId) -> PublicKey | None:
        """Return an enrolled public key, revoked or not."""
        ...


class Ledger(Protocol):
    """Where requests, commands and decisions are kept; each method is one transaction."""

    async def refuse(self, entry: LogEntry) -> None:
        """Log a decision that leaves no other trace."""
        ...

    async def open_event(self, event: SafetyEvent, entry: LogEntry) -> bool:
        """Store a waiting event.

        False if its proposal key is known, from whatever it led to, or if its requester has
        reached a limit of the policy.
        """
        ...

    async def event(self, event: EventId) -> SafetyEvent | None:
        """Return an event with its signatures, their keys and owners as they stand now."""
        ...

    async def event_of(self, proposal: UUID) -> SafetyEvent | None:
        """Return the event of a proposal key."""
        ...

    async def sign(self, event: EventId, signature: Signature, entry: LogEntry) -> bool:
        """Add a signature; False if this person or key signed before or it is not pending."""
        ...

    async def confirm(self, event: EventId, at: datetime, entry: LogEntry) -> bool:
        """Note the requester's confirmation; False if it is not pending."""
        ...

    async def approve(
        self, event: EventId, approved_by: UserId, signature: str, at: datetime, entry: LogEntry
    ) -> bool:
        """Move pending to approved; False if it was settled before or lacks signatures."""
        ...

    async def deny(
        self, event: EventId, code: str, reason: str, at: datetime, entry: LogEntry
    ) -> bool:
        """Move pending to denied; False if it was settled before."""
        ...

    async def claim(self, event: SafetyEvent, command: Command, entry: LogEntry) -> bool:
        """Consume the approval and store its one command, atomically; False if it cannot be."""
        ...

    async def abandon(self, event: EventId, reason: str, at: datetime, entry: LogEntry) -> bool:
        """Note that an approved event ran out before it was claimed; it never runs."""
        ...

    async def open_command(self, command: Command, entry: LogEntry) -> bool:
        """Store a command that needs no event; False if its proposal key is known."""
        ...

    async def command_of(self, proposal: UUID) -> Command | None:
        """Return the command of a proposal key."""
        ...

    async def command(self, command: CommandId) -> Command | None:
        """Return a command."""
        ...

    async def mark_sent(self, command: CommandId, at: datetime) -> bool:
        """Move pending to sent; False if it was sent before."""
        ...

    async def close(self, command: Command, entry: LogEntry) -> Command:
        """Store a command's result and its event's outcome; return the command as stored.

        Only the first closing counts: a second one changes nothing.
        """
        ...

    async def reconcile(self, command: CommandId, result: Result, at: datetime) -> bool:
        """Settle what is unknown by what the device said later; False if it was not unknown.

        A sent command whose deadline is over and that nobody has closed yet is unknown too.
        """
        ...

    async def open_commands(self) -> Sequence[Command]:
        """Return commands without a result."""
        ...

    async def unfinished_events(self) -> Sequence[SafetyEvent]:
        """Return events that are pending, or approved and not consumed."""
        ...

    async def carried_out(self, command: CommandId) -> bool:
        """Tell whether the device's last state lists the command as carried out."""
        ...
