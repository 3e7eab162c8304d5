-- More of what a zone may demand: hours, and how much one person may ask for.

create domain taint_rule as text
    constraint taint_rule_values check (value in ('raise', 'refuse'));

-- Time windows: [{"days": ["mon"], "from": "07:00", "to": "19:00"}]; safety/hours.py reads them.
create function is_time_window(given jsonb) returns boolean
    language sql immutable parallel safe
    return jsonb_typeof(given) = 'object'
        and given ?& array['days', 'from', 'to']
        and given - array['days', 'from', 'to'] = '{}'
        and case when jsonb_typeof(given -> 'days') = 'array'
            then jsonb_array_length(given -> 'days') between 1 and 7
                and given -> 'days' <@ '["mon", "tue", "wed", "thu", "fri", "sat", "sun"]'
            else false end
        and jsonb_typeof(given -> 'from') = 'string'
        and jsonb_typeof(given -> 'to') = 'string'
        and given ->> 'from' ~ '^([01][0-9]|2[0-3]):[0-5][0-9]$'
        and given ->> 'to' ~ '^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$'
        and given ->> 'from' <> given ->> 'to';
create function are_time_windows(given jsonb) returns boolean
    language sql immutable parallel safe
    return case when jsonb_typeof(given) = 'array' and jsonb_array_length(given) <= 50
        then not jsonb_path_exists(given, '$[*] ? (@.type() != "object")')
            and (select coalesce(bool_and(is_time_window(each)), true)
                 from jsonb_array_elements(given) as each)
        else false end;

alter table access_policies
    add column time_zone text
        constraint access_policies_time_zone check (length(time_zone) between 1 and 100),
    add column time_windows jsonb not null default '[]'
        constraint access_policies_time_windows check (are_time_windows(time_windows)),
    add column max_requests integer
        constraint access_policies_max_requests check (max_requests between 1 and 100000),
    add column max_requests_period interval
        constraint access_policies_max_requests_period
        check (max_requests_period > interval '0' and max_requests_period <= interval '744 hours'),
    add column max_pending integer not null default 20
        constraint access_policies_max_pending check (max_pending between 1 and 10000),
    add column taint taint_rule not null default 'raise',
    add constraint access_policies_hours check ((time_windows = '[]') = (time_zone is null)),
    add constraint access_policies_limit
        check ((max_requests is null) = (max_requests_period is null));
comment on column access_policies.time_windows is
    'When something hazardous may happen, in time_zone; an empty list is always.';
comment on column access_policies.max_pending is
    'So many requests of one person may wait at a time, for whatever zone.';

create index safety_events_of_requester on safety_events (initiated_by, created_at desc);

-- Counts again as the row is written, one request of a person after the other: whoever looked a
-- moment ago has not seen what others ask for in the same name.
create function safety_events_limits() returns trigger language plpgsql as $$
declare
    policy access_policies;
    waiting bigint;
    recent bigint;
begin
    select * into policy from access_policies where id = new.policy_id;
    if policy.id is null or new.status <> 'pending' then
        return new;
    end if;
    perform pg_advisory_xact_lock(7272743, hashtext(new.initiated_by::text));
    -- Made before: `on conflict` answers that.
    if exists (select from safety_events where proposal_key = new.proposal_key) then
        return new;
    end if;
    select count(*) filter (where status = 'pending' and expires_at > new.created_at),
           count(*) filter (where zone_id = new.zone_id
                            and created_at > new.created_at - policy.max_requests_period)
    into waiting, recent
    from safety_events where initiated_by = new.initiated_by
        and (status = 'pending' or created_at > new.created_at - policy.max_requests_period);
    if waiting >= policy.max_pending then
        raise exception using
            errcode = 'check_violation',
            table = tg_table_name,
            constraint = 'safety_events_max_pending',
            message = 'too many requests of this person wait already';
    end if;
    if recent >= policy.max_requests then
        raise exception using
            errcode = 'check_violation',
            table = tg_table_name,
            constraint = 'safety_events_max_requests',
            message = 'this person has asked too often';
    end if;
    return new;
end $$;
create trigger safety_events_2_limits before insert on safety_events
    for each row execute function safety_events_limits();
