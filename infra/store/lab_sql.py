"""The statements of an import: one per table, each row of `rows` (JSON) written or left alone.

They return one row per row written: whether it is new.
"""

from typing import Final, LiteralString

PEOPLE: Final[LiteralString] = """
insert into users as t (id, handle, display_name, email, roles, created_at)
select r.id, r.handle, r.display_name, r.email, r.roles, %(now)s
from jsonb_to_recordset(%(rows)s)
    as r (id uuid, handle text, display_name text, email text, roles text[])
on conflict (handle) do update
    set display_name = excluded.display_name, roles = excluded.roles,
        email = coalesce(excluded.email, t.email)
    where (t.display_name, t.email) is distinct from
          (excluded.display_name, coalesce(excluded.email, t.email))
       or not (t.roles @> excluded.roles and t.roles <@ excluded.roles)
returning t.xmax = 0
"""

KEYS: Final[LiteralString] = """
insert into public_keys as t (id, user_id, algorithm, spki, label, created_at)
select r.id, r.user_id, r.algorithm, decode(r.spki, 'hex'), r.label, %(now)s
from jsonb_to_recordset(%(rows)s)
    as r (id text, user_id uuid, algorithm text, spki text, label text)
on conflict (id) do update set label = excluded.label where t.label <> excluded.label
returning t.xmax = 0
"""

TOKENS: Final[LiteralString] = """
insert into api_tokens as t (id, user_id, token_sha256, label, created_at)
select r.id, r.user_id, r.token_sha256, 'lab file', %(now)s
from jsonb_to_recordset(%(rows)s) as r (id uuid, user_id uuid, token_sha256 text)
on conflict (token_sha256) do nothing
returning true
"""

ZONES: Final[LiteralString] = """
insert into zones as t (id, slug, name, aliases, hazard_level, requires_ppe, unifi_door_ids)
select r.id, r.slug, r.name, r.aliases, r.hazard_level, r.requires_ppe, r.unifi_door_ids
from jsonb_to_recordset(%(rows)s)
    as r (id uuid, slug text, name text, aliases text[], hazard_level text, requires_ppe boolean,
          unifi_door_ids text[])
on conflict (slug) do update
    set name = excluded.name, aliases = excluded.aliases, hazard_level = excluded.hazard_level,
        requires_ppe = excluded.requires_ppe, unifi_door_ids = excluded.unifi_door_ids
    where (t.name, t.aliases, t.hazard_level, t.requires_ppe, t.unifi_door_ids)
        is distinct from (excluded.name, excluded.aliases, excluded.hazard_level,
                          excluded.requires_ppe, excluded.unifi_door_ids)
returning t.xmax = 0
"""

POLICIES: Final[LiteralString] = """
insert into access_policies as t (id, name, zone_id, required_roles, requires_dual_confirm,
                                  requires_presence, pqe_checks, presence_ttl, time_zone,
                                  time_windows, max_requests, max_requests_period, max_pending,
                                  taint)
select r.id, r.name, r.zone_id, r.required_roles, r.requires_dual_confirm, r.requires_presence,
       r.pqe_checks, r.presence_ttl, r.time_zone, r.time_windows, r.max_requests,
       r.max_requests_period, r.max_pending, r.taint
from jsonb_to_recordset(%(rows)s)
    as r (id uuid, name text, zone_id uuid, required_roles text[], requires_dual_confirm boolean,
          requires_presence boolean, pqe_checks jsonb, presence_ttl interval, time_zone text,
          time_windows jsonb, max_requests integer, max_requests_period interval,
          max_pending integer, taint text)
on conflict (id) do update
    set name = excluded.name, required_roles = excluded.required_roles,
        requires_dual_confirm = excluded.requires_dual_confirm,
        requires_presence = excluded.requires_presence, pqe_checks = excluded.pqe_checks,
        presence_ttl = excluded.presence_ttl, time_zone = excluded.time_zone,
        time_windows = excluded.time_windows, max_requests = excluded.max_requests,
        max_requests_period = excluded.max_requests_period, max_pending = excluded.max_pending,
        taint = excluded.taint, active = true
    where (t.name, t.requires_dual_confirm, t.requires_presence, t.pqe_checks, t.presence_ttl,
           t.time_zone, t.time_windows, t.max_requests, t.max_requests_period, t.max_pending,
           t.taint, t.active)
        is distinct from (excluded.name, excluded.requires_dual_confirm,
                          excluded.requires_presence, excluded.pqe_checks, excluded.presence_ttl,
                          excluded.time_zone, excluded.time_windows, excluded.max_requests,
                          excluded.max_requests_period, excluded.max_pending, excluded.taint,
                          true)
       or not (t.required_roles @> excluded.required_roles
               and t.required_roles <@ excluded.required_roles)
returning t.xmax = 0
"""

DEVICES: Final[LiteralString] = """
insert into devices as t (id, integration, external_id, name, aliases, kind, zone_id,
                          capabilities, silent_after)
select r.id, r.integration, r.external_id, r.name, r.aliases, r.kind, r.zone_id, r.capabilities,
       r.silent_after
from jsonb_to_recordset(%(rows)s)
    as r (id uuid, integration text, external_id text, name text, aliases text[], kind text,
          zone_id uuid, capabilities jsonb, silent_after interval)
on conflict (integration, external_id) do update
    set name = excluded.name, aliases = excluded.aliases, kind = excluded.kind,
        zone_id = excluded.zone_id, capabilities = excluded.capabilities,
        silent_after = excluded.silent_after
    where (t.name, t.aliases, t.kind, t.zone_id, t.capabilities, t.silent_after)
        is distinct from (excluded.name, excluded.aliases, excluded.kind, excluded.zone_id,
                          excluded.capabilities, excluded.silent_after)
returning t.xmax = 0
"""

JOBS: Final[LiteralString] = """
insert into fabrication_jobs as t (id, name, gcode_path, gcode_sha256, requested_by,
                                   estimated_seconds, material, metadata, created_at)
select r.id, r.name, r.gcode_path, r.gcode_sha256, r.requested_by, r.estimated_seconds,
       r.material, r.metadata, %(now)s
from jsonb_to_recordset(%(rows)s)
    as r (id uuid, name text, gcode_path text, gcode_sha256 text, requested_by uuid,
          estimated_seconds integer, material text, metadata jsonb)
on conflict (id) do update
    set gcode_path = excluded.gcode_path, gcode_sha256 = excluded.gcode_sha256,
        requested_by = excluded.requested_by, estimated_seconds = excluded.estimated_seconds,
        material = excluded.material, metadata = t.metadata || excluded.metadata
    where t.status = 'preparing'
      and (t.gcode_path, t.gcode_sha256, t.requested_by, t.estimated_seconds, t.material,
           t.metadata)
        is distinct from (excluded.gcode_path, excluded.gcode_sha256, excluded.requested_by,
                          excluded.estimated_seconds, excluded.material,
                          t.metadata || excluded.metadata)
returning t.xmax = 0
"""

FOREIGN_KEYS: Final[LiteralString] = """
select new.handle, old.handle
from jsonb_to_recordset(%(rows)s) as r (id text, user_id uuid)
join public_keys k on k.id = r.id and k.user_id <> r.user_id
join users new on new.id = r.user_id
join users old on old.id = k.user_id
limit 1
"""

FOREIGN_TOKENS: Final[LiteralString] = """
select new.handle, old.handle
from jsonb_to_recordset(%(rows)s) as r (token_sha256 text, user_id uuid)
join api_tokens k on k.token_sha256 = r.token_sha256 and k.user_id <> r.user_id
join users new on new.id = r.user_id
join users old on old.id = k.user_id
limit 1
"""

ACTIVE_POLICIES: Final[LiteralString] = """
select z.slug, p.id from access_policies p join zones z on z.id = p.zone_id where p.active
"""

OTHER_TOKENS: Final[LiteralString] = """
select u.handle from api_tokens t join users u on u.id = t.user_id
where t.label = %(label)s and t.revoked_at is null and not t.token_sha256 = any(%(kept)s)
order by u.handle
"""
