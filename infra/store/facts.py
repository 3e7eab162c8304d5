"""What the gate must know of the world, read from the store each time it is asked."""

from datetime import datetime
from typing import Any, Final, LiteralString

from psycopg.rows import dict_row

from infra.db import StorePool
from infra.store.policy_rows import policy_of
from infra.store.rows import KEY_COLUMNS, USER_COLUMNS, Row, key_of, user_of
from safety.actions import Action
from safety.entities import (
    AccessPolicy,
    Device,
    DeviceId,
    DeviceKind,
    HazardLevel,
    KeyId,
    OnlineState,
    PresenceSource,
    PresenceStatus,
    PublicKey,
    User,
    UserId,
    Zone,
    ZoneId,
    ZonePresence,
)
from safety.limits import Traffic
from safety.policy import Circumstances

_CIRCUMSTANCES: Final[LiteralString] = (
    """
select d.id, d.external_id, d.name, d.kind, d.zone_id, d.capabilities, d.online_state, d.last_seen,
       d.state, z.slug, z.name as zone_name, z.hazard_level, z.requires_ppe, z.unifi_door_ids,
       p.id as policy_id, p.name as policy_name, p.required_roles, p.requires_dual_confirm,
       p.requires_presence, p.pqe_checks, p.version, p.presence_ttl, p.time_zone, p.time_windows,
       p.max_requests, p.max_requests_period, p.max_pending, p.taint,
       s.source, s.status, s.observed_at, """
    + USER_COLUMNS
    + """
from devices d
join zones z on z.id = d.zone_id
left join access_policies p on p.zone_id = z.id and p.active
left join lateral (
    select source, status, observed_at from zone_presences
    where zone_id = d.zone_id and user_id = %(user)s
    order by observed_at desc limit 1) s on %(hazardous)s
left join users u on u.id = %(user)s and u.disabled_at is null
where d.id = %(device)s
"""
)

_TRAFFIC: Final[LiteralString] = """
select
    (select count(*) from safety_events
     where initiated_by = %(user)s and status = 'pending' and expires_at > %(now)s) as pending,
    (select count(*) from safety_events
     where initiated_by = %(user)s and zone_id = %(zone)s
       and created_at > %(since)s::timestamptz) as recent
"""


class PostgresFacts:
    """Implements `safety.ports.Facts`."""

    def __init__(self, pool: StorePool) -> None:
        self._pool = pool

    async def circumstances(self, action: Action, requester: UserId) -> Circumstances:
        """Return device, zone, policy, reported state, the requester and their newest sighting."""
        row = await self._one(
            _CIRCUMSTANCES,
            {"device": action.device, "user": requester, "hazardous": not action.makes_safe},
        )
        if row is None:
            return Circumstances(device=None, zone=None, policy=None)
        zone = ZoneId(row["zone_id"])
        return Circumstances(
            device=_device(row),
            zone=Zone(
                id=zone,
                slug=row["slug"],
                name=row["zone_name"],
                hazard_level=HazardLevel(row["hazard_level"]),
                requires_ppe=row["requires_ppe"],
                unifi_door_ids=tuple(row["unifi_door_ids"]),
            ),
            policy=policy_of(row, zone),
            state=row["state"],
            requester=None if row["user_id"] is None else user_of(row),
            presence=_presence(row, zone, requester),
        )

    async def traffic(
        self, requester: UserId, zone: ZoneId, policy: AccessPolicy, now: datetime
    ) -> Traffic:
        """Count what somebody has asked for, as far as the policy limits it."""
        limit = policy.max_requests
        row = await self._one(
            _TRAFFIC,
            {
                "user": requester,
                "zone": zone,
                "now": now,
                "since": None if limit is None else now - limit.period,
            },
        )
        assert row is not None
        return Traffic(pending=row["pending"], recent=row["recent"])

    async def user(self, user: UserId) -> User | None:
        """Return a person who may still act; None when unknown or disabled."""
        row = await self._one(
            "select " + USER_COLUMNS + " from users u where u.id = %(id)s and disabled_at is null",
            {"id": user},
        )
        return None if row is None else user_of(row)

    async def key(self, key: KeyId) -> PublicKey | None:
        """Return an enrolled public key, revoked or not."""
        row = await self._one(
            "select " + KEY_COLUMNS + " from public_keys k where k.id = %(id)s", {"id": key}
        )
        return None if row is None else key_of(row)

    async def _one(self, query: LiteralString, values: dict[str, Any]) -> Row | None:
        async with (
            self._pool.connection() as connection,
            connection.cursor(row_factory=dict_row) as cursor,
        ):
            await cursor.execute(query, values)
            return await cursor.fetchone()


def _device(row: Row) -> Device:
    return Device(
        id=DeviceId(row["id"]),
        external_id=row["external_id"],
        name=row["name"],
        kind=DeviceKind(row["kind"]),
        zone=ZoneId(row["zone_id"]),
        capabilities=row["capabilities"],
        online_state=OnlineState(row["online_state"]),
        last_seen=row["last_seen"],
    )


def _presence(row: Row, zone: ZoneId, user: UserId) -> ZonePresence | None:
    if row["source"] is None:
        return None
    return ZonePresence(
        user=user,
        zone=zone,
        source=PresenceSource(row["source"]),
        status=PresenceStatus(row["status"]),
        observed_at=row["observed_at"],
    )
