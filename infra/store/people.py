"""People: who they are, what they are trusted with, their keys and their tokens.

Changes that could take the last admin away are made one after the other.
"""

import re
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, Final, LiteralString
from uuid import UUID

import psycopg

from infra import ids
from infra.store import people_sql as sql
from infra.store.credentials import MAX_PER_PERSON, Credentials
from infra.store.entry import LINK_TTL, SESSION_TTL, Connected, digest_of, unknown_user
from infra.store.people_records import (
    Account,
    ApiToken,
    EnrolmentOffer,
    NewToken,
    PeopleError,
    checked_label,
    spki_of,
)
from infra.store.rows import Row, key_of, user_of
from safety.entities import InvalidEntityError, PublicKey, Role, User, UserId
from safety.signatures import algorithm_of, key_id

__all__ = ["LINK_TTL", "SESSION_TTL", "People", "PeopleError"]

FIRST_HANDLE: Final = "admin"
_HANDLE: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


class People(Credentials):
    """Users with roles, public keys and bearer tokens."""

    async def first_start(self, now: datetime, ttl: timedelta = LINK_TTL) -> EnrolmentOffer | None:
        """Make the first admin and their enrolment token if there is nobody at all."""
        async with self._changing() as store:
            if await store.one("select 1 from users limit 1", {}) is not None:
                return None
            user = _new_user(FIRST_HANDLE, "Admin", {Role.ADMIN}, None)
            await _insert(store, user, now)
            token = ids.secret("enrol")
            values = {"digest": digest_of(token), "user": user.id, "now": now}
            await store.one(sql.OPEN_LINK, {**values, "expires": now + ttl})
        return EnrolmentOffer(token=token, user=user, expires_at=now + ttl)

    async def users(self) -> list[Account]:
        """Return everybody, also the disabled, by handle."""
        async with self._store() as store:
            rows = await store.every(sql.USERS, {})
        return [
            Account(user=user_of(row), created_at=row["created_at"], disabled_at=row["disabled_at"])
            for row in rows
        ]

    async def by_handle(self, handle: str) -> User | None:
        """Return the person of a handle; None if unknown or disabled."""
        if not _HANDLE.fullmatch(handle):
            return None
        async with self._store() as store:
            row = await store.one(sql.BY_HANDLE, {"handle": handle})
        return None if row is None else user_of(row)

    async def create(
        self,
        *,
        handle: str,
        display_name: str,
        roles: Collection[Role],
        now: datetime,
        email: str | None = None,
    ) -> User:
        """Add a person with at least one role."""
        user = _new_user(handle, display_name, roles, email)
        async with self._changing() as store:
            await _insert(store, user, now)
        return user

    async def set_roles(self, user: UserId, roles: Collection[Role]) -> User:
        """Replace what a person is trusted with."""
        if not roles:
            raise PeopleError("no_roles", "a person needs at least one role")
        async with self._changing() as store:
            if Role.ADMIN not in roles:
                await _refuse_last_admin(store, user, "lose the role of admin")
            return _user(await store.one(sql.SET_ROLES, {"user": user, "roles": sorted(roles)}))

    async def disable(self, user: UserId, now: datetime) -> User:
        """Keep a person out: tokens, sessions, links and signatures are refused from now on."""
        async with self._changing() as store:
            await _refuse_last_admin(store, user, "be disabled")
            await store.one(sql.END_SESSIONS, {"user": user, "now": now})
            return _user(await store.one(sql.DISABLE, {"user": user, "now": now}))

    async def enable(self, user: UserId) -> User:
        """Let a disabled person in again; their sessions stay closed."""
        async with self._changing() as store:
            return _user(await store.one(sql.ENABLE, {"user": user}))

    async def keys(self, user: UserId | None = None) -> list[PublicKey]:
        """Return the public keys of a person, or all; revoked ones too."""
        async with self._store() as store:
            return [key_of(row) for row in await store.every(sql.KEYS, {"user": user})]

    async def enrol_key(self, user: UserId, key: str, label: str, now: datetime) -> PublicKey:
        """Add a person's public key (PEM, or base64 of its SPKI); twice is once."""
        spki = spki_of(key)
        row = {
            "id": key_id(spki),
            "user": user,
            "algorithm": algorithm_of(spki),
            "spki": spki,
            "label": checked_label(label),
            "now": now,
        }
        async with self._changing() as store:
            await _refuse_too_many(store, sql.KEYS, user, "public keys")
            added = await store.one(sql.ENROL_KEY, row)
            found = await store.one(sql.KEY, {"id": row["id"]})
            if found is None:
                raise unknown_user()
            known = key_of(found)
            if added is None:
                _refuse_other(known, user)
            return known

    async def tokens(self, user: UserId | None = None) -> list[ApiToken]:
        """Return the bearer tokens of a person, or all, without their text; revoked ones too."""
        async with self._store() as store:
            return [_token(row) for row in await store.every(sql.TOKENS, {"user": user})]

    async def create_token(
        self, user: UserId, label: str, now: datetime, expires_at: datetime | None = None
    ) -> NewToken:
        """Make a bearer token; this is the only time its text is known."""
        if expires_at is not None and expires_at <= now:
            raise PeopleError("already_over", "a token must expire later than now")
        text = ids.secret("token")
        values = {
            "id": ids.uuid7(),
            "user": user,
            "digest": digest_of(text),
            "label": checked_label(label),
            "now": now,
            "expires": expires_at,
        }
        async with self._changing() as store:
            await _refuse_too_many(store, sql.TOKENS, user, "tokens")
            row = await store.one(sql.ISSUE_BEARER, values)
        if row is None:
            raise unknown_user()
        return NewToken(text=text, token=_token(row))

    async def revoke_token(self, token: UUID, now: datetime) -> bool:
        """Refuse a bearer token from now on; tell whether it was in use."""
        return await self._revoke(sql.REVOKE_BEARER, token, now)

    async def _revoke(self, statement: LiteralString, what: UUID, now: datetime) -> bool:
        async with self._changing() as store:
            return await store.one(statement, {"id": what, "now": now}) is not None


def _new_user(handle: str, display_name: str, roles: Collection[Role], email: str | None) -> User:
    if not _HANDLE.fullmatch(handle):
        raise PeopleError(
            "bad_handle",
            f"{handle[:80]!r} cannot be a handle: use 1 to 63 lower-case letters, digits, dots, "
            "hyphens and underscores, a letter or digit first",
        )
    try:
        return User(
            id=UserId(ids.uuid7()),
            handle=handle,
            display_name=display_name,
            roles=frozenset(roles),
            email=email,
        )
    except InvalidEntityError as error:
        raise PeopleError("no_roles" if not roles else "bad_name", str(error)) from None


async def _insert(store: Connected, user: User, now: datetime) -> None:
    values = {
        "id": user.id,
        "display_name": user.display_name,
        "handle": user.handle,
        "email": user.email,
        "roles": sorted(user.roles),
        "now": now,
    }
    try:
        await store.one(sql.CREATE_USER, values)
    except psycopg.errors.UniqueViolation:
        raise PeopleError(
            "handle_taken", f"there is already somebody called {user.handle!r}; choose another"
        ) from None
    except (psycopg.errors.CheckViolation, psycopg.DataError) as error:
        raise PeopleError("bad_name", f"the store refuses {user.handle!r}: {error}") from None


async def _refuse_last_admin(store: Connected, user: UserId, what: str) -> None:
    row = await store.one(sql.LAST_ADMIN, {"user": user})
    if row is not None and row["last"]:
        raise PeopleError(
            "last_admin", f"the last admin cannot {what}; make somebody else admin first"
        )


async def _refuse_too_many(store: Connected, query: LiteralString, user: UserId, what: str) -> None:
    live = [row for row in await store.every(query, {"user": user}) if not row["revoked_at"]]
    if len(live) >= MAX_PER_PERSON:
        raise PeopleError(
            "too_many", f"a person has at most {MAX_PER_PERSON} {what}; revoke one first"
        )


def _refuse_other(key: PublicKey, user: UserId) -> None:
    if key.user != user:
        raise PeopleError("key_taken", "this key belongs to somebody else; make one of your own")
    if key.revoked_at is not None:
        raise PeopleError("key_revoked", "this key was revoked, for good; make a new one")


def _user(row: Row | None) -> User:
    if row is None:
        raise unknown_user()
    return user_of(row)


def _token(row: Row) -> ApiToken:
    plain: dict[str, Any] = {name: value for name, value in row.items() if name != "user_id"}
    return ApiToken(user=UserId(row["user_id"]), **plain)
