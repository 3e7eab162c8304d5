-- Designs, prints, and what the cameras saw of them.

create table cad_jobs (
    id uuid primary key,
    conversation_id uuid references conversation_sessions on delete set null,
    prompt text not null
        constraint cad_jobs_prompt_length check (btrim(prompt) <> '' and length(prompt) <= 20000),
    policy_mode cad_policy_mode not null,
    status cad_job_status not null default 'queued',
    created_at timestamptz not null default now(),
    completed_at timestamptz,
    error text,
    fallback_provider cad_provider,
    constraint cad_jobs_completed_at
        check ((completed_at is not null) = (status in ('completed', 'failed'))),
    constraint cad_jobs_offline_fallback
        check (policy_mode <> 'offline' or status <> 'completed' or fallback_provider is not null)
);
create index cad_jobs_conversation on cad_jobs (conversation_id);
create index cad_jobs_newest on cad_jobs (created_at desc);
comment on constraint cad_jobs_offline_fallback on cad_jobs is
    'Seed: offline jobs need the fallback pipeline and log which one they used.';

create table cad_artifacts (
    id uuid primary key,
    cad_job_id uuid not null references cad_jobs,
    provider cad_provider not null,
    artifact_key object_key not null unique,
    artifact_type artifact_type not null,
    metadata json_map not null
        constraint cad_artifacts_metadata
        check (metadata ?& array['bounding_box', 'material_hints', 'generation_params']),
    quality_score double precision
        constraint cad_artifacts_quality
        check (quality_score > '-infinity' and quality_score < 'infinity')
);
create index cad_artifacts_job on cad_artifacts (cad_job_id);
comment on constraint cad_artifacts_metadata on cad_artifacts is
    'Seed: metadata includes bounding box, material hints and generation parameters.';

create table fabrication_jobs (
    id uuid primary key,
    device_id uuid references devices,
    cad_artifact_id uuid references cad_artifacts,
    name name_text not null,
    gcode_path object_key not null,
    gcode_sha256 sha256_hex,
    status fabrication_status not null default 'preparing',
    started_at timestamptz,
    completed_at timestamptz,
    requested_by uuid not null references users,
    estimated_seconds integer
        constraint fabrication_jobs_estimate check (estimated_seconds >= 0),
    material text,
    metadata json_map not null default '{}'
        constraint fabrication_jobs_hazardous_material
        check (jsonb_typeof(metadata -> 'hazardous_material') = 'boolean'),
    created_at timestamptz not null default now(),
    progress real not null default 0
        constraint fabrication_jobs_progress check (progress between 0 and 1),
    error text,
    constraint fabrication_jobs_device check (
        device_id is not null or status = 'preparing'
        or (status in ('failed', 'aborted') and started_at is null)
    ),
    constraint fabrication_jobs_started_at check (
        case
            when status = 'preparing' then started_at is null
            when status in ('printing', 'paused', 'completed') then started_at is not null
            else true
        end
    ),
    constraint fabrication_jobs_completed_at
        check ((completed_at is not null) = (status in ('completed', 'failed', 'aborted'))),
    constraint fabrication_jobs_order check (completed_at >= started_at)
);
create index fabrication_jobs_device_idx on fabrication_jobs (device_id);
create index fabrication_jobs_newest on fabrication_jobs (created_at desc);
comment on column fabrication_jobs.gcode_path is 'Seed: points to an object of the artifact store.';
comment on constraint fabrication_jobs_device on fabrication_jobs is
    'A job has its printer from the moment it starts; one that never started may never get one.';
comment on constraint fabrication_jobs_hazardous_material on fabrication_jobs is
    'Seed: hazardous materials are flagged via metadata.';

create trigger fabrication_jobs_started before update on fabrication_jobs
    for each row when (
        old.status <> 'preparing'
        and (old.device_id, old.gcode_path, old.gcode_sha256, old.started_at)
            is distinct from (new.device_id, new.gcode_path, new.gcode_sha256, new.started_at)
    ) execute function refuse(
        'fabrication_jobs_started',
        'printer, file and start of a job cannot be changed once it has started');

create table print_monitor_events (
    id uuid primary key,
    fabrication_job_id uuid not null references fabrication_jobs,
    event_type print_event_type not null,
    confidence double precision not null
        constraint print_monitor_events_confidence check (confidence between 0 and 1),
    snapshot_key object_key,
    occurred_at timestamptz not null,
    constraint print_monitor_events_snapshot check (
        event_type not in ('spaghetti_detected', 'nozzle_clog') or snapshot_key is not null)
);
create index print_monitor_events_job on print_monitor_events (fabrication_job_id, occurred_at);
comment on constraint print_monitor_events_snapshot on print_monitor_events is
    'Seed: the snapshot is mandatory for failure states.';

insert into state_transitions (machine, from_state, to_state) values
    ('cad_jobs', '', 'queued'),
    ('cad_jobs', 'queued', 'running'),
    ('cad_jobs', 'running', 'completed'),
    ('cad_jobs', 'running', 'failed'),
    ('fabrication_jobs', '', 'preparing'),
    ('fabrication_jobs', 'preparing', 'printing'),
    ('fabrication_jobs', 'preparing', 'failed'),
    ('fabrication_jobs', 'preparing', 'aborted'),
    ('fabrication_jobs', 'printing', 'paused'),
    ('fabrication_jobs', 'printing', 'completed'),
    ('fabrication_jobs', 'printing', 'failed'),
    ('fabrication_jobs', 'printing', 'aborted'),
    ('fabrication_jobs', 'paused', 'printing'),
    ('fabrication_jobs', 'paused', 'failed'),
    ('fabrication_jobs', 'paused', 'aborted');
create trigger cad_jobs_1_start before insert on cad_jobs
    for each row execute function enforce_transition();
create trigger cad_jobs_1_transition before update on cad_jobs
    for each row when (old.status is distinct from new.status)
    execute function enforce_transition();
create trigger fabrication_jobs_1_start before insert on fabrication_jobs
    for each row execute function enforce_transition();
create trigger fabrication_jobs_1_transition before update on fabrication_jobs
    for each row when (old.status is distinct from new.status)
    execute function enforce_transition();
