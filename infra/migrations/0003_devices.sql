-- Machines, lights, doors, cameras, sensors, and the latest that each has said.

create table devices (
    id uuid primary key,
    integration text not null default 'mqtt'
        constraint devices_integration check (integration ~ '^[a-z0-9_-]{1,64}$'),
    external_id text not null
        constraint devices_external_id check (external_id ~ '^[^/+#[:cntrl:]]{1,200}$'),
    name name_text not null,
    aliases text[] not null default '{}',
    kind device_kind not null,
    zone_id uuid not null references zones,
    capabilities json_map not null
        constraint devices_capabilities_intents check (
            jsonb_typeof(capabilities -> 'intents') is not distinct from 'array'
            and not jsonb_path_exists(
                capabilities, 'strict $.intents[*] ? (@.type() != "string")', silent => true)
        ),
    online_state online_state not null default 'offline',
    last_seen timestamptz,
    state json_map not null default '{}'
        constraint devices_state_size check (octet_length(state::text) <= 65536),
    state_at timestamptz,
    fault text
        constraint devices_fault_length check (length(fault) <= 2000),
    silent_after interval not null default '90 seconds'
        constraint devices_silent_after check (silent_after > interval '0'),
    commanded jsonb not null default '[]'
        constraint devices_commanded check (
            case jsonb_typeof(commanded) when 'array' then
                jsonb_array_length(commanded) <= 64
                and not jsonb_path_exists(
                    commanded, 'strict $[*] ? (@.type() != "string")', silent => true)
            else false end
        ),
    constraint devices_external_id_unique unique (integration, external_id)
);
create index devices_zone on devices (zone_id);
comment on constraint devices_external_id_unique on devices is
    'Seed: external_id must be unique within its integration.';
comment on constraint devices_external_id on devices is
    'The id is one level of an MQTT topic.';
comment on constraint devices_capabilities_intents on devices is
    'Seed: capabilities enumerate the allowed intents.';
comment on column devices.commanded is 'Ids of the commands the device last said it carried out.';
