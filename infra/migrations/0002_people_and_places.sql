-- People, zones, who is where, and what each zone demands.

create table users (
    id uuid primary key,
    display_name name_text not null,
    handle slug not null unique,
    email text
        constraint users_email check (email ~ '^[^@[:space:]]+@[^@[:space:]]+$' and length(email) <= 320),
    roles text[] not null
        constraint users_roles check (are_roles(roles)),
    tailscale_id text,
    created_at timestamptz not null default now(),
    disabled_at timestamptz
);
comment on column users.email is 'Seed: optional, for operators without a network.';

create table zones (
    id uuid primary key,
    slug slug not null unique,
    name name_text not null,
    hazard_level hazard_level not null,
    requires_ppe boolean not null default false,
    unifi_door_ids text[] not null default '{}',
    aliases text[] not null default '{}'
);
comment on column zones.hazard_level is
    'Seed: high forces dual confirmation and presence on the policies of the zone.';

create table zone_presences (
    id uuid primary key,
    zone_id uuid not null references zones,
    user_id uuid not null references users,
    source presence_source not null,
    status presence_status not null,
    observed_at timestamptz not null
        constraint zone_presences_not_from_the_future
        check (observed_at <= clock_timestamp() + interval '1 minute')
);
create index zone_presences_latest on zone_presences (zone_id, user_id, observed_at desc);
comment on column zone_presences.observed_at is
    'Seed: counts for hazard workflows only within access_policies.presence_ttl; '
    'one minute is allowed for clocks that differ.';

create table access_policies (
    id uuid primary key,
    name name_text not null,
    zone_id uuid not null references zones,
    required_roles text[] not null
        constraint access_policies_required_roles check (are_roles(required_roles)),
    requires_dual_confirm boolean not null default false,
    requires_presence boolean not null default false,
    pqe_checks json_map not null default '{}',
    version integer not null default 1,
    presence_ttl interval not null default '15 minutes'
        constraint access_policies_presence_ttl check (presence_ttl > interval '0'),
    active boolean not null default true
);
create unique index access_policies_one_active on access_policies (zone_id) where active;
comment on index access_policies_one_active is 'Seed: per-zone association, so one answer per zone.';

-- Seed: dual confirmation and presence are enforced by themselves where the hazard is high.
create function access_policies_guard() returns trigger language plpgsql as $$
begin
    if exists (select from zones where id = new.zone_id and hazard_level = 'high') then
        new.requires_dual_confirm := true;
        new.requires_presence := true;
    end if;
    new.version := 1;
    if tg_op = 'UPDATE' then
        new.version := old.version;
        if new is distinct from old then
            new.version := old.version + 1;
        end if;
    end if;
    return new;
end $$;
create trigger access_policies_guard before insert or update on access_policies
    for each row execute function access_policies_guard();
comment on column access_policies.version is 'Rises with every change; signatures bind to it.';

create function zones_raise_policies() returns trigger language plpgsql as $$
begin
    update access_policies set requires_dual_confirm = true, requires_presence = true
    where zone_id = new.id and not (requires_dual_confirm and requires_presence);
    return null;
end $$;
create trigger zones_raise_policies after update of hazard_level on zones
    for each row when (new.hazard_level = 'high')
    execute function zones_raise_policies();
