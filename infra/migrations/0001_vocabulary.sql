-- The words every table shares: closed sets of values, small checks, and the
-- two trigger functions that the rest of the schema is written with.

-- Closed sets are domains over text: the database refuses any other value, and
-- drivers see plain text in every protocol format, alone and in arrays.
create domain hazard_level as text
    constraint hazard_level_values check (value in ('low', 'medium', 'high'));
create domain action_hazard as text
    constraint action_hazard_values check (value in ('none', 'low', 'medium', 'high'));
create domain presence_source as text
    constraint presence_source_values check (value in ('unifi', 'manual', 'override'));
create domain presence_status as text
    constraint presence_status_values check (value in ('present', 'unknown', 'vacated'));
create domain device_kind as text
    constraint device_kind_values
    check (value in ('printer', 'camera', 'light', 'door', 'power', 'sensor'));
create domain online_state as text
    constraint online_state_values check (value in ('online', 'offline', 'fault'));
create domain command_status as text
    constraint command_status_values check (value in ('pending', 'sent', 'acked', 'failed'));
create domain effect_outcome as text
    constraint effect_outcome_values check (value in ('done', 'failed', 'unknown'));
create domain routing_tier as text
    constraint routing_tier_values check (value in ('local', 'mcp', 'frontier'));
create domain request_status as text
    constraint request_status_values check (value in ('accepted', 'finished', 'failed'));
create domain message_role as text
    constraint message_role_values check (value in ('user', 'assistant'));
create domain cad_policy_mode as text
    constraint cad_policy_mode_values check (value in ('online', 'offline'));
create domain cad_job_status as text
    constraint cad_job_status_values
    check (value in ('queued', 'running', 'completed', 'failed'));
create domain cad_provider as text
    constraint cad_provider_values
    check (value in ('zoo', 'tripo', 'cadquery', 'freecad', 'triposr', 'instantmesh'));
create domain artifact_type as text
    constraint artifact_type_values check (value in ('step', 'dxf', 'stl', 'obj', 'preview'));
create domain fabrication_status as text
    constraint fabrication_status_values
    check (value in ('preparing', 'printing', 'paused', 'completed', 'failed', 'aborted'));
create domain print_event_type as text
    constraint print_event_type_values
    check (value in ('first_layer_ok', 'spaghetti_detected', 'nozzle_clog', 'completed'));
create domain safety_event_type as text
    constraint safety_event_type_values
    check (value in ('hazard_request', 'unlock', 'power_enable', 'override'));
create domain safety_status as text
    constraint safety_status_values check (value in ('pending', 'approved', 'denied'));
create domain key_algorithm as text
    constraint key_algorithm_values check (value in ('ed25519', 'p256'));
create domain notification_channel as text
    constraint notification_channel_values check (value in ('push', 'email', 'slack', 'webhook'));
create domain notification_status as text
    constraint notification_status_values check (value in ('queued', 'sent', 'failed'));

create domain name_text as text
    constraint name_text_length check (btrim(value) <> '' and length(value) <= 200);
create domain slug as text
    constraint slug_form check (value ~ '^[a-z0-9][a-z0-9._-]{0,62}$');
create domain sha256_hex as text
    constraint sha256_hex_form check (value ~ '^[0-9a-f]{64}$');
create domain object_key as text
    constraint object_key_form
    check (length(value) between 1 and 1024 and value !~ '^/' and value !~ '(^|/)\.\.(/|$)');
create domain json_map as jsonb
    constraint json_map_form check (jsonb_typeof(value) = 'object');

-- An array of roles: text[] because drivers do not know arrays of domains.
create function are_roles(roles text[]) returns boolean
    language sql immutable parallel safe
    return cardinality(roles) >= 1
        and array_position(roles, null) is null
        and roles <@ array['operator', 'engineer', 'safety', 'admin'];
comment on function are_roles is
    'Seed, User and AccessPolicy: at least one role, only operator, engineer, safety, admin.';

-- Refuses whatever fired the trigger: (constraint name, message).
create function refuse() returns trigger language plpgsql as $$
begin
    raise exception using
        errcode = 'check_violation',
        schema = tg_table_schema,
        table = tg_table_name,
        constraint = tg_argv[0],
        message = tg_argv[1];
end $$;

-- The state machines, as data; from_state '' is a row that does not exist yet.
create table state_transitions (
    machine text not null,
    from_state text not null,
    to_state text not null,
    primary key (machine, from_state, to_state)
);
comment on table state_transitions is
    'Seed, State Transitions: every change of status that is allowed; all others are refused.';

-- Triggers run in order of name: `<table>_1_...` so that a forbidden transition is said first,
-- `<table>_z_...` for what looks at other tables.
create function enforce_transition() returns trigger language plpgsql as $$
declare
    was text := '';
begin
    if tg_op = 'UPDATE' then
        was := old.status;
    end if;
    if exists (
        select from state_transitions
        where machine = tg_table_name and from_state = was and to_state = new.status
    ) then
        return new;
    end if;
    raise exception using
        errcode = 'check_violation',
        schema = tg_table_schema,
        table = tg_table_name,
        column = 'status',
        constraint = tg_table_name || '_transition',
        message = case was
            when '' then format('a new row of %s cannot start as %L', tg_table_name, new.status)
            else format('a row of %s cannot go from %L to %L', tg_table_name, was, new.status)
        end;
end $$;
