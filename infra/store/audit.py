"""The gate's log as evidence: read for checkpoints and for export."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final, LiteralString
from uuid import UUID

from psycopg import AsyncConnection, IsolationLevel
from psycopg.rows import TupleRow, scalar_row

from infra.db import StoreError, StorePool
from safety.audit.entries import genesis, sealed

AT_ONCE: Final = 2_000
"""Rows fetched, or hashes taken into the tree, in one go."""
_UNCHAINED_MAX: Final = 100
"""Entries without a place in the chain that an export lists; one is too many."""

_ENTRIES: Final[LiteralString] = """
select gate_log_entry(g, c.seq, c.prev_hash), c.hash, c.seq
from gate_log_chain c join gate_log g on g.seq = c.entry
where c.seq between %(first)s and %(last)s order by c.seq
"""
_UNCHAINED: Final[LiteralString] = """
select g.seq from gate_log g
where not exists (select from gate_log_chain c where c.entry = g.seq)
order by g.seq limit %(limit)s
"""


class NoLogError(StoreError):
    """The database has no name for its log: somebody took it out."""

    code: ClassVar[str] = "audit_log_unnamed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The end of the chain."""

    log: UUID
    size: int
    """Number of the last entry."""
    hash: bytes


class AuditLog:
    """The chain, seen from one connection or a pool of them."""

    def __init__(self, pool: StorePool) -> None:
        self._pool = pool

    async def head(self) -> Head:
        """Return the end of the chain as it stands now."""
        async with self._pool.connection() as connection:
            return await head_of(connection)

    async def hashes(self, after: int, until: int) -> Sequence[bytes]:
        """Return the entries' hashes behind `after` up to `until`, AT_ONCE at most."""
        async with (
            self._pool.connection() as connection,
            connection.cursor(row_factory=scalar_row) as cursor,
        ):
            await cursor.execute(
                """select hash from gate_log_chain
                   where seq > %(after)s and seq <= %(until)s order by seq limit %(limit)s""",
                {"after": after, "until": until, "limit": AT_ONCE},
            )
            return await cursor.fetchall()

    async def first_since(self, since: datetime) -> int | None:
        """Return the number of the first entry that is not older; None if all are."""
        async with (
            self._pool.connection() as connection,
            connection.cursor(row_factory=scalar_row) as cursor,
        ):
            await cursor.execute(
                """select min(c.seq) from gate_log g join gate_log_chain c on c.entry = g.seq
                   where g.at >= %(since)s""",
                {"since": since},
            )
            found: int | None = await cursor.fetchone()
            return found

    async def lines(self, first: int, last: int) -> AsyncIterator[tuple[int, bytes]]:
        """Yield entries, as the database holds them now, with their numbers."""
        async with self._pool.connection() as connection:
            async for row in _stream(connection, _ENTRIES, {"first": first, "last": last}):
                entry, digest, number = row
                yield number, sealed(entry, digest)

    async def unchained(self) -> Sequence[int]:
        """Return the row numbers of entries that are not in the chain, the first hundred."""
        async with (
            self._pool.connection() as connection,
            connection.cursor(row_factory=scalar_row) as cursor,
        ):
            await cursor.execute(_UNCHAINED, {"limit": _UNCHAINED_MAX})
            return await cursor.fetchall()


async def head_of(connection: AsyncConnection[TupleRow]) -> Head:
    """Return the end of the chain that this connection sees."""
    cursor = await connection.execute(
        """select i.id, c.seq, c.hash from gate_log_identity i
           left join lateral (select seq, hash from gate_log_chain order by seq desc limit 1) c
           on true"""
    )
    row = await cursor.fetchone()
    if row is None:
        raise NoLogError("the gate's log has lost its name (gate_log_identity): see docs/audit.md")
    log, size, digest = row
    return Head(log=log, size=size or 0, hash=genesis(log) if digest is None else digest)


async def _stream(
    connection: AsyncConnection[TupleRow], query: LiteralString, values: dict[str, Any]
) -> AsyncIterator[TupleRow]:
    """Yield rows without holding more than AT_ONCE of them; all are of one moment."""
    await connection.set_isolation_level(IsolationLevel.REPEATABLE_READ)
    try:
        async with (
            connection.transaction(),
            connection.cursor(name="audit") as cursor,
        ):
            cursor.itersize = AT_ONCE
            await cursor.execute(query, values)
            async for row in cursor:
                yield row
    finally:
        await connection.set_isolation_level(None)
