"""Who is calling: bearer tokens, web sessions, enrolment links.

The store keeps SHA-256 of every secret, never the secret.
"""

import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, LiteralString

from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row

from infra import ids
from infra.db import StorePool
from infra.store import people_sql as sql
from infra.store.people_records import PeopleError
from infra.store.rows import user_of
from safety.entities import User, UserId

CACHED_FOR: Final = timedelta(seconds=30)
"""How long another process's change may go unnoticed; our own are noticed at once."""
SESSION_TTL: Final = timedelta(hours=12)
LINK_TTL: Final = timedelta(hours=24)
MAX_CACHED: Final = 10_000
MAX_SECRET: Final = 200
"""Characters of a token; longer ones are refused unseen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    user: User
    since: datetime
    until: datetime


class Connected:
    """One connection of the pool whose rows are mappings."""

    def __init__(self, connection: AsyncConnection[Any]) -> None:
        self._connection = connection

    async def one(self, statement: LiteralString, values: Mapping[str, Any]) -> DictRow | None:
        """Run a statement; return its first row."""
        async with self._connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(statement, values)
            return None if cursor.description is None else await cursor.fetchone()

    async def every(self, statement: LiteralString, values: Mapping[str, Any]) -> list[DictRow]:
        """Run a query; return its rows."""
        async with self._connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(statement, values)
            return await cursor.fetchall()


def digest_of(secret: str) -> str:
    """Return what the store keeps of a secret: SHA-256, hex."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()


def unknown_user() -> PeopleError:
    """Say that there is no such person, or no more."""
    return PeopleError(
        "unknown_user", "there is no such person, or they are disabled; see `kitt users`"
    )


class Entry:
    """Who may come in."""

    def __init__(self, pool: StorePool) -> None:
        self._pool = pool
        self._known: dict[str, _Known] = {}
        self._changes = 0

    async def by_token(self, token: str, now: datetime) -> User | None:
        """Return whose bearer token this is; None if unknown, expired, revoked or disabled."""
        return await self._by_secret("token", sql.BY_TOKEN, token, now)

    async def by_session(self, token: str, now: datetime) -> User | None:
        """Return whose web session this is; None if unknown, over, closed or disabled."""
        return await self._by_secret("session", sql.BY_SESSION, token, now)

    async def open_session(
        self, user: UserId, now: datetime, ttl: timedelta = SESSION_TTL, *, by_link: bool = False
    ) -> str:
        """Return the token of a new web session; its text is kept nowhere.

        `by_link`: a one-time link opened it (see infra.store.credentials).
        """
        return await self._issue("session", sql.OPEN_SESSION, user, now, ttl, by_link=by_link)

    async def close_session(self, token: str, now: datetime) -> bool:
        """End a web session; tell whether it was open."""
        if len(token) > MAX_SECRET:
            return False
        async with self._changing() as store:
            values = {"digest": digest_of(token), "now": now}
            return await store.one(sql.CLOSE_SESSION, values) is not None

    async def enrolment_link(self, user: UserId, now: datetime, ttl: timedelta = LINK_TTL) -> str:
        """Return a token that lets this person in once; its text is kept nowhere."""
        return await self._issue("enrol", sql.OPEN_LINK, user, now, ttl)

    async def redeem(self, token: str, now: datetime) -> User | None:
        """Use an enrolment link up; None if it is unknown, used, expired or its user disabled."""
        if len(token) > MAX_SECRET:
            return None
        async with self._store() as store:
            row = await store.one(sql.REDEEM, {"digest": digest_of(token), "now": now})
        return None if row is None else user_of(row)

    async def _issue(
        self,
        kind: str,
        statement: LiteralString,
        user: UserId,
        now: datetime,
        ttl: timedelta,
        **more: bool,
    ) -> str:
        token = ids.secret(kind)
        values = {"digest": digest_of(token), "user": user, "now": now, "expires": now + ttl}
        values |= more
        async with self._store() as store:
            if await store.one(statement, values) is None:
                raise unknown_user()
        return token

    async def _by_secret(
        self, kind: str, statement: LiteralString, token: str, now: datetime
    ) -> User | None:
        if not 0 < len(token) <= MAX_SECRET:
            return None
        digest = digest_of(token)
        known = self._known.get(f"{kind}:{digest}")
        if known and now < known.until and known.since <= now < known.since + CACHED_FOR:
            return known.user
        changes = self._changes
        async with self._store() as store:
            row = await store.one(statement, {"digest": digest, "now": now})
        if row is None:
            return None
        user = user_of(row)
        if changes == self._changes:  # else a revocation may have overtaken the answer
            if len(self._known) >= MAX_CACHED:
                self._known.clear()
            until = row["expires_at"] or now + CACHED_FOR
            self._known[f"{kind}:{digest}"] = _Known(user=user, since=now, until=until)
        return user

    def forget(self) -> None:
        """Look everybody up afresh: something about people was changed elsewhere."""
        self._changes += 1
        self._known.clear()

    @asynccontextmanager
    async def _store(self) -> AsyncIterator[Connected]:
        async with self._pool.connection() as connection:
            yield Connected(connection)

    @asynccontextmanager
    async def _changing(self) -> AsyncIterator[Connected]:
        """Open a transaction that no other change of access runs beside."""
        try:
            async with self._pool.connection() as connection, connection.transaction():
                await connection.execute("select pg_advisory_xact_lock(%s)", (sql.ACCESS_LOCK,))
                yield Connected(connection)
        finally:
            self.forget()
