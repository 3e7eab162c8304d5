"""The statements behind infra.store.people, and the lock that its changes share."""

from typing import Final, LiteralString

from infra.store.rows import KEY_COLUMNS, USER_COLUMNS

ACCESS_LOCK: Final = 7_272_742
"""Advisory lock of whatever could take the last admin away: one after the other."""

BY_TOKEN: Final[LiteralString] = (
    """
update api_tokens t set last_used_at = %(now)s
from users u
where t.token_sha256 = %(digest)s and u.id = t.user_id and u.disabled_at is null
  and t.revoked_at is null and (t.expires_at is null or t.expires_at > %(now)s)
returning t.expires_at, """
    + USER_COLUMNS
)

BY_SESSION: Final[LiteralString] = (
    "select s.expires_at, "
    + USER_COLUMNS
    + """
from web_sessions s join users u on u.id = s.user_id
where s.token_sha256 = %(digest)s and s.revoked_at is null and s.expires_at > %(now)s
  and u.disabled_at is null
"""
)

OPEN_SESSION: Final[LiteralString] = """
insert into web_sessions (token_sha256, user_id, created_at, expires_at, by_link)
select %(digest)s, id, %(now)s, %(expires)s, %(by_link)s from users
where id = %(user)s and disabled_at is null
returning user_id
"""

CLOSE_SESSION: Final[LiteralString] = """
update web_sessions set revoked_at = %(now)s
where token_sha256 = %(digest)s and revoked_at is null
returning user_id
"""

OPEN_LINK: Final[LiteralString] = """
insert into enrolment_links (token_sha256, user_id, created_at, expires_at)
select %(digest)s, id, %(now)s, %(expires)s from users
where id = %(user)s and disabled_at is null
returning user_id
"""

REDEEM: Final[LiteralString] = (
    """
update enrolment_links l set used_at = %(now)s
from users u
where l.token_sha256 = %(digest)s and l.used_at is null and l.expires_at > %(now)s
  and u.id = l.user_id and u.disabled_at is null
returning """
    + USER_COLUMNS
)

USERS: Final[LiteralString] = (
    "select u.created_at, u.disabled_at, " + USER_COLUMNS + " from users u order by u.handle"
)

BY_HANDLE: Final[LiteralString] = (
    "select " + USER_COLUMNS + " from users u where u.handle = %(handle)s and u.disabled_at is null"
)

CREATE_USER: Final[LiteralString] = """
insert into users (id, display_name, handle, email, roles, created_at)
values (%(id)s, %(display_name)s, %(handle)s, %(email)s, %(roles)s, %(now)s)
"""

SET_ROLES: Final[LiteralString] = (
    "update users u set roles = %(roles)s where u.id = %(user)s returning " + USER_COLUMNS
)

DISABLE: Final[LiteralString] = (
    """
update users u set disabled_at = coalesce(u.disabled_at, %(now)s) where u.id = %(user)s
returning """
    + USER_COLUMNS
)

ENABLE: Final[LiteralString] = (
    "update users u set disabled_at = null where u.id = %(user)s returning " + USER_COLUMNS
)

END_SESSIONS: Final[LiteralString] = """
update web_sessions set revoked_at = %(now)s where user_id = %(user)s and revoked_at is null
"""

LAST_ADMIN: Final[LiteralString] = """
select count(*) = 1 and bool_and(id = %(user)s) as last from users
where 'admin' = any(roles) and disabled_at is null
"""

KEYS: Final[LiteralString] = (
    "select "
    + KEY_COLUMNS
    + """
from public_keys k
where %(user)s::uuid is null or k.user_id = %(user)s
order by k.created_at, k.id
"""
)

ENROL_KEY: Final[LiteralString] = """
insert into public_keys (id, user_id, algorithm, spki, label, created_at)
select %(id)s, id, %(algorithm)s, %(spki)s, %(label)s, %(now)s from users
where id = %(user)s and disabled_at is null
on conflict (id) do nothing
returning id
"""

KEY: Final[LiteralString] = "select " + KEY_COLUMNS + " from public_keys k where k.id = %(id)s"

REVOKE_KEY: Final[LiteralString] = """
update public_keys set revoked_at = %(now)s where id = %(id)s and revoked_at is null returning id
"""

TOKENS: Final[LiteralString] = """
select id, user_id, label, created_at, expires_at, revoked_at, last_used_at from api_tokens
where %(user)s::uuid is null or user_id = %(user)s
order by created_at, id
"""

ISSUE_BEARER: Final[LiteralString] = """
insert into api_tokens (id, user_id, token_sha256, label, created_at, expires_at)
select %(id)s, id, %(digest)s, %(label)s, %(now)s, %(expires)s from users
where id = %(user)s and disabled_at is null
returning id, user_id, label, created_at, expires_at, revoked_at, last_used_at
"""

REVOKE_BEARER: Final[LiteralString] = """
update api_tokens set revoked_at = %(now)s where id = %(id)s and revoked_at is null returning id
"""
