-- What people are told elsewhere, and how they get in.

create table notifications (
    id uuid primary key,
    channel notification_channel not null,
    recipient text not null
        constraint notifications_recipient check (length(recipient) between 1 and 320),
    payload json_map not null,
    status notification_status not null default 'queued',
    related_job_id uuid references fabrication_jobs,
    safety_event_id uuid references safety_events,
    routing_decision_id uuid references routing_decisions,
    created_at timestamptz not null default now(),
    metadata json_map not null default '{"attempts": 0}'
        constraint notifications_attempts check (
            jsonb_path_exists(metadata, '$.attempts ? (@ >= 0 && @ == @.floor())'))
);
create index notifications_queue on notifications (created_at) where status = 'queued';
comment on column notifications.metadata is
    'Seed: attempts, and the exponential back-off between them.';

insert into state_transitions (machine, from_state, to_state) values
    ('notifications', '', 'queued'),
    ('notifications', 'queued', 'sent'),
    ('notifications', 'queued', 'failed'),
    ('notifications', 'failed', 'queued');
create trigger notifications_1_start before insert on notifications
    for each row execute function enforce_transition();
create trigger notifications_1_transition before update on notifications
    for each row when (old.status is distinct from new.status)
    execute function enforce_transition();

create table api_tokens (
    id uuid primary key,
    user_id uuid not null references users,
    token_sha256 sha256_hex not null unique,
    label name_text not null,
    created_at timestamptz not null default now(),
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz,
    constraint api_tokens_lifetime check (expires_at > created_at)
);
create index api_tokens_user on api_tokens (user_id);

create table enrolment_links (
    token_sha256 sha256_hex primary key,
    user_id uuid not null references users,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    used_at timestamptz,
    constraint enrolment_links_lifetime check (expires_at > created_at)
);
create trigger enrolment_links_once before update on enrolment_links
    for each row when (old.used_at is not null and old is distinct from new)
    execute function refuse('enrolment_links_once', 'an enrolment link works once');

create table web_sessions (
    token_sha256 sha256_hex primary key,
    user_id uuid not null references users,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    revoked_at timestamptz,
    constraint web_sessions_lifetime check (expires_at > created_at)
);
create index web_sessions_user on web_sessions (user_id);
create index web_sessions_expiry on web_sessions (expires_at);
