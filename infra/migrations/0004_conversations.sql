-- What was said, by whom, and who was chosen to answer.

create table conversation_sessions (
    id uuid primary key,
    context_key text not null unique
        constraint conversation_sessions_context_key check (length(context_key) between 1 and 200),
    state json_map not null default '{}',
    active_participants uuid[] not null default '{}',
    owner_id uuid not null references users,
    created_at timestamptz not null default now(),
    last_message_at timestamptz not null default now()
);
create index conversation_sessions_idle on conversation_sessions (last_message_at);
comment on column conversation_sessions.last_message_at is
    'Seed: inactive conversations are cleaned up after a time to live (infra.retention).';

create function conversation_participants_known() returns trigger language plpgsql as $$
declare
    stranger uuid;
begin
    select p into stranger from unnest(new.active_participants) as p
    where not exists (select from users where users.id = p) limit 1;
    if found then
        raise exception using
            errcode = 'foreign_key_violation',
            table = tg_table_name,
            column = 'active_participants',
            constraint = 'conversation_sessions_participants',
            message = format('participant %s of the conversation is not a user', coalesce(stranger::text, 'null'));
    end if;
    return new;
end $$;
create trigger conversation_participants_known
    before insert or update of active_participants on conversation_sessions
    for each row when (cardinality(new.active_participants) > 0)
    execute function conversation_participants_known();

create table conversation_requests (
    id uuid primary key,
    conversation_id uuid not null references conversation_sessions on delete cascade,
    user_id uuid not null references users,
    channel text not null
        constraint conversation_requests_channel check (channel ~ '^[a-z0-9_-]{1,64}$'),
    text text not null
        constraint conversation_requests_text_length check (length(text) <= 4000),
    status request_status not null default 'accepted',
    correlation_id text not null,
    client_key text
        constraint conversation_requests_client_key check (length(client_key) between 1 and 200),
    created_at timestamptz not null default now(),
    finished_at timestamptz,
    result jsonb,
    constraint conversation_requests_once unique (user_id, client_key),
    constraint conversation_requests_finished_at
        check ((finished_at is not null) = (status <> 'accepted'))
);
create index conversation_requests_conversation on conversation_requests (conversation_id, created_at);
create index conversation_requests_open on conversation_requests (created_at) where status = 'accepted';
comment on constraint conversation_requests_once on conversation_requests is
    'A client that repeats a request with its own key gets the first answer.';

create table conversation_messages (
    id uuid primary key,
    conversation_id uuid not null references conversation_sessions on delete cascade,
    request_id uuid not null references conversation_requests on delete cascade,
    seq bigint generated always as identity,
    role message_role not null,
    text text not null
        constraint conversation_messages_text_length check (length(text) <= 65536),
    spoken text not null default '',
    meta json_map not null default '{}',
    user_id uuid references users,
    created_at timestamptz not null default now()
);
create index conversation_messages_order on conversation_messages (conversation_id, seq);
create index conversation_messages_request on conversation_messages (request_id);

create table routing_decisions (
    id uuid primary key,
    conversation_id uuid references conversation_sessions on delete set null,
    request_id uuid not null unique,
    input_hash text not null
        constraint routing_decisions_input_hash check (input_hash <> ''),
    selected_tier routing_tier not null,
    confidence double precision not null
        constraint routing_decisions_confidence check (confidence between 0 and 1),
    cost_estimate numeric not null default 0
        constraint routing_decisions_cost
        check (cost_estimate >= 0 and cost_estimate < 'infinity'),
    latency_ms integer
        constraint routing_decisions_latency check (latency_ms >= 0),
    escalation_reason text not null default '',
    performed_by uuid references users,
    created_at timestamptz not null default now(),
    completed_at timestamptz,
    features_hash text not null default '',
    threshold_version text not null default '',
    model text not null default '',
    rule text not null default '',
    channel text not null default '',
    outcome text
        constraint routing_decisions_outcome check (length(outcome) between 1 and 64),
    cached boolean not null default false,
    forced boolean not null default false,
    constraint routing_decisions_measured check (completed_at is null or latency_ms is not null)
);
create index routing_decisions_conversation on routing_decisions (conversation_id, created_at desc);
create index routing_decisions_newest on routing_decisions (created_at desc, id);
comment on constraint routing_decisions_measured on routing_decisions is
    'Seed: latency and confidence are recorded for every decision, cached ones too.';
comment on column routing_decisions.cost_estimate is 'Seed: recorded even when zero.';
comment on column routing_decisions.performed_by is 'Seed: null for the system.';
comment on column routing_decisions.conversation_id is
    'Null once the conversation was cleaned up; the decision itself stays for the audit.';

create trigger routing_decisions_identity before update on routing_decisions
    for each row when (
        (old.id, old.request_id, old.input_hash, old.features_hash, old.threshold_version,
         old.performed_by, old.channel, old.forced, old.created_at)
        is distinct from
        (new.id, new.request_id, new.input_hash, new.features_hash, new.threshold_version,
         new.performed_by, new.channel, new.forced, new.created_at)
        or (new.conversation_id is not null
            and new.conversation_id is distinct from old.conversation_id)
    ) execute function refuse(
        'routing_decisions_identity', 'what a routing decision was about cannot be changed');
create trigger routing_decisions_completed before update on routing_decisions
    for each row when (
        old.completed_at is not null and (
            (old.selected_tier, old.confidence, old.cost_estimate, old.latency_ms,
             old.escalation_reason, old.model, old.rule, old.cached, old.completed_at)
            is distinct from
            (new.selected_tier, new.confidence, new.cost_estimate, new.latency_ms,
             new.escalation_reason, new.model, new.rule, new.cached, new.completed_at)
            or (old.outcome is distinct from new.outcome
                and coalesce(old.outcome, 'pending') not in ('pending', 'unknown'))
        )
    ) execute function refuse(
        'routing_decisions_completed',
        'a completed routing decision cannot be changed; only a pending or unknown outcome can');

create table memories (
    id uuid primary key,
    user_id uuid not null references users,
    text text not null
        constraint memories_text_length check (btrim(text) <> '' and length(text) <= 2000),
    created_at timestamptz not null default now()
);
create index memories_user on memories (user_id, created_at desc);

insert into state_transitions (machine, from_state, to_state) values
    ('conversation_requests', '', 'accepted'),
    ('conversation_requests', 'accepted', 'finished'),
    ('conversation_requests', 'accepted', 'failed');
create trigger conversation_requests_1_start before insert on conversation_requests
    for each row execute function enforce_transition();
create trigger conversation_requests_1_transition before update on conversation_requests
    for each row when (old.status is distinct from new.status)
    execute function enforce_transition();
create trigger conversation_requests_closed before update on conversation_requests
    for each row when (old.status <> 'accepted' and old is distinct from new)
    execute function refuse(
        'conversation_requests_closed', 'a finished request cannot be changed');
