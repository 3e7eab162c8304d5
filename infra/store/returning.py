"""What to look for when KITTY, or a device, comes back."""

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final, LiteralString

from infra.db import StorePool

_LOOK: Final = timedelta(milliseconds=50)
_AWAY: Final[LiteralString] = """
with work as (
    select (exists (select from conversation_requests where status = 'accepted')
            or exists (select from device_commands where outcome is null)) as any)
select work.any and (
    %(own_broker)s and exists (
        select from devices
        where integration = 'mqtt' and online_state <> 'offline'
          and coalesce(last_seen, '-infinity') < %(since)s)
    or exists (
        select from device_commands c join devices d on d.id = c.device_id
        where c.outcome is null and c.status = 'sent'
          and coalesce(d.state_at, '-infinity') < c.sent_at)) as away
from work
"""

_SETTLE: Final[LiteralString] = """
with seen as (
    update device_commands c set outcome = 'done', late_ack_at = %(at)s
    from devices d
    where d.id = c.device_id and c.outcome = 'unknown' and d.commanded ? c.id::text
    returning c.id, c.safety_event_id, c.action_kind, c.device_id, c.correlation_id),
settled as (
    update safety_events e set outcome = 'done'
    from seen where e.id = seen.safety_event_id and e.outcome = 'unknown')
insert into gate_log (at, event_id, command_id, action_kind, device_id, verdict, reason_code,
    correlation_id)
select %(at)s, safety_event_id, id, action_kind, device_id, 'done', 'late_answer', correlation_id
from seen
"""


async def still_away(pool: StorePool, since: datetime, *, own_broker: bool) -> bool:
    """Tell whether something was cut off whose devices have not been heard since.

    Behind a broker of our own, which started with us, all devices have to come back first; else
    only those that may tell what became of a command.
    """
    async with pool.connection() as connection:
        cursor = await connection.execute(_AWAY, {"since": since, "own_broker": own_broker})
        row = await cursor.fetchone()
    return row is not None and bool(row[0])


async def until_back(
    pool: StorePool, since: datetime, *, own_broker: bool, within: timedelta
) -> None:
    """Wait, for a while, for the devices that can tell what became of what was cut off."""
    with suppress(TimeoutError):
        async with asyncio.timeout(within.total_seconds()):
            while await still_away(pool, since, own_broker=own_broker):  # noqa: ASYNC110  # rows tell nobody
                await asyncio.sleep(_LOOK.total_seconds())


async def settle_seen(pool: StorePool, at: datetime) -> None:
    """Settle what is unknown where the device's state lists the command as carried out."""
    async with pool.connection() as connection:
        await connection.execute(_SETTLE, {"at": at})
