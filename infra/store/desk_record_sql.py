"""The statements behind `what_happened` and `why`."""

from typing import Final, LiteralString

# Every branch is limited by its own index on time; the whole is then cut to the newest.
# gate_log is the gate's own account; its steps that a command row tells better are left out.
ENTRIES: Final[LiteralString] = """
with happened (at, id, kind, verdict, action_kind, arguments, device_id, zone_id, user_id, job_id,
               reason, confidence) as (
    (select c.created_at, c.id::text, 'command', c.outcome::text, c.action_kind,
            c.payload::jsonb, c.device_id, null::uuid, c.requested_by, c.fabrication_job_id,
            coalesce(c.failure_detail, c.failure_code), null::double precision
     from device_commands c
     where c.created_at between %(since)s and %(until)s)
    union all
    (select g.at, coalesce(g.event_id::text, 'gate-log-' || g.seq),
            case when g.verdict in ('denied', 'refused') then 'denial' else 'approval' end,
            g.verdict, coalesce(e.action_kind, g.action_kind), e.action::jsonb,
            coalesce(e.device_id, g.device_id), e.zone_id, g.actor, null,
            coalesce(g.detail ->> 'reason', g.reason_code), null
     from gate_log g left join safety_events e on e.id = g.event_id
     where g.at between %(since)s and %(until)s
       and g.verdict in ('waits', 'signed', 'confirmed', 'approved', 'denied', 'refused'))
    union all
    (select j.started_at, j.id::text, 'print', 'started', null, null, j.device_id, null,
            j.requested_by, j.id, null, null
     from fabrication_jobs j where j.started_at between %(since)s and %(until)s)
    union all
    (select j.completed_at, j.id::text, 'print', j.status::text, null, null, j.device_id, null,
            j.requested_by, j.id, j.error, null
     from fabrication_jobs j where j.completed_at between %(since)s and %(until)s)
    union all
    (select m.occurred_at, m.id::text, 'print',
            case m.event_type when 'completed' then 'seen_completed' else m.event_type::text end,
            null, null, j.device_id, null, j.requested_by, j.id, null, m.confidence
     from print_monitor_events m join fabrication_jobs j on j.id = m.fabrication_job_id
     where m.occurred_at between %(since)s and %(until)s)
    union all
    (select coalesce(d.last_seen, d.state_at), d.id::text, 'device',
            case d.online_state when 'fault' then 'fault' else 'offline' end,
            null, null, d.id, null, null, null, d.fault, null
     from devices d
     where d.online_state <> 'online'
       and coalesce(d.last_seen, d.state_at) between %(since)s and %(until)s)
    union all
    (select r.created_at, r.id::text, 'routing', r.selected_tier::text, null, null, null, null,
            r.performed_by, null, nullif(r.escalation_reason, ''), null
     from routing_decisions r
     where r.created_at between %(since)s and %(until)s and r.selected_tier <> 'local')
)
select h.at, h.id, h.kind, h.verdict, h.action_kind, h.arguments, h.reason, h.confidence,
       d.name as device, z.name as zone, u.display_name as who, j.name as job
from happened h
left join devices d on d.id = h.device_id
left join zones z on z.id = coalesce(h.zone_id, d.zone_id)
left join users u on u.id = h.user_id
left join fabrication_jobs j on j.id = coalesce(
    h.job_id,
    case when h.arguments ->> 'job' ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
         then (h.arguments ->> 'job')::uuid end)
where %(about)s::text is null
   or concat_ws(' ', d.name, array_to_string(d.aliases, ' '), d.kind, z.name,
                array_to_string(z.aliases, ' '), u.display_name, u.handle, j.name, h.kind,
                h.verdict, h.action_kind, h.reason) ilike %(about)s
order by h.at desc, h.id limit %(limit)s
"""

DECISION: Final[LiteralString] = """
select r.id, r.request_id, r.conversation_id, r.created_at, r.selected_tier, r.confidence,
       r.cost_estimate, r.latency_ms, r.escalation_reason, r.model, r.threshold_version, r.rule,
       r.outcome
from routing_decisions r
"""
