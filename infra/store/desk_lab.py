"""The lab as the tools see it: devices, zones and who is where."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, Final, LiteralString
from uuid import UUID

from infra.db import StorePool
from infra.store.desk_sql import Objects, Values, rows, tuples, zone_of
from infra.store.rows import USER_COLUMNS, user_of
from safety.entities import (
    Device,
    DeviceId,
    DeviceKind,
    HazardLevel,
    OnlineState,
    PresenceSource,
    Zone,
    ZoneId,
)
from tools.desk import DeviceView, Sighting, ZoneView

SnapshotAt = Callable[[UUID], Awaitable[datetime | None]]
"""Returns when a camera's newest picture was taken."""

# JSON comes as text: equal capabilities of thousands of devices are then parsed once.
_DEVICES: Final[LiteralString] = """
select d.id, d.external_id, d.name, d.kind, d.capabilities::text, d.online_state, d.last_seen,
       d.aliases, d.state::text, d.state_at, d.fault,
       d.zone_id, z.slug, z.name, z.hazard_level, z.requires_ppe, z.unifi_door_ids
from devices d join zones z on z.id = d.zone_id
"""
_FILTER: Final[LiteralString] = """
where (%(kind)s::text is null or d.kind = %(kind)s)
  and (%(zone)s::uuid is null or d.zone_id = %(zone)s)
order by z.name, d.name, d.id
"""
_ZONES: Final[LiteralString] = """
select id, slug, name, hazard_level, requires_ppe, unifi_door_ids, aliases
from zones order by name, id
"""
# As the gate counts presence: the newest sighting in this very zone, within its time to live.
_PRESENT: Final[LiteralString] = (
    "select "
    + USER_COLUMNS
    + """, newest.source, newest.observed_at
from users u
cross join lateral (
    select p.source, p.status, p.observed_at from zone_presences p
    where p.zone_id = %(zone)s and p.user_id = u.id and p.observed_at <= %(now)s
    order by p.observed_at desc limit 1) newest
where newest.status = 'present'
  and newest.observed_at >= %(now)s - coalesce(
      (select presence_ttl from access_policies where zone_id = %(zone)s and active),
      interval '15 minutes')
order by newest.observed_at desc, u.display_name
"""
)


class PostgresLab:
    """Implements `tools.desk.Lab`."""

    def __init__(self, pool: StorePool, snapshot_at: SnapshotAt) -> None:
        self._pool = pool
        self._snapshot_at = snapshot_at

    async def devices(
        self, *, kind: DeviceKind | None = None, zone: ZoneId | None = None
    ) -> Sequence[DeviceView]:
        """Return devices in order of zone and name."""
        values = {"kind": None if kind is None else kind.value, "zone": zone}
        return await self._views(_DEVICES + _FILTER, values)

    async def device(self, device: DeviceId) -> DeviceView | None:
        """Return one device; None if there is no such device."""
        found = await self._views(_DEVICES + "where d.id = %(id)s", {"id": device})
        return found[0] if found else None

    async def zones(self) -> Sequence[ZoneView]:
        """Return all zones in order of name."""
        return [
            ZoneView(zone=zone_of(row), aliases=tuple(row["aliases"]))
            for row in await rows(self._pool, _ZONES, {})
        ]

    async def present(self, zone: ZoneId, *, now: datetime) -> Sequence[Sighting]:
        """Return who was last seen in the zone within its policy's time to live."""
        return [
            Sighting(
                user=user_of(row),
                source=PresenceSource(row["source"]),
                observed_at=row["observed_at"],
            )
            for row in await rows(self._pool, _PRESENT, {"zone": zone, "now": now})
        ]

    async def snapshot_at(self, device: UUID) -> datetime | None:
        """Return when the camera's newest picture was taken; None if there is none."""
        return await self._snapshot_at(device)

    async def _views(self, query: LiteralString, values: Values) -> Sequence[DeviceView]:
        zones: dict[UUID, Zone] = {}
        objects = Objects()
        return [_view(row, zones, objects) for row in await tuples(self._pool, query, values)]


def _view(row: tuple[Any, ...], zones: dict[UUID, Zone], objects: Objects) -> DeviceView:
    identity, external, name, kind, capabilities, online, seen, aliases, state, at, fault, *z = row
    zone = zones.get(z[0])
    if zone is None:
        zone = zones[z[0]] = _zone(z)
    return DeviceView(
        device=Device(
            id=identity,
            external_id=external,
            name=name,
            kind=DeviceKind(kind),
            zone=zone.id,
            capabilities=objects.read(capabilities),
            online_state=OnlineState(online),
            last_seen=seen,
        ),
        zone=zone,
        aliases=tuple(aliases),
        state=objects.read(state),
        state_at=at,
        fault=fault,
    )


def _zone(columns: Sequence[Any]) -> Zone:
    identity, slug, name, hazard_level, requires_ppe, doors = columns
    return Zone(
        id=ZoneId(identity),
        slug=slug,
        name=name,
        hazard_level=HazardLevel(hazard_level),
        requires_ppe=requires_ppe,
        unifi_door_ids=tuple(doors),
    )
