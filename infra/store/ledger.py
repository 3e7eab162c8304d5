"""The gate's ledger in PostgreSQL: each method is one statement, so one transaction."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, LiteralString, TypeVar
from uuid import UUID

import psycopg
import structlog
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from infra.db import StorePool
from infra.store.ledger_sql import (
    INSERT_COMMAND,
    LIMITS,
    LOG,
    SELECT_COMMAND,
    SELECT_EVENT,
    command_values,
    event_values,
    log_values,
)
from infra.store.rows import Row, command_of, event_of
from safety.actions import InvalidActionError
from safety.entities import CommandId, EventId, UserId
from safety.records import Command, LogEntry, Result, SafetyEvent, Signature

T = TypeVar("T")
_journal = structlog.get_logger("kitty.ledger")


class PostgresLedger:
    """Implements `safety.ports.Ledger`."""

    def __init__(self, pool: StorePool) -> None:
        self._pool = pool

    async def refuse(self, entry: LogEntry) -> None:
        """Log a decision that leaves no other trace."""
        await self._run(LOG, log_values(entry))

    async def open_event(self, event: SafetyEvent, entry: LogEntry) -> bool:
        """Store a waiting event.

        False if its proposal key is known, from whatever it led to, or if its requester has
        reached a limit of the policy.
        """
        statement: LiteralString = (
            """
            with opened as (
                insert into safety_events (id, event_type, device_id, zone_id, initiated_by,
                    created_at, action, action_kind, digest, canonical, hazard, nonce, not_before,
                    expires_at, policy_id, policy_version, tainted, needs, evidence,
                    requires_confirmation, proposal_key, request_id, conversation_id,
                    correlation_id)
                select %(id)s, %(type)s, %(device)s, %(zone)s, %(requester)s, %(created_at)s,
                    %(action)s, %(kind)s, %(digest)s, %(canonical)s, %(hazard)s, %(nonce)s,
                    %(not_before)s, %(expires_at)s, %(policy)s, %(policy_version)s, %(tainted)s,
                    %(needs)s, %(evidence)s, %(confirmation)s, %(key)s, %(request)s,
                    %(conversation)s::uuid, %(correlation)s
                where not exists (select from device_commands where proposal_key = %(key)s)
                on conflict (proposal_key) do nothing
                returning id),
            logged as ("""
            + LOG
            + """ where exists (select from opened))
            select id from opened
            """
        )
        try:
            return await self._one(statement, event_values(event) | log_values(entry)) is not None
        except psycopg.errors.CheckViolation as error:
            if error.diag.constraint_name not in LIMITS:
                raise
            return False

    async def event(self, event: EventId) -> SafetyEvent | None:
        """Return an event with its signatures, their keys and owners as they stand now."""
        row = await self._one(SELECT_EVENT + "where e.id = %(id)s", {"id": event})
        return None if row is None else event_of(row)

    async def event_of(self, proposal: UUID) -> SafetyEvent | None:
        """Return the event of a proposal key."""
        row = await self._one(SELECT_EVENT + "where e.proposal_key = %(key)s", {"key": proposal})
        return None if row is None else event_of(row)

    async def sign(self, event: EventId, signature: Signature, entry: LogEntry) -> bool:
        """Add a signature; False if this person or key signed before or it is not pending."""
        try:
            row = await self._one(
                """
                with added as (
                    insert into safety_signatures (event_id, key_id, user_id, algorithm, signature,
                        signed_at, relayed_by)
                    select %(event)s, %(key)s, %(user)s, %(algorithm)s, %(value)s, %(signed_at)s,
                        %(relayed_by)s::uuid
                    on conflict do nothing
                    returning event_id),
                logged as ("""
                + LOG
                + """ where exists (select from added))
                select event_id from added
                """,
                {
                    "event": event,
                    "key": signature.key,
                    "user": signature.user,
                    "algorithm": signature.algorithm,
                    "value": signature.value,
                    "signed_at": signature.signed_at,
                    "relayed_by": entry.detail.get("relayed_by"),
                }
                | log_values(entry),
            )
        except psycopg.errors.CheckViolation:
            # The database's own guard: settled, expired or revoked in the meantime.
            return False
        return row is not None

    async def confirm(self, event: EventId, at: datetime, entry: LogEntry) -> bool:
        """Note the requester's confirmation; False if it is not pending."""
        return await self._change(
            """update safety_events set confirmed_at = %(at)s
               where id = %(event)s and status = 'pending' and confirmed_at is null
               returning id""",
            {"event": event, "at": at},
            entry,
        )

    async def approve(
        self, event: EventId, approved_by: UserId, signature: str, at: datetime, entry: LogEntry
    ) -> bool:
        """Move pending to approved; False if it was settled before or lacks signatures."""
        try:
            return await self._change(
                """update safety_events
                   set status = 'approved', approved_by = %(approved_by)s,
                       signature = %(signature)s, needs = '{}'
                   where id = %(event)s and status = 'pending' and expires_at > %(at)s
                   returning id""",
                {"event": event, "approved_by": approved_by, "signature": signature, "at": at},
                entry,
            )
        except psycopg.errors.CheckViolation:
            # The database counts for itself: a key was revoked or a role taken in the meantime.
            return False

    async def deny(
        self, event: EventId, code: str, reason: str, at: datetime, entry: LogEntry
    ) -> bool:
        """Move pending to denied; False if it was settled before."""
        return await self._change(
            """update safety_events
               set status = 'denied', reason_code = %(code)s, reason = %(reason)s,
                   resolved_at = %(at)s
               where id = %(event)s and status = 'pending'
               returning id""",
            {"event": event, "code": code, "reason": reason, "at": at},
            entry,
        )

    async def claim(self, event: SafetyEvent, command: Command, entry: LogEntry) -> bool:
        """Consume the approval and store its one command, atomically; False if it cannot be."""
        statement: LiteralString = (
            """
            with claimed as (
                update safety_events
                set consumed_at = %(created_at)s, consumed_by_command = %(id)s
                where id = %(event)s and digest = %(digest)s and status = 'approved'
                  and consumed_at is null and resolved_at is null and expires_at > %(created_at)s
                returning id),
            stored as ("""
            + INSERT_COMMAND
            + """ where exists (select from claimed) returning id),
            logged as ("""
            + LOG
            + """ where exists (select from claimed))
            select id from stored
            """
        )
        values = command_values(command) | {"digest": event.digest.hex()} | log_values(entry)
        try:
            return await self._one(statement, values) is not None
        except psycopg.IntegrityError as error:
            # The database's own rules: the device's intents, the clock, one command a proposal.
            _journal.warning("claim_refused", id=str(event.id), reason=error.diag.constraint_name)
            return False

    async def abandon(self, event: EventId, reason: str, at: datetime, entry: LogEntry) -> bool:
        """Note that an approved event ran out before it was claimed; it never runs."""
        return await self._change(
            """update safety_events
               set resolved_at = %(at)s, reason_code = %(code)s, reason = %(reason)s
               where id = %(event)s and status = 'approved' and consumed_at is null
                 and resolved_at is null
               returning id""",
            {"event": event, "at": at, "code": entry.code or "expired", "reason": reason},
            entry,
        )

    async def open_command(self, command: Command, entry: LogEntry) -> bool:
        """Store a command that needs no event; False if its proposal key is known."""
        row = await self._one(
            "with stored as ("
            + INSERT_COMMAND
            + """ where not exists (select from safety_events where proposal_key = %(key)s)
                on conflict (proposal_key) do nothing returning id),
            logged as ("""
            + LOG
            + """ where exists (select from stored))
            select id from stored
            """,
            command_values(command) | log_values(entry),
        )
        return row is not None

    async def command_of(self, proposal: UUID) -> Command | None:
        """Return the command of a proposal key."""
        row = await self._one(SELECT_COMMAND + "where c.proposal_key = %(key)s", {"key": proposal})
        return None if row is None else command_of(row)

    async def command(self, command: CommandId) -> Command | None:
        """Return a command."""
        row = await self._one(SELECT_COMMAND + "where c.id = %(id)s", {"id": command})
        return None if row is None else command_of(row)

    async def mark_sent(self, command: CommandId, at: datetime) -> bool:
        """Move pending to sent; False if it was sent before."""
        row = await self._one(
            """update device_commands set status = 'sent', sent_at = %(at)s
               where id = %(id)s and status = 'pending' returning id""",
            {"id": command, "at": at},
        )
        return row is not None

    async def close(self, command: Command, entry: LogEntry) -> Command:
        """Store a command's result and its event's outcome; return the command as stored."""
        assert command.result is not None
        done = command.result is Result.DONE
        row = await self._one(
            """
            with closed as (
                update device_commands
                set status = %(status)s, outcome = %(outcome)s, closed_at = %(closed_at)s,
                    ack_at = %(ack_at)s, failure_code = %(code)s, failure_detail = %(detail)s,
                    receipt = %(receipt)s
                where id = %(id)s and closed_at is null
                returning id),
            settled as (
                update safety_events set outcome = %(outcome)s, resolved_at = %(closed_at)s
                where id = %(event)s::uuid and exists (select from closed)),
            logged as ("""
            + LOG
            + """ where exists (select from closed))
            select id from closed
            """,
            {
                "id": command.id,
                "event": command.event,
                "status": "acked" if done else "failed",
                "outcome": command.result.value,
                "closed_at": command.closed_at,
                "ack_at": command.closed_at if done else None,
                "code": None if done else command.code,
                "detail": None if done else (command.detail or "")[:500],
                "receipt": Jsonb({"detail": (command.detail or "")[:500]}) if done else None,
            }
            | log_values(entry),
        )
        if row is not None:
            return command
        stored = await self.command(command.id)
        return command if stored is None else stored

    async def reconcile(self, command: CommandId, result: Result, at: datetime) -> bool:
        """Settle what is unknown by what the device said later; False if it was not unknown.

        A sent command whose deadline is over and that nobody has closed yet is unknown too.
        """
        row = await self._one(
            """
            with known as (
                update device_commands
                set outcome = %(outcome)s, late_ack_at = %(at)s, status = 'failed',
                    failure_code = coalesce(failure_code, 'ack_timeout'),
                    closed_at = coalesce(closed_at, %(at)s)
                where id = %(id)s and (outcome = 'unknown'
                    or (outcome is null and status = 'sent' and deadline <= %(at)s))
                returning id, safety_event_id, action_kind, device_id, correlation_id),
            settled as (
                update safety_events e
                set outcome = %(outcome)s, resolved_at = coalesce(e.resolved_at, %(at)s)
                from known where e.id = known.safety_event_id
                    and (e.outcome = 'unknown' or e.outcome is null)),
            logged as (
                insert into gate_log (at, event_id, command_id, action_kind, device_id, verdict,
                    reason_code, correlation_id)
                select %(at)s, safety_event_id, id, action_kind, device_id, %(outcome)s,
                    'late_answer', correlation_id
                from known)
            select id from known
            """,
            {"id": command, "outcome": result.value, "at": at},
        )
        return row is not None

    async def open_commands(self) -> Sequence[Command]:
        """Return commands without a result, oldest first."""
        rows = await self._all(SELECT_COMMAND + "where c.outcome is null order by c.created_at")
        return _readable(command_of, rows)

    async def unfinished_events(self) -> Sequence[SafetyEvent]:
        """Return events that are pending, or approved and not consumed, oldest first."""
        rows = await self._all(
            SELECT_EVENT
            + """where e.status = 'pending'
                    or (e.status = 'approved' and e.consumed_at is null and e.resolved_at is null)
                 order by e.created_at"""
        )
        return _readable(event_of, rows)

    async def carried_out(self, command: CommandId) -> bool:
        """Tell whether the device's last state lists the command as carried out."""
        row = await self._one(
            """select 1 from device_commands c join devices d on d.id = c.device_id
               where c.id = %(id)s and d.commanded ? %(text)s""",
            {"id": command, "text": str(command)},
        )
        return row is not None

    async def _change(
        self, statement: LiteralString, values: dict[str, Any], entry: LogEntry
    ) -> bool:
        """Run one update and log it only if it changed something."""
        row = await self._one(
            "with changed as ("
            + statement
            + "), logged as ("
            + LOG
            + " where exists (select from changed)) select id from changed",
            values | log_values(entry),
        )
        return row is not None

    async def _run(self, query: LiteralString, values: dict[str, Any]) -> None:
        async with self._pool.connection() as connection:
            await connection.execute(query, values)

    async def _one(self, query: LiteralString, values: dict[str, Any]) -> Row | None:
        async with (
            self._pool.connection() as connection,
            connection.cursor(row_factory=dict_row) as cursor,
        ):
            await cursor.execute(query, values)
            return await cursor.fetchone()

    async def _all(self, query: LiteralString) -> Sequence[Row]:
        async with (
            self._pool.connection() as connection,
            connection.cursor(row_factory=dict_row) as cursor,
        ):
            await cursor.execute(query)
            return await cursor.fetchall()


def _readable(build: Callable[[Row], T], rows: Sequence[Row]) -> list[T]:
    """Build what can be built: one row of a kind that is gone must not hold up the others."""
    built = []
    for row in rows:
        try:
            built.append(build(row))
        except InvalidActionError as error:
            _journal.error("unreadable_action", id=str(row["id"]), reason=str(error))
    return built
