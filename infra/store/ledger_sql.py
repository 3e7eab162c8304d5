"""The statements of the gate's ledger, and the values they take."""

from typing import Any, Final, LiteralString

from psycopg.types.json import Jsonb

from infra.store.rows import USER_COLUMNS
from safety.entities import Hazard
from safety.records import Command, LogEntry, SafetyEvent

LIMITS: Final = frozenset({"safety_events_max_pending", "safety_events_max_requests"})
"""Constraints that say: this person asks for too much."""
LOG: Final[LiteralString] = """
insert into gate_log (at, event_id, command_id, actor, action_kind, device_id, verdict,
                      reason_code, detail, correlation_id)
select %(log_at)s, %(log_event)s::uuid, %(log_command)s::uuid, %(log_actor)s::uuid,
       %(log_kind)s, %(log_device)s::uuid, %(log_verdict)s, %(log_code)s, %(log_detail)s,
       %(log_correlation)s
"""

SELECT_EVENT: Final[LiteralString] = (
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
                      'user_id', k.user_id, 'id', k.id, 'algorithm', k.algorithm,
                      'kind', k.kind, 'rp_id', k.rp_id, 'synced', k.synced,
                      'sign_count', k.sign_count,
                      'spki', encode(k.spki, 'base64'), 'label', k.label,
                      'revoked_at', k.revoked_at, 'signature', encode(s.signature, 'base64'),
                      'roles', to_jsonb(su.roles), 'disabled', su.disabled_at is not null)
                  order by s.signed_at)
           from safety_signatures s
           join public_keys k on k.id = s.key_id
           join users su on su.id = k.user_id
           where s.event_id = e.id), '[]'::jsonb) as endorsements
from safety_events e join users u on u.id = e.initiated_by
"""
)

SELECT_COMMAND: Final[LiteralString] = (
    """
select c.id, c.device_id, d.zone_id, c.payload, c.action_kind, c.hazard, c.safety_event_id,
       c.status, c.created_at, c.deadline, c.outcome, c.failure_code, c.failure_detail, c.receipt,
       c.closed_at, c.proposal_key, c.request_id, c.conversation_id, c.correlation_id, """
    + USER_COLUMNS
    + """
from device_commands c join devices d on d.id = c.device_id join users u on u.id = c.requested_by
"""
)

INSERT_COMMAND: Final[LiteralString] = """
insert into device_commands (id, device_id, conversation_id, intent, payload, requested_by,
    created_at, request_id, proposal_key, safety_event_id, action_kind, hazard, correlation_id,
    deadline, fabrication_job_id)
select %(id)s::uuid, %(device)s::uuid, %(conversation)s::uuid, %(intent)s, %(payload)s,
    %(requester)s::uuid, %(created_at)s::timestamptz, %(request)s::uuid, %(key)s::uuid,
    %(event)s::uuid, %(kind)s, %(hazard)s, %(correlation)s, %(deadline)s::timestamptz,
    %(job)s::uuid
"""


def log_values(entry: LogEntry) -> dict[str, Any]:
    """Return what LOG takes."""
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


def event_values(event: SafetyEvent) -> dict[str, Any]:
    """Return an event's columns."""
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


def command_values(command: Command) -> dict[str, Any]:
    """Return what INSERT_COMMAND takes."""
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
