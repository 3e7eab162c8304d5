-- Requests for something hazardous, the signatures under them, and the gate's log.

create table public_keys (
    id text primary key
        constraint public_keys_id check (length(id) between 1 and 200),
    user_id uuid not null references users,
    algorithm key_algorithm not null,
    spki bytea not null unique
        constraint public_keys_spki check (octet_length(spki) between 1 and 4096),
    label name_text not null,
    created_at timestamptz not null default now(),
    revoked_at timestamptz
);
create index public_keys_user on public_keys (user_id);
comment on table public_keys is 'KITTY never holds a private key.';
create trigger public_keys_identity before update on public_keys
    for each row when (
        (old.id, old.user_id, old.algorithm, old.spki, old.created_at)
            is distinct from (new.id, new.user_id, new.algorithm, new.spki, new.created_at)
        or (old.revoked_at is not null and old.revoked_at is distinct from new.revoked_at)
    ) execute function refuse(
        'public_keys_identity',
        'a key keeps its owner and its bytes, and a revoked key stays revoked');

create table safety_events (
    id uuid primary key,
    event_type safety_event_type not null,
    device_id uuid references devices,
    zone_id uuid references zones,
    initiated_by uuid not null references users,
    approved_by uuid references users,
    signature text not null default '',
    status safety_status not null default 'pending',
    created_at timestamptz not null default now(),
    resolved_at timestamptz,
    action json_map not null,
    action_kind text not null
        constraint safety_events_action_kind check (action_kind <> ''),
    digest sha256_hex,
    canonical bytea,
    hazard action_hazard not null
        constraint safety_events_hazard check (hazard <> 'none'),
    nonce text,
    not_before timestamptz not null default now(),
    expires_at timestamptz not null,
    policy_id uuid references access_policies,
    policy_version integer,
    tainted boolean not null default false,
    needs text[] not null default '{}',
    reason_code text,
    reason text,
    evidence_key object_key,
    evidence json_map not null default '{}',
    requires_confirmation boolean not null default false,
    confirmed_at timestamptz,
    consumed_at timestamptz,
    consumed_by_command uuid unique,
    outcome effect_outcome,
    proposal_key uuid not null unique,
    request_id uuid,
    conversation_id uuid references conversation_sessions on delete set null,
    correlation_id text,
    constraint safety_events_digest
        check (digest is null or canonical is null
               or digest = encode(sha256(canonical), 'hex')),
    constraint safety_events_window check (expires_at > not_before),
    constraint safety_events_approved check (
        status <> 'approved'
        or (approved_by is not null and signature <> '' and digest is not null)),
    constraint safety_events_confirmed check (
        status <> 'approved' or not requires_confirmation or confirmed_at is not null),
    constraint safety_events_denied check (
        status <> 'denied' or (coalesce(reason_code, '') <> '' and resolved_at is not null)),
    constraint safety_events_pending check (
        status <> 'pending' or (resolved_at is null and approved_by is null)),
    constraint safety_events_consumed check (
        (consumed_at is null) = (consumed_by_command is null)
        and (consumed_at is null or status = 'approved')),
    constraint safety_events_consumed_in_time check (
        consumed_at is null or (consumed_at >= not_before and consumed_at <= expires_at)),
    constraint safety_events_outcome check (outcome is null or consumed_at is not null)
);
create index safety_events_pending_first on safety_events (created_at) where status = 'pending';
create index safety_events_newest on safety_events (created_at desc);
create index safety_events_conversation on safety_events (conversation_id);
create index safety_events_request on safety_events (request_id);
comment on constraint safety_events_approved on safety_events is
    'Seed: approved_by is required when the status is approved; so are the signature and its digest.';
comment on column safety_events.canonical is 'The exact bytes that people sign (as their SHA-256).';
comment on column safety_events.consumed_by_command is
    'The one command that may run on this approval; the claim comes before the command row.';
comment on column safety_events.resolved_at is
    'Seed: set on denial, and for an approved event when its action was carried out; '
    'approved, resolved and not consumed is an approval that ran out: it never runs.';

create trigger safety_events_identity before update on safety_events
    for each row when (
        (old.id, old.event_type, old.device_id, old.zone_id, old.initiated_by, old.created_at,
         old.action, old.action_kind, old.hazard, old.nonce, old.not_before, old.expires_at,
         old.policy_id, old.policy_version, old.tainted, old.requires_confirmation,
         old.proposal_key, old.request_id, old.correlation_id)
        is distinct from
        (new.id, new.event_type, new.device_id, new.zone_id, new.initiated_by, new.created_at,
         new.action, new.action_kind, new.hazard, new.nonce, new.not_before, new.expires_at,
         new.policy_id, new.policy_version, new.tainted, new.requires_confirmation,
         new.proposal_key, new.request_id, new.correlation_id)
        or (new.conversation_id is not null
            and new.conversation_id is distinct from old.conversation_id)
        or (old.digest is not null and old.digest is distinct from new.digest)
        or (old.canonical is not null and old.canonical is distinct from new.canonical)
        or (old.confirmed_at is not null and old.confirmed_at is distinct from new.confirmed_at)
    ) execute function refuse(
        'safety_events_identity', 'what was asked for and signed cannot be changed');
create trigger safety_events_resolved before update on safety_events
    for each row when (
        old.status <> 'pending' and (
            (old.approved_by, old.signature, old.digest, old.canonical, old.confirmed_at,
             old.evidence, old.evidence_key)
            is distinct from
            (new.approved_by, new.signature, new.digest, new.canonical, new.confirmed_at,
             new.evidence, new.evidence_key)
            or (old.resolved_at is not null
                and (old.resolved_at, old.reason_code, old.reason)
                    is distinct from (new.resolved_at, new.reason_code, new.reason))
        )
    ) execute function refuse(
        'safety_events_resolved', 'a decided safety event cannot be changed');
create trigger safety_events_once before update on safety_events
    for each row when (
        (old.consumed_at is not null
         and (old.consumed_at, old.consumed_by_command)
             is distinct from (new.consumed_at, new.consumed_by_command))
        or (old.consumed_at is null and new.consumed_at is not null
            and old.resolved_at is not null)
        or (old.outcome in ('done', 'failed') and old.outcome is distinct from new.outcome)
        or (old.outcome = 'unknown' and new.outcome is null)
    ) execute function refuse(
        'safety_events_once', 'an approval is used once, and its outcome is told once');
create trigger safety_events_kept before delete on safety_events
    for each row execute function refuse('safety_events_kept', 'safety events are never deleted');

create table safety_signatures (
    event_id uuid not null references safety_events,
    key_id text not null references public_keys,
    user_id uuid not null references users,
    algorithm key_algorithm not null,
    signature bytea not null
        constraint safety_signatures_bytes check (octet_length(signature) between 1 and 4096),
    signed_at timestamptz not null,
    relayed_by uuid references users,
    primary key (event_id, key_id),
    constraint safety_signatures_one_per_person unique (event_id, user_id)
);

create function safety_signatures_guard() returns trigger language plpgsql as $$
declare
    event safety_events;
    key public_keys;
    fault text;
begin
    -- Waits for a decision under way, so that no signature slips in behind it.
    select * into event from safety_events where id = new.event_id for share;
    select * into key from public_keys where id = new.key_id for share;
    fault := case
        when event.id is null then 'there is no such safety event'
        when event.status <> 'pending' then format('the safety event is already %s', event.status)
        when event.digest is null then 'the safety event has nothing to sign yet'
        when new.signed_at >= event.expires_at then 'the safety event has expired'
        when key.id is null then 'the key is not known'
        when key.user_id <> new.user_id then 'the key belongs to somebody else'
        when key.algorithm <> new.algorithm then 'the key is of another algorithm'
        when key.revoked_at is not null then 'the key was revoked'
    end;
    if fault is not null then
        raise exception using
            errcode = 'check_violation',
            table = tg_table_name,
            constraint = 'safety_signatures_guard',
            message = format('signature refused: %s', fault);
    end if;
    return new;
end $$;
create trigger safety_signatures_guard before insert on safety_signatures
    for each row execute function safety_signatures_guard();
create trigger safety_signatures_kept before update or delete on safety_signatures
    for each row execute function refuse(
        'safety_signatures_kept', 'a signature cannot be changed or deleted');
create trigger safety_signatures_kept_whole before truncate on safety_signatures
    for each statement execute function refuse(
        'safety_signatures_kept', 'a signature cannot be changed or deleted');

-- Checked at the moment of approval, whoever writes the row:
--   low     confirmed by the requester for that very request, or signed by one person
--   medium  signed by one person, two where the policy wants dual confirmation
--   high    signed by two people with two keys, one of whom is not the requester
-- A signature counts while its key is not revoked, its owner not disabled, and its owner holds
-- one of the roles that the policy names.  Without a policy nothing is approved.
create function safety_events_approval() returns trigger language plpgsql as $$
declare
    policy access_policies;
    needed integer;
    signers uuid[];
    fault text;
begin
    select * into policy from access_policies where id = new.policy_id;
    needed := case
        when new.hazard = 'high' then 2
        when new.hazard = 'medium' and policy.requires_dual_confirm then 2
        else 1
    end;
    select coalesce(array_agg(s.user_id), '{}') into signers
    from safety_signatures as s
    join public_keys as k on k.id = s.key_id and k.user_id = s.user_id and k.revoked_at is null
    join users as u on u.id = s.user_id and u.disabled_at is null
        and u.roles && policy.required_roles
    where s.event_id = new.id;
    fault := case
        when policy.id is null then 'no access policy covers it'
        when new.hazard = 'low' and new.approved_by = new.initiated_by
            and new.signature ~ '^confirmation:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
        then
            case when new.confirmed_at is null then 'the requester has not confirmed it' end
        when new.signature like 'confirmation:%' then
            'a confirmation is enough only for a low hazard and only from the requester'
        when cardinality(signers) < needed then
            format('it has %s valid signature(s) and needs %s', cardinality(signers), needed)
        when needed > 1 and cardinality(array_remove(signers, new.initiated_by)) = 0 then
            'somebody other than the requester must sign'
        when new.approved_by <> all (signers) then 'the approver has not signed'
    end;
    if fault is not null then
        raise exception using
            errcode = 'check_violation',
            table = tg_table_name,
            constraint = 'safety_events_approval',
            message = format('approval refused: %s', fault);
    end if;
    return new;
end $$;
comment on function safety_events_approval is
    'Seed: a signature must be there for every approval; high hazard requires dual confirmation.';

insert into state_transitions (machine, from_state, to_state) values
    ('safety_events', '', 'pending'),
    ('safety_events', 'pending', 'approved'),
    ('safety_events', 'pending', 'denied');
create trigger safety_events_1_start before insert on safety_events
    for each row execute function enforce_transition();
create trigger safety_events_1_transition before update on safety_events
    for each row when (old.status is distinct from new.status)
    execute function enforce_transition();
create trigger safety_events_z_approval before update on safety_events
    for each row when (old.status = 'pending' and new.status = 'approved')
    execute function safety_events_approval();

create table gate_log (
    seq bigint generated always as identity primary key,
    at timestamptz not null,
    event_id uuid,
    command_id uuid,
    actor uuid,
    action_kind text,
    device_id uuid,
    verdict text not null
        constraint gate_log_verdict check (verdict <> ''),
    reason_code text,
    detail json_map not null default '{}',
    correlation_id text
);
create index gate_log_event on gate_log (event_id);
create index gate_log_at on gate_log (at desc);
comment on table gate_log is
    'Every decision of the gate, also about things that do not exist: so no foreign keys.';
create trigger gate_log_append_only before update or delete on gate_log
    for each row execute function refuse('gate_log_append_only', 'the gate''s log only grows');
create trigger gate_log_append_only_whole before truncate on gate_log
    for each statement execute function refuse('gate_log_append_only', 'the gate''s log only grows');
