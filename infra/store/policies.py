"""The policies of all zones, and who may sign under them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final, LiteralString

from psycopg.rows import dict_row

from infra.db import StorePool
from infra.store.policy_rows import policy_of
from infra.store.rows import USER_COLUMNS, Row, user_of
from safety.entities import AccessPolicy, HazardLevel, Role, User, Zone, ZoneId

_ZONES: Final[LiteralString] = """
select z.id as zone_id, z.slug, z.name as zone_name, z.hazard_level, z.requires_ppe,
       z.unifi_door_ids, p.id as policy_id, p.name as policy_name, p.required_roles,
       p.requires_dual_confirm, p.requires_presence, p.pqe_checks, p.version, p.presence_ttl,
       p.time_zone, p.time_windows, p.max_requests, p.max_requests_period, p.max_pending, p.taint
from zones z left join access_policies p on p.zone_id = z.id and p.active
order by z.name
"""
_SIGNERS: Final[LiteralString] = (
    "select "
    + USER_COLUMNS
    + """ from users u
where u.disabled_at is null and u.roles && %(roles)s::text[] and exists (
    select from public_keys k
    where k.user_id = u.id and k.revoked_at is null and (%(synced)s or k.synced is not true))
order by u.display_name
"""
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ZonePolicy:
    """A zone with its policy; None if nothing hazardous can be done there."""

    zone: Zone
    policy: AccessPolicy | None


class PolicyBook:
    """Reads policies."""

    def __init__(self, pool: StorePool) -> None:
        self._pool = pool

    async def zones(self) -> Sequence[ZonePolicy]:
        """Return all zones in order of name."""
        return [_zone_policy(row) for row in await self._all(_ZONES, {})]

    async def signers(self, roles: Collection[Role], *, synced: bool) -> Sequence[User]:
        """Return who has one of the roles and an enrolled key; `synced`: of any kind."""
        values = {"roles": sorted(roles), "synced": synced}
        return [user_of(row) for row in await self._all(_SIGNERS, values)]

    async def _all(self, query: LiteralString, values: dict[str, Any]) -> Sequence[Row]:
        async with (
            self._pool.connection() as connection,
            connection.cursor(row_factory=dict_row) as cursor,
        ):
            await cursor.execute(query, values)
            return await cursor.fetchall()


def _zone_policy(row: Row) -> ZonePolicy:
    zone = Zone(
        id=ZoneId(row["zone_id"]),
        slug=row["slug"],
        name=row["zone_name"],
        hazard_level=HazardLevel(row["hazard_level"]),
        requires_ppe=row["requires_ppe"],
        unifi_door_ids=tuple(row["unifi_door_ids"]),
    )
    return ZonePolicy(zone=zone, policy=policy_of(row, zone.id))
