"""Every entity, field, closed set and relation of the data model is in the database."""

from collections.abc import Mapping
from uuid import uuid4

import psycopg
import pytest
from fakes.rows import Rows

from safety import entities, records

FIELDS: Mapping[str, str] = {
    "users": "id:uuid display_name:text email:text? roles:text[] tailscale_id:text?"
    " created_at:timestamptz",
    "zones": "id:uuid name:text hazard_level:text requires_ppe:bool unifi_door_ids:text[]",
    "zone_presences": "id:uuid zone_id:uuid user_id:uuid source:text status:text"
    " observed_at:timestamptz",
    "devices": "id:uuid external_id:text kind:text zone_id:uuid capabilities:jsonb"
    " online_state:text last_seen:timestamptz?",
    "device_commands": "id:uuid device_id:uuid conversation_id:uuid? intent:text payload:jsonb"
    " requested_by:uuid status:text created_at:timestamptz ack_at:timestamptz?",
    "telemetry_events": "id:uuid device_id:uuid topic:text payload:jsonb recorded_at:timestamptz",
    "conversation_sessions": "id:uuid context_key:text state:jsonb active_participants:uuid[]"
    " last_message_at:timestamptz",
    "routing_decisions": "id:uuid conversation_id:uuid? request_id:uuid input_hash:text"
    " selected_tier:text confidence:float8 cost_estimate:numeric latency_ms:int4?"
    " escalation_reason:text performed_by:uuid?",
    "cad_jobs": "id:uuid conversation_id:uuid? prompt:text policy_mode:text status:text"
    " created_at:timestamptz completed_at:timestamptz?",
    "cad_artifacts": "id:uuid cad_job_id:uuid provider:text artifact_key:text artifact_type:text"
    " metadata:jsonb quality_score:float8?",
    "fabrication_jobs": "id:uuid device_id:uuid? cad_artifact_id:uuid? gcode_path:text status:text"
    " started_at:timestamptz? completed_at:timestamptz? requested_by:uuid",
    "print_monitor_events": "id:uuid fabrication_job_id:uuid event_type:text confidence:float8"
    " snapshot_key:text? occurred_at:timestamptz",
    "safety_events": "id:uuid event_type:text device_id:uuid? zone_id:uuid? initiated_by:uuid"
    " approved_by:uuid? signature:text status:text created_at:timestamptz"
    " resolved_at:timestamptz? evidence_key:text?",
    "access_policies": "id:uuid name:text zone_id:uuid required_roles:text[]"
    " requires_dual_confirm:bool requires_presence:bool pqe_checks:jsonb",
    "notifications": "id:uuid channel:text recipient:text payload:jsonb status:text"
    " related_job_id:uuid? created_at:timestamptz",
}
"""Seed 004, Entities: name, type, and `?` where a value may be missing."""

ENUMS: Mapping[str, str] = {
    "zones.hazard_level": "low medium high",
    "zone_presences.source": "unifi manual override",
    "zone_presences.status": "present unknown vacated",
    "devices.kind": "printer camera light door power sensor",
    "devices.online_state": "online offline fault",
    "device_commands.status": "pending sent acked failed",
    "device_commands.hazard": "none low medium high",
    "device_commands.outcome": "done failed unknown",
    "routing_decisions.selected_tier": "local mcp frontier",
    "cad_jobs.policy_mode": "online offline",
    "cad_jobs.status": "queued running completed failed",
    "cad_artifacts.provider": "zoo tripo cadquery freecad triposr instantmesh",
    "cad_artifacts.artifact_type": "step dxf stl obj preview",
    "fabrication_jobs.status": "preparing printing paused completed failed aborted",
    "print_monitor_events.event_type": "first_layer_ok spaghetti_detected nozzle_clog completed",
    "safety_events.event_type": "hazard_request unlock power_enable override",
    "safety_events.status": "pending approved denied",
    "safety_events.hazard": "none low medium high",
    "notifications.channel": "push email slack webhook",
    "notifications.status": "queued sent failed",
    "public_keys.algorithm": "ed25519 p256",
    "conversation_requests.status": "accepted finished failed",
    "conversation_messages.role": "user assistant",
}

RELATIONS = """
zone_presences.zone_id zones
zone_presences.user_id users
devices.zone_id zones
access_policies.zone_id zones
device_commands.device_id devices
device_commands.conversation_id conversation_sessions
device_commands.requested_by users
device_commands.safety_event_id safety_events
device_commands.fabrication_job_id fabrication_jobs
telemetry_events.device_id devices
telemetry_events.fabrication_job_id fabrication_jobs
telemetry_events.conversation_id conversation_sessions
routing_decisions.conversation_id conversation_sessions
routing_decisions.performed_by users
cad_jobs.conversation_id conversation_sessions
cad_artifacts.cad_job_id cad_jobs
fabrication_jobs.device_id devices
fabrication_jobs.cad_artifact_id cad_artifacts
fabrication_jobs.requested_by users
print_monitor_events.fabrication_job_id fabrication_jobs
safety_events.device_id devices
safety_events.zone_id zones
safety_events.initiated_by users
safety_events.approved_by users
safety_events.policy_id access_policies
notifications.related_job_id fabrication_jobs
notifications.safety_event_id safety_events
notifications.routing_decision_id routing_decisions
"""

MAKERS: Mapping[str, str] = {
    "users": "user",
    "zones": "zone",
    "zone_presences": "presence",
    "devices": "device",
    "device_commands": "command",
    "telemetry_events": "telemetry",
    "conversation_sessions": "conversation",
    "conversation_requests": "request",
    "conversation_messages": "message",
    "routing_decisions": "decision",
    "cad_jobs": "cad_job",
    "cad_artifacts": "artifact",
    "fabrication_jobs": "job",
    "print_monitor_events": "print_event",
    "safety_events": "event",
    "access_policies": "policy",
    "notifications": "notification",
    "public_keys": "key",
}
"""The function of fakes.rows.Rows that makes a row of the table."""


@pytest.mark.parametrize("table", FIELDS)
def test_every_field_is_there_with_its_type(rows: Rows, table: str) -> None:
    found = {
        f"{name}:{kind}{'' if required else '?'}"
        for name, kind, required in rows.connection.execute(
            """
            select a.attname,
                coalesce(nullif(t.typbasetype, 0), t.oid)::regtype::text,
                a.attnotnull
            from pg_attribute a join pg_type t on t.oid = a.atttypid
            where a.attrelid = %s::regclass and a.attnum > 0 and not a.attisdropped
            """,
            (table,),
        )
    }
    names = {
        "timestamp with time zone": "timestamptz",
        "boolean": "bool",
        "double precision": "float8",
        "integer": "int4",
    }
    for long, short in names.items():
        found = {field.replace(long, short) for field in found}
    assert set(FIELDS[table].split()) <= found


@pytest.mark.parametrize("table", MAKERS)
def test_a_valid_row_of_every_table_can_be_made(rows: Rows, table: str) -> None:
    made = getattr(rows, MAKERS[table])()
    assert rows.get(table, made) == made


@pytest.mark.parametrize("column", ENUMS)
def test_a_closed_set_takes_its_values_and_no_other(rows: Rows, column: str) -> None:
    table, name = column.split(".")
    kind = rows.connection.execute(
        "select atttypid::regtype::text from pg_attribute"
        " where attrelid = %s::regclass and attname = %s",
        (table, name),
    ).fetchone()
    assert kind is not None
    values = ENUMS[column].split()
    for value in values:
        cast = rows.connection.execute(f"select %s::{kind[0]}", (value,))
        assert cast.fetchone() == (value,)
    for bad in ("", "asleep", values[0].upper(), f"{values[0]} ", ",".join(values[:2])):
        with rows.refused():
            getattr(rows, MAKERS[table])(**{name: bad})


@pytest.mark.parametrize("relation", RELATIONS.split("\n")[1:-1])
def test_a_relation_is_kept(rows: Rows, relation: str) -> None:
    column, target = relation.split()
    table, name = column.split(".")
    found = rows.connection.execute(
        """
        select confrelid::regclass::text from pg_constraint as c
        join pg_attribute as a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
        where c.contype = 'f' and c.conrelid = %s::regclass and a.attname = %s
        """,
        (table, name),
    )
    assert found.fetchone() == (target,)
    with rows.refused(error=psycopg.errors.IntegrityError):
        getattr(rows, MAKERS[table])(**{name: uuid4()})


@pytest.mark.parametrize(
    ("column", "code"),
    [
        ("zones.hazard_level", entities.HazardLevel),
        ("zone_presences.source", entities.PresenceSource),
        ("zone_presences.status", entities.PresenceStatus),
        ("devices.kind", entities.DeviceKind),
        ("devices.online_state", entities.OnlineState),
        ("safety_events.event_type", entities.SafetyEventType),
        ("safety_events.status", records.EventStatus),
        ("device_commands.status", records.CommandStatus),
        ("device_commands.outcome", records.Result),
    ],
)
def test_the_code_has_the_same_values(column: str, code: type[entities.Role]) -> None:
    assert {each.value for each in code} == set(ENUMS[column].split())


def test_the_four_roles(rows: Rows) -> None:
    every = [role.value for role in entities.Role]
    assert rows.user(roles=every)["roles"] == every
