"""The statements behind infra.store.credentials."""

from typing import Final, LiteralString

OPEN_CHALLENGE: Final[LiteralString] = """
with over as (delete from webauthn_challenges where expires_at < %(now)s)
insert into webauthn_challenges (challenge_sha256, user_id, created_at, expires_at)
select %(digest)s, id, %(now)s, %(expires)s from users
where id = %(user)s and disabled_at is null
returning user_id
"""

USE_CHALLENGE: Final[LiteralString] = """
update webauthn_challenges set used_at = %(now)s
where challenge_sha256 = %(digest)s and user_id = %(user)s and used_at is null
  and expires_at > %(now)s
returning user_id
"""

FRESH_LINK: Final[LiteralString] = """
select 1 from web_sessions
where token_sha256 = %(digest)s and user_id = %(user)s and by_link and revoked_at is null
  and expires_at > %(now)s and created_at > %(since)s
"""

HAS_HAD_KEYS: Final[LiteralString] = """
select 1 from public_keys where user_id = %(user)s
union all select 1 from webauthn_credentials where user_id = %(user)s
limit 1
"""

REGISTER: Final[LiteralString] = """
insert into webauthn_credentials (key_id, user_id, credential_id, algorithm, spki, rp_id, label,
    aaguid, sign_count, synced, backed_up, transports, created_at)
select %(id)s, id, %(credential)s, %(algorithm)s, %(spki)s, %(rp_id)s, %(label)s, %(aaguid)s,
    %(sign_count)s, %(synced)s, %(backed_up)s, %(transports)s, %(now)s
from users where id = %(user)s and disabled_at is null
    and not exists (select from public_keys where id = %(id)s)
on conflict do nothing
returning key_id
"""

CONFIRM: Final[LiteralString] = """
update webauthn_credentials c set confirmed_at = %(now)s, confirmed_by = %(by)s::uuid
from users u
where c.key_id = %(id)s and c.confirmed_at is null and c.refused_at is null
  and u.id = c.user_id and u.disabled_at is null
  and not exists (select from public_keys k where k.id = c.key_id)
returning c.key_id
"""

ADMIT: Final[LiteralString] = """
insert into public_keys (id, user_id, algorithm, spki, label, created_at, kind, rp_id, synced,
    sign_count)
select key_id, user_id, algorithm, spki, label, %(now)s, 'webauthn', rp_id, synced, sign_count
from webauthn_credentials where key_id = %(id)s
returning id
"""

REFUSE: Final[LiteralString] = """
update webauthn_credentials set refused_at = %(now)s
where key_id = %(id)s and confirmed_at is null and refused_at is null
returning key_id
"""

RENAME: Final[LiteralString] = """
with credential as (
    update webauthn_credentials set label = %(label)s where key_id = %(id)s returning key_id),
key as (
    update public_keys set label = %(label)s where id = %(id)s returning id)
select key_id from credential union select id from key
"""

NAMED: Final[LiteralString] = """
select key_id from webauthn_credentials where credential_id = %(credential)s
"""

OTHER_ADMINS: Final[LiteralString] = """
select 1 from users where 'admin' = any(roles) and disabled_at is null and id <> %(user)s limit 1
"""

LIST: Final[LiteralString] = """
select coalesce(k.id, c.key_id) as id, u.id as user_id, u.handle, u.display_name,
       coalesce(k.kind, 'webauthn') as kind, coalesce(k.algorithm, c.algorithm) as algorithm,
       coalesce(k.label, c.label) as label, coalesce(c.created_at, k.created_at) as created_at,
       k.revoked_at, c.refused_at, k.id is null and c.refused_at is null as waits,
       c.credential_id, c.rp_id, c.aaguid, coalesce(c.synced, false) as synced,
       coalesce(c.backed_up, false) as backed_up, coalesce(c.transports, '{}') as transports,
       (select a.display_name from users a where a.id = c.confirmed_by) as confirmed_by,
       (select max(s.signed_at) from safety_signatures s where s.key_id = k.id) as last_used
from public_keys k full join webauthn_credentials c on c.key_id = k.id
join users u on u.id = coalesce(k.user_id, c.user_id)
where (%(user)s::uuid is null or u.id = %(user)s)
  and (%(id)s::text is null or coalesce(k.id, c.key_id) = %(id)s)
order by u.handle, created_at, id
"""
