"""Forget what has outlived its use; keep what the audit rests on.

A conversation that nobody has touched for its time to live goes, with its messages and requests.
Its commands, safety events, routing decisions and CAD jobs stay; they lose the link to it and
keep their request and correlation ids.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from infra.db import StorePool

CONVERSATIONS_AT_ONCE: Final = 200
TELEMETRY_AT_ONCE: Final = 5_000
"""Rows in one transaction: small enough that nobody waits long behind it."""

_IDLE: Final = """
select id from conversation_sessions
where last_message_at < %(before)s and not (id = any (%(kept)s))
order by last_message_at
limit %(limit)s
for update skip locked
"""
# A statement of its own, after the lock: it sees an event that came in just before.
_FORGET: Final = """
delete from conversation_sessions as s
where s.id = any (%(ids)s)
    and s.last_message_at < %(before)s
    and not exists (
        select from safety_events as e
        where e.conversation_id = s.id and e.resolved_at is null and e.consumed_at is null)
    and not exists (
        select from device_commands as c where c.conversation_id = s.id and c.closed_at is null)
returning s.id
"""
_DROP_TELEMETRY: Final = """
delete from telemetry_events where id in (
    select id from telemetry_events where recorded_at < %(before)s limit %(limit)s)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleaned:
    """What was forgotten."""

    conversations: tuple[UUID, ...]
    """Their ids, so that what else is kept under them can go too."""
    telemetry: int
    """Number of telemetry events."""


async def clean(
    pool: StorePool, *, now: datetime, conversation_ttl: timedelta, telemetry_ttl: timedelta
) -> Cleaned:
    """Delete idle conversations and old telemetry, a batch at a time.

    A conversation with something that still waits (an approval, a command) is never deleted.
    """
    return Cleaned(
        conversations=await _forget_conversations(pool, now - conversation_ttl),
        telemetry=await _drop_telemetry(pool, now - telemetry_ttl),
    )


async def _forget_conversations(pool: StorePool, before: datetime) -> tuple[UUID, ...]:
    gone: list[UUID] = []
    kept: list[UUID] = []
    while True:
        async with pool.connection() as connection, connection.transaction():
            idle = await connection.execute(
                _IDLE, {"before": before, "kept": kept, "limit": CONVERSATIONS_AT_ONCE}
            )
            ids: list[UUID] = [row[0] for row in await idle.fetchall()]
            done = await connection.execute(_FORGET, {"before": before, "ids": ids})
            deleted: set[UUID] = {row[0] for row in await done.fetchall()}
        gone += deleted
        kept += set(ids) - deleted
        if len(ids) < CONVERSATIONS_AT_ONCE:
            return tuple(gone)


async def _drop_telemetry(pool: StorePool, before: datetime) -> int:
    total = 0
    while True:
        async with pool.connection() as connection:
            done = await connection.execute(
                _DROP_TELEMETRY, {"before": before, "limit": TELEMETRY_AT_ONCE}
            )
        total += done.rowcount
        if done.rowcount < TELEMETRY_AT_ONCE:
            return total
