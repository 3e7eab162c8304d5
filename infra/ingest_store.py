"""Rows for what devices report.

Every function takes a connection inside a transaction.  Writing the same report twice changes
nothing: MQTT delivers at least once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_OID, UUID, uuid5

from psycopg import AsyncConnection
from psycopg.rows import TupleRow, class_row
from psycopg.types.json import Jsonb

from infra.printer_reports import ACTIVE
from safety.entities import DeviceId, JobId

Connection = AsyncConnection[TupleRow]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDevice:
    """What the store knows of a device that reports."""

    id: DeviceId
    external_id: str
    kind: str
    online_state: str
    state: dict[str, Any]
    state_at: datetime | None
    fault: str | None
    commanded: list[str]
    last_seen: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Telemetry:
    """A measurement as it came."""

    external_id: str
    topic: str
    text: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """A sighting as it came."""

    handle: str
    zone: str
    source: str
    status: str
    observed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredJob:
    """A print job as it stands."""

    id: JobId
    device_id: DeviceId | None
    status: str
    started_at: datetime | None
    completed_at: datetime | None
    progress: float
    error: str | None


async def find_devices(
    connection: Connection, external_ids: Sequence[str], *, lock: bool = False
) -> dict[str, StoredDevice]:
    """Return the devices that speak MQTT under these names, locked in order of id if asked."""
    async with connection.cursor(row_factory=class_row(StoredDevice)) as cursor:
        await cursor.execute(
            """
            select id, external_id, kind, online_state, state, state_at, fault, commanded, last_seen
            from devices where integration = 'mqtt' and external_id = any(%s) order by id
            """
            + ("for no key update" if lock else ""),
            [list(set(external_ids))],
        )
        return {device.external_id: device async for device in cursor}


async def save_devices(connection: Connection, devices: Sequence[StoredDevice]) -> None:
    """Write the devices as they stand now."""
    async with connection.cursor() as cursor:
        await cursor.executemany(
            """
            update devices set online_state = %s, state = %s, state_at = %s, fault = %s,
                commanded = %s, last_seen = %s
            where id = %s
            """,
            [
                (
                    d.online_state,
                    Jsonb(d.state),
                    d.state_at,
                    d.fault,
                    Jsonb(d.commanded),
                    d.last_seen,
                    d.id,
                )
                for d in devices
            ],
        )


async def mark_seen(
    connection: Connection,
    seen: Sequence[DeviceId],
    *,
    revived: Sequence[DeviceId] = (),
    now: datetime,
) -> None:
    """Note that the devices were heard; those that had only fallen silent are back."""
    await connection.execute(
        """
        with heard as (
            select id from devices where id = any(%s) order by id for no key update
        )
        update devices set last_seen = greatest(last_seen, %s),
            online_state = case
                when not (devices.id = any(%s) and online_state = 'offline') then online_state
                when fault is null then 'online' else 'fault' end
        from heard where devices.id = heard.id
        """,
        [list(seen), now, list(revived)],
    )


async def mark_silent(connection: Connection, now: datetime) -> list[DeviceId]:
    """Mark devices offline that have been silent for too long; return them."""
    cursor = await connection.execute(
        """
        with silent as (
            select id from devices
            where integration = 'mqtt' and online_state <> 'offline'
                and coalesce(last_seen, '-infinity') < %s - silent_after
            order by id for no key update
        )
        update devices set online_state = 'offline' from silent where devices.id = silent.id
        returning devices.id
        """,
        [now],
    )
    return [DeviceId(row[0]) async for row in cursor]


async def copy_telemetry(
    connection: Connection, rows: Sequence[tuple[DeviceId, Telemetry]]
) -> None:
    """Append measurements, all or none."""
    async with (
        connection.cursor() as cursor,
        cursor.copy(
            "copy telemetry_events (id, device_id, topic, payload, recorded_at) from stdin"
        ) as copy,
    ):
        for device, row in rows:
            await copy.write_row((uuid5(device, row.text), device, row.topic, row.text, row.at))


async def insert_telemetry(connection: Connection, device: DeviceId, row: Telemetry) -> None:
    """Append one measurement unless it is there already."""
    await connection.execute(
        """
        insert into telemetry_events (id, device_id, topic, payload, recorded_at)
        values (%s, %s, %s, %s::jsonb, %s) on conflict (id) do nothing
        """,
        [uuid5(device, row.text), device, row.topic, row.text, row.at],
    )


async def insert_presence(connection: Connection, sighting: Presence) -> bool:
    """Append a sighting unless it is there already; False if person or zone is unknown."""
    cursor = await connection.execute(
        """
        insert into zone_presences (id, zone_id, user_id, source, status, observed_at)
        select %s, zones.id, users.id, %s, %s, %s from zones, users
        where zones.slug = %s and users.handle = %s
        on conflict (id) do update set id = excluded.id
        """,
        [
            uuid5(NAMESPACE_OID, repr(sighting)),
            sighting.source,
            sighting.status,
            sighting.observed_at,
            sighting.zone,
            sighting.handle,
        ],
    )
    return cursor.rowcount == 1


async def jobs_of(
    connection: Connection, devices: Sequence[DeviceId], named: Sequence[UUID]
) -> list[StoredJob]:
    """Return the jobs under way on these printers and those named, locked."""
    async with connection.cursor(row_factory=class_row(StoredJob)) as cursor:
        await cursor.execute(
            """
            select id, device_id, status, started_at, completed_at, progress, error
            from fabrication_jobs
            where id = any(%s) or (device_id = any(%s) and status = any(%s))
            order by id for no key update
            """,
            [list(named), list(devices), list(ACTIVE)],
        )
        return [job async for job in cursor]


async def save_job(connection: Connection, job: StoredJob) -> None:
    """Write a job as it stands now."""
    await connection.execute(
        """
        update fabrication_jobs set status = %s, device_id = %s, started_at = %s,
            completed_at = %s, progress = %s, error = coalesce(%s, error)
        where id = %s
        """,
        [
            job.status,
            job.device_id,
            job.started_at,
            job.completed_at,
            job.progress,
            job.error,
            job.id,
        ],
    )
