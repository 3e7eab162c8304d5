-- What devices were told, and what they said.

create table device_commands (
    id uuid primary key,
    device_id uuid not null references devices,
    conversation_id uuid references conversation_sessions on delete set null,
    intent text not null
        constraint device_commands_intent_form check (intent ~ '^[a-z][a-z0-9_]{0,63}$'),
    payload json_map not null default '{}'
        constraint device_commands_payload_size check (octet_length(payload::text) <= 65536),
    requested_by uuid not null references users,
    status command_status not null default 'pending',
    created_at timestamptz not null default now(),
    ack_at timestamptz,
    request_id uuid,
    proposal_key uuid not null unique,
    safety_event_id uuid unique references safety_events,
    action_kind text not null,
    hazard action_hazard not null,
    correlation_id text,
    deadline timestamptz not null,
    sent_at timestamptz,
    outcome effect_outcome,
    failure_code text,
    failure_detail text,
    receipt jsonb,
    fabrication_job_id uuid references fabrication_jobs,
    late_ack_at timestamptz,
    closed_at timestamptz,
    constraint device_commands_signed
        check (hazard = 'none' or safety_event_id is not null),
    constraint device_commands_sent_at check (
        case
            when status = 'pending' then sent_at is null
            when status in ('sent', 'acked') then sent_at is not null
            else true
        end
    ),
    constraint device_commands_ack_at check ((ack_at is not null) = (status = 'acked')),
    constraint device_commands_failure check (
        status <> 'failed' or coalesce(failure_code, '') <> ''),
    constraint device_commands_outcome check (
        (outcome is null) = (status in ('pending', 'sent'))
        and (outcome is distinct from 'unknown' or (status = 'failed' and sent_at is not null))
        and (sent_at is not null or outcome is null or outcome = 'failed')
    ),
    constraint device_commands_closed_at check ((closed_at is not null) = (outcome is not null)),
    constraint device_commands_late check (late_ack_at is null or status = 'failed')
);
create index device_commands_device on device_commands (device_id, created_at desc);
create index device_commands_open on device_commands (deadline) where status in ('pending', 'sent');
create index device_commands_unknown on device_commands (device_id) where outcome = 'unknown';
create index device_commands_conversation on device_commands (conversation_id);
create index device_commands_request on device_commands (request_id);
create index device_commands_newest on device_commands (created_at desc);
create index device_commands_job on device_commands (fabrication_job_id);
comment on constraint device_commands_signed on device_commands is
    'Seed: hazardous intents require a reference to a SafetyEvent.';
comment on column device_commands.conversation_id is
    'Null for a tool called without a conversation, and once the conversation was cleaned up.';
comment on column device_commands.outcome is
    'Null while open; unknown when the answer was lost, until a late answer tells.';

create trigger device_commands_identity before update on device_commands
    for each row when (
        (old.id, old.device_id, old.intent, old.payload, old.hazard, old.safety_event_id,
         old.proposal_key, old.requested_by, old.action_kind, old.created_at, old.request_id,
         old.correlation_id, old.fabrication_job_id)
        is distinct from
        (new.id, new.device_id, new.intent, new.payload, new.hazard, new.safety_event_id,
         new.proposal_key, new.requested_by, new.action_kind, new.created_at, new.request_id,
         new.correlation_id, new.fabrication_job_id)
        or (new.conversation_id is not null
            and new.conversation_id is distinct from old.conversation_id)
        or (old.sent_at is not null
            and (old.sent_at, old.deadline) is distinct from (new.sent_at, new.deadline))
    ) execute function refuse(
        'device_commands_identity', 'what a command says cannot be changed');
create trigger device_commands_closed before update on device_commands
    for each row when (
        old.closed_at is not null and (
            (old.status, old.ack_at, old.closed_at)
                is distinct from (new.status, new.ack_at, new.closed_at)
            or ((old.outcome <> 'unknown' or new.outcome = 'unknown')
                and (old.outcome, old.failure_code, old.failure_detail, old.receipt, old.late_ack_at)
                    is distinct from
                    (new.outcome, new.failure_code, new.failure_detail, new.receipt, new.late_ack_at))
        )
    ) execute function refuse(
        'device_commands_closed',
        'a closed command cannot be changed; only an unknown outcome can still be told');
create trigger device_commands_kept before delete on device_commands
    for each row execute function refuse('device_commands_kept', 'commands are never deleted');

-- Seed: the payload is validated against what the device says it can be told.
create function device_commands_capable() returns trigger language plpgsql as $$
declare
    device devices;
    event safety_events;
    fault text;
begin
    select * into device from devices where id = new.device_id;
    if device.id is null then
        return new;  -- the foreign key says it better
    end if;
    if not device.capabilities -> 'intents' ? new.intent then
        fault := format('device %s cannot be told %L', device.external_id, new.intent);
    end if;
    if new.safety_event_id is not null then
        select * into event from safety_events where id = new.safety_event_id;
        fault := coalesce(fault, case
            when event.device_id <> new.device_id then 'its safety event is about another device'
            when event.hazard <> new.hazard then 'its safety event is about another hazard'
            when event.proposal_key <> new.proposal_key then
                'its safety event is about another proposal'
        end);
    end if;
    if fault is not null then
        raise exception using
            errcode = 'check_violation',
            table = tg_table_name,
            constraint = 'device_commands_capable',
            message = format('command refused: %s', fault);
    end if;
    return new;
end $$;
create trigger device_commands_capable before insert on device_commands
    for each row execute function device_commands_capable();

-- Seed: the status remains pending until the approval is recorded.
create function device_commands_approved() returns trigger language plpgsql as $$
begin
    if not exists (
        select from safety_events
        where id = new.safety_event_id and status = 'approved' and consumed_by_command = new.id
    ) then
        raise exception using
            errcode = 'check_violation',
            table = tg_table_name,
            constraint = 'device_commands_approved',
            message = 'command refused: its safety event is not approved and claimed for it';
    end if;
    return new;
end $$;

insert into state_transitions (machine, from_state, to_state) values
    ('device_commands', '', 'pending'),
    ('device_commands', 'pending', 'sent'),
    ('device_commands', 'pending', 'failed'),
    ('device_commands', 'sent', 'acked'),
    ('device_commands', 'sent', 'failed');
comment on column device_commands.status is
    'pending -> failed is a command that never reached the wire: denied, expired, or no broker.';
create trigger device_commands_1_start before insert on device_commands
    for each row execute function enforce_transition();
create trigger device_commands_1_transition before update on device_commands
    for each row when (old.status is distinct from new.status)
    execute function enforce_transition();
create trigger device_commands_z_approved before update on device_commands
    for each row when (
        old.status is distinct from new.status
        and new.status = 'sent' and new.safety_event_id is not null)
    execute function device_commands_approved();

create table telemetry_events (
    id uuid primary key,
    device_id uuid not null references devices,
    topic text not null
        constraint telemetry_events_topic check (octet_length(topic) between 1 and 1024),
    payload jsonb not null
        constraint telemetry_events_size check (octet_length(payload::text) <= 65536),
    recorded_at timestamptz not null,
    fabrication_job_id uuid references fabrication_jobs,
    conversation_id uuid references conversation_sessions on delete set null
);
create index telemetry_events_time on telemetry_events using brin (recorded_at);
create index telemetry_events_device on telemetry_events (device_id, recorded_at desc);
create index telemetry_events_conversation on telemetry_events (conversation_id)
    where conversation_id is not null;
comment on constraint telemetry_events_size on telemetry_events is
    'Seed: at most 64 KB, as PostgreSQL writes it (a space after every colon and comma).';
