-- The gate's log as a chain: each entry carries the hash of the one before it.
--
-- The chain lies in a table of its own and is written when the transaction commits, after every
-- other lock of it was taken: so no two writers can wait for one another, and numbers have no gaps.

create table gate_log_identity (
    id uuid primary key,
    created_at timestamptz not null default now()
);
create unique index gate_log_identity_single on gate_log_identity ((true));
insert into gate_log_identity (id) values (gen_random_uuid());
comment on table gate_log_identity is 'Names this log: the first entry is chained to it.';

create table gate_log_chain (
    seq bigint primary key
        constraint gate_log_chain_seq check (seq > 0),
    entry bigint not null unique,
    prev_hash bytea not null
        constraint gate_log_chain_prev_hash check (octet_length(prev_hash) = 32),
    hash bytea not null
        constraint gate_log_chain_hash check (octet_length(hash) = 32)
);
comment on table gate_log_chain is
    'One row for each of gate_log, in the order they were committed; written by a trigger only. '
    'No foreign key: that would need the right to update, and what somebody removed must show.';

-- The exact bytes that an entry's hash covers: one JSON object on one line.  docs/audit.md and
-- safety/audit/entries.py say the same.  Never change it: add another form under another name.
create function gate_log_entry(entry gate_log, seq bigint, prev_hash bytea) returns text
    language sql stable parallel safe
    return '{"prev":"' || encode(prev_hash, 'hex')
        || '","seq":' || seq
        || ',"row":' || entry.seq
        || ',"at":"' || to_char(entry.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
        || '","event_id":' || coalesce(to_json(entry.event_id)::text, 'null')
        || ',"command_id":' || coalesce(to_json(entry.command_id)::text, 'null')
        || ',"actor":' || coalesce(to_json(entry.actor)::text, 'null')
        || ',"action_kind":' || coalesce(to_json(entry.action_kind)::text, 'null')
        || ',"device_id":' || coalesce(to_json(entry.device_id)::text, 'null')
        || ',"verdict":' || to_json(entry.verdict)::text
        || ',"reason_code":' || coalesce(to_json(entry.reason_code)::text, 'null')
        || ',"detail":' || entry.detail::jsonb::text
        || ',"correlation_id":' || coalesce(to_json(entry.correlation_id)::text, 'null')
        || '}';

create function gate_log_genesis() returns bytea
    language sql stable
    return sha256(convert_to('kitty.gate_log/1' || chr(10)
        || (select id::text from gate_log_identity), 'UTF8'));

-- As its owner, whoever writes the log: a role that may only insert cannot forget the chain.
create function gate_log_chained() returns trigger
    language plpgsql security definer set search_path from current as $$
declare
    last gate_log_chain;
    body text;
begin
    perform pg_advisory_xact_lock(7272742);
    -- A statement of its own after the lock: it sees what the last holder committed.
    select * into last from gate_log_chain order by seq desc limit 1;
    if not found then
        last.seq := 0;
        last.hash := gate_log_genesis();
    end if;
    body := gate_log_entry(new, last.seq + 1, last.hash);
    if octet_length(body) > 524288 then
        raise exception using
            errcode = 'check_violation',
            table = 'gate_log',
            constraint = 'gate_log_size',
            message = 'an entry of the gate''s log has at most 512 KiB';
    end if;
    insert into gate_log_chain (seq, entry, prev_hash, hash)
    values (last.seq + 1, new.seq, last.hash, sha256(convert_to(body, 'UTF8')));
    return null;
end $$;
create constraint trigger gate_log_chained after insert on gate_log
    deferrable initially deferred
    for each row execute function gate_log_chained();

-- What was there before.
do $$
declare
    row gate_log;
    number bigint := 0;
    before bytea := gate_log_genesis();
    made bytea;
begin
    for row in select * from gate_log order by seq loop
        number := number + 1;
        made := sha256(convert_to(gate_log_entry(row, number, before), 'UTF8'));
        insert into gate_log_chain (seq, entry, prev_hash, hash)
        values (number, row.seq, before, made);
        before := made;
    end loop;
end $$;

create trigger gate_log_chain_append_only before update or delete on gate_log_chain
    for each row execute function refuse(
        'gate_log_chain_append_only', 'the chain of the gate''s log only grows');
create trigger gate_log_chain_append_only_whole before truncate on gate_log_chain
    for each statement execute function refuse(
        'gate_log_chain_append_only', 'the chain of the gate''s log only grows');
create trigger gate_log_identity_kept before update or delete on gate_log_identity
    for each row execute function refuse(
        'gate_log_identity_kept', 'a log keeps its name');
create trigger gate_log_identity_kept_whole before truncate on gate_log_identity
    for each statement execute function refuse(
        'gate_log_identity_kept', 'a log keeps its name');

-- By role as well.  A superuser is not bound by this, and an owner could grant it to itself
-- again: docs/audit.md says how to give the log an owner of its own.
revoke update, delete, truncate on gate_log, gate_log_chain, gate_log_identity
    from public, current_user;
