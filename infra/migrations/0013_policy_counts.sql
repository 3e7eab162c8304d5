-- The two counts of 0012 apart, so that each has its index: who has asked a hundred thousand times
-- in a year waits no longer than a newcomer.

create index safety_events_waiting_of on safety_events (initiated_by) where status = 'pending';

create or replace function safety_events_limits() returns trigger language plpgsql as $$
declare
    policy access_policies;
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
    if policy.max_pending <= (
        select count(*) from safety_events
        where initiated_by = new.initiated_by and status = 'pending'
          and expires_at > new.created_at
    ) then
        raise exception using
            errcode = 'check_violation',
            table = tg_table_name,
            constraint = 'safety_events_max_pending',
            message = 'too many requests of this person wait already';
    end if;
    if policy.max_requests <= (
        select count(*) from safety_events
        where initiated_by = new.initiated_by and zone_id = new.zone_id
          and created_at > new.created_at - policy.max_requests_period
    ) then
        raise exception using
            errcode = 'check_violation',
            table = tg_table_name,
            constraint = 'safety_events_max_requests',
            message = 'this person has asked too often';
    end if;
    return new;
end $$;
