"""The gate's ledger in PostgreSQL: each method is one statement, so one transaction."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, LiteralString
from uuid import UUID

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from infra.db import StorePool
from infra.store.rows import USER_COLUMNS, Row, command_of, event_of
from safety.entities import CommandId, EventId, Hazard, UserId
from safety.records import Command, LogEntry, Result, SafetyEvent, Signature

_LOG: Final[LiteralString] = """
insert into gate_log (at, event_id, command_id, actor, action_kind, device_id, verdict,
                      reason_code, detail, correlation_id)
select %(log_at)s, %(log_event)s::uuid, %(log_command)s::uuid, %(log_actor)s::uuid,
       %(log_kind)s, %(log_device)s::uuid, %(log_verdict)s, %(log_code)s, %(log_detail)s,
       %(log_correlation)s
"""

_EVENT: Final[LiteralString] = (
    """
select e.id, e.device_id, e.zone_id, e.action, e.action_kind, e.digest, e.canonical, e.hazard,
       e.nonce, e.policy_id, e.policy_version, e.not_before, e.expires_at, e.status, e.needs,
       e.confirmed_at, e.reason_code, e.reason, e.consumed_by_command, e.resolved_at, e.tainted,
       e.evidence, e.proposal_key, e.request_id, e.conversation_id, e.correlation_id,
       e.created_at, """
    + USER_COLUMNS
    + """,
       coalesce((
           select jsonb_agg(jsonb_build_object(
                      'user', s.user_id, 'key', s.key_id, 'roles', to_jsonb(su.roles),
                      'valid', k.revoked_at is null and su.disabled_at is null)
                  order by s.signed_at)
           from safety_signatures s
           join public_keys k on k.id = s.key_id
           join users su on su.id = s.user_id
           where s.event_id = e.id), '[]'::jsonb) as signers
from safety_events e join users u on u.id = e.initiated_by
"""
)

_COMMAND: Final[LiteralString] = (
    """
select c.id, c.device_id, d.zone_id, c.payload, c.action_kind, c.hazard, c.safety_event_id,
       c.status, c.created_at, c.deadline, c.outcome, c.failure_code, c.failure_detail, c.receipt,
       c.closed_at, c.proposal_key, c.request_id, c.conversation_id, c.correlation_id, """
    + USER_COLUMNS
    + """
from device_commands c join devices d on d.id = c.device_id join users u on u.id = c.requested_by
"""
)

_INSERT_COMMAND: Final[LiteralString] = """
insert into device_commands (id, device_id, conversation_id, intent, payload, requested_by,
    created_at, request_id, proposal_key, safety_event_id, action_kind, hazard, correlation_id,
    deadline, fabrication_job_id)
select %(id)s::uuid, %(device)s::uuid, %(conversation)s::uuid, %(intent)s, %(payload)s,
    %(requester)s::uuid, %(created_at)s::timestamptz, %(request)s::uuid, %(key)s::uuid,
    %(event)s::uuid, %(kind)s, %(hazard)s, %(correlation)s, %(deadline)s::timestamptz,
    %(job)s::uuid
"""


class PostgresLedger:
    """Implements `safety.ports.Ledger`."""

    def __init__(self, pool: StorePool) -> None:
        self._pool = pool

    async def refuse(self, entry: LogEntry) -> None:
        """Log a decision that leaves no other trace."""
        await self._run(_LOG, _log(entry))

    async def open_event(self, event: SafetyEvent, entry: LogEntry) -> SafetyEvent:
        """Store a waiting event; return the earlier one if its proposal key is known."""
        row = await self._one(
            """
            with opened as (
                insert into safety_events (id, event_type, device_id, zone_id, initiated_by,
                    created_at, action, action_kind, digest, canonical, hazard, nonce, not_before,
                    expires_at, policy_id, policy_version, tainted, needs, evidence,
                    requires_confirmation, proposal_key, request_id, conversation_id,
                    correlation_id)
                values (%(id)s, %(type)s, %(device)s, %(zone)s, %(requester)s, %(created_at)s,
                    %(action)s, %(kind)s, %(digest)s, %(canonical)s, %(hazard)s, %(nonce)s,
                    %(not_before)s, %(expires_at)s, %(policy)s, %(policy_version)s, %(tainted)s,
                    %(needs)s, %(evidence)s, %(confirmation)s, %(key)s, %(request)s,
                    %(conversation)s, %(correlation)s)
                on conflict (proposal_key) do nothing
                returning id),
            logged as ("""
            + _LOG
            + """ where exists (select from opened))
            select id from opened
            """,
            _event_values(event) | _log(entry),
        )
        if row is not None:
            return event
        earlier = await self.event_of(event.proposal.key)
        return event if earlier is None else earlier

    async def event(self, event: EventId) -> SafetyEvent | None:
        """Return an event with its signers as they stand now."""
        row = await self._one(_EVENT + "where e.id = %(id)s", {"id": event})
        return None if row is None else event_of(row)

    async def event_of(self, proposal: UUID) -> SafetyEvent | None:
        """Return the event of a proposal key."""
        row = await self._one(_EVENT + "where e.proposal_key = %(key)s", {"key": proposal})
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
                + _LOG
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
                | _log(entry),
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
        """Move pending to approved; False if somebody else settled it."""
        return await self._change(
            """update safety_events
               set status = 'approved', approved_by = %(approved_by)s, signature = %(signature)s,
                   needs = '{}'
               where id = %(event)s and status = 'pending' and expires_at > %(at)s
               returning id""",
            {"event": event, "approved_by": approved_by, "signature": signature, "at": at},
            entry,
        )

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
        """Consume the approval and store its one command, atomically; False if consumed."""
        row = await self._one(
            """
            with claimed as (
                update safety_events
                set consumed_at = %(created_at)s, consumed_by_command = %(id)s
                where id = %(event)s and digest = %(digest)s and status = 'approved'
                  and consumed_at is null and resolved_at is null and expires_at > %(created_at)s
                returning id),
            stored as ("""
            + _INSERT_COMMAND
            + """ where exists (select from claimed) returning id),
            logged as ("""
            + _LOG
            + """ where exists (select from claimed))
            select id from stored
            """,
            _command_values(command) | {"digest": event.digest.hex()} | _log(entry),
        )
        return row is not None

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

    async def open_command(self, command: Command, entry: LogEntry) -> Command:
        """Store a command that needs no event; return the earlier one of its proposal key."""
        row = await self._one(
            "with stored as ("
            + _INSERT_COMMAND
            + """ on conflict (proposal_key) do nothing returning id),
            logged as ("""
            + _LOG
            + """ where exists (select from stored))
            select id from stored
            """,
            _command_values(command) | _log(entry),
        )
        if row is not None:
            return command
        earlier = await self.command_of(command.proposal.key)
        return command if earlier is None else earlier

    async def command_of(self, proposal: UUID) -> Command | None:
        """Return the command of a proposal key."""
        row = await self._one(_COMMAND + "where c.proposal_key = %(key)s", {"key": proposal})
        return None if row is None else command_of(row)

    async def command(self, command: CommandId) -> Command | None:
        """Return a command."""
        row = await self._one(_COMMAND + "where c.id = %(id)s", {"id": command})
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
            + _LOG
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
            | _log(entry),
        )
        if row is not None:
            return command
        stored = await self.command(command.id)
        return command if stored is None else stored

    async def reconcile(self, command: CommandId, result: Result, at: datetime) -> bool:
        """Settle an unknown result by what the device said later; False if it was not unknown."""
        row = await self._one(
            """
            with known as (
                update device_commands set outcome = %(outcome)s, late_ack_at = %(at)s
                where id = %(id)s and outcome = 'unknown'
                returning id, safety_event_id),
            settled as (
                update safety_events e set outcome = %(outcome)s
                from known where e.id = known.safety_event_id and e.outcome = 'unknown')
            select id from known
            """,
            {"id": command, "outcome": result.value, "at": at},
        )
        return row is not None

    async def open_commands(self) -> Sequence[Command]:
        """Return commands without a result, oldest first."""
        rows = await self._all(_COMMAND + "where c.outcome is null order by c.created_at")
        return [command_of(row) for row in rows]

    async def unfinished_events(self) -> Sequence[SafetyEvent]:
        """Return events that are pending, or approved and not consumed, oldest first."""
        rows = await self._all(
            _EVENT
            + """where e.status = 'pending'
                    or (e.status = 'approved' and e.consumed_at is null and e.resolved_at is null)
                 order by e.created_at"""
        )
        return [event_of(row) for row in rows]

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
            + _LOG
            + " where exists (select from changed)) select id from changed",
            values | _log(entry),
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


def _log(entry: LogEntry) -> dict[str, Any]:
    action = entry.action
    return {
        "log_at": entry.at,
        "log_event": entry.event,
        "log_command": entry.command,
        "log_actor": entry.actor,
        "log_kind": None if action is None else type(action).__name__,
        "log_device": None if action is None else action.device,
        "log_verdict": entry.verdict,
        "log_code": entry.code,
        "log_detail": Jsonb(dict(entry.detail)),
        "log_correlation": entry.correlation,
    }


def _event_values(event: SafetyEvent) -> dict[str, Any]:
    proposal = event.proposal
    action = proposal.action
    return {
        "id": event.id,
        "type": action.event_type.value,
        "device": action.device,
        "zone": action.zone,
        "requester": proposal.requester.id,
        "created_at": event.created_at,
        "action": Jsonb(action.arguments),
        "kind": type(action).__name__,
        "digest": event.digest.hex(),
        "canonical": event.canonical,
        "hazard": event.hazard.word,
        "nonce": event.nonce,
        "not_before": event.not_before,
        "expires_at": event.expires_at,
        "policy": event.policy,
        "policy_version": event.policy_version,
        "tainted": proposal.tainted,
        "needs": sorted(event.needs),
        "evidence": Jsonb(dict(proposal.evidence)),
        "confirmation": event.hazard is Hazard.LOW,
        "key": proposal.key,
        "request": proposal.request,
        "conversation": proposal.conversation,
        "correlation": proposal.correlation,
    }


def _command_values(command: Command) -> dict[str, Any]:
    proposal = command.proposal
    action = proposal.action
    arguments = action.arguments
    return {
        "id": command.id,
        "device": action.device,
        "conversation": proposal.conversation,
        "intent": action.intent,
        "payload": Jsonb(arguments),
        "requester": proposal.requester.id,
        "created_at": command.created_at,
        "request": proposal.request,
        "key": proposal.key,
        "event": command.event,
        "kind": type(action).__name__,
        "hazard": command.hazard.word,
        "correlation": proposal.correlation,
        "deadline": command.deadline,
        "job": arguments.get("job"),
    }
