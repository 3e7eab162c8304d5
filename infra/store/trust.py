"""Whom devices are to trust, as the store knows it now: the content of a trust file."""

import base64
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, LiteralString

from psycopg.rows import dict_row

from infra.db import StorePool
from safety.entities import Hazard, KeyId
from safety.trust import TrustedKey, TrustedPerson, TrustedZone, TrustFile

ISSUER: Final = "kitt trust export"
_QUERY: Final[LiteralString] = """
select
    (select coalesce(jsonb_agg(jsonb_build_object('handle', handle, 'roles', to_jsonb(roles),
                                                  'revoked', disabled_at is not null)
                               order by handle), '[]'::jsonb) from users) as people,
    (select coalesce(jsonb_agg(jsonb_build_object('id', k.id, 'person', u.handle,
                                                  'spki', encode(k.spki, 'base64'),
                                                  'rp_id', k.rp_id,
                                                  'revoked', k.revoked_at is not null)
                               order by k.id), '[]'::jsonb)
     from public_keys k join users u on u.id = k.user_id) as keys,
    (select coalesce(jsonb_agg(jsonb_build_object(
                'slug', z.slug, 'hazard', z.hazard_level,
                'dual', coalesce(p.requires_dual_confirm, false),
                'roles', coalesce(to_jsonb(p.required_roles), '[]'::jsonb))
                               order by z.slug), '[]'::jsonb)
     from zones z left join access_policies p on p.zone_id = z.id and p.active) as zones,
    (select coalesce(jsonb_agg(jsonb_build_object('name', d.external_id, 'zone', z.slug)
                               order by d.external_id), '[]'::jsonb)
     from devices d join zones z on z.id = d.zone_id) as devices
"""


async def trust_of(pool: StorePool, *, site: str, now: datetime) -> TrustFile:
    """Return a trust file of everybody, also of who may not sign any more."""
    async with pool.connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_QUERY)
        row = await cursor.fetchone()
    assert row is not None
    keys = [_key(each) for each in row["keys"]]
    return TrustFile(
        site=site,
        issued_at=now,
        issued_by=ISSUER,
        people={
            each["handle"]: TrustedPerson(
                handle=each["handle"], roles=frozenset(each["roles"]), revoked=each["revoked"]
            )
            for each in row["people"]
        },
        keys={each.id: each for each in keys},
        zones={each["slug"]: _zone(each) for each in row["zones"]},
        devices={each["name"]: each["zone"] for each in row["devices"]},
    )


def _key(row: Mapping[str, Any]) -> TrustedKey:
    return TrustedKey(
        id=KeyId(row["id"]),
        person=row["person"],
        spki=base64.b64decode(row["spki"]),
        revoked=row["revoked"],
        rp_id=row["rp_id"],
    )


def _zone(row: Mapping[str, Any]) -> TrustedZone:
    """Return a zone; where the policy wants two people, everything hazardous counts as high."""
    return TrustedZone(
        slug=row["slug"],
        hazard=Hazard.HIGH if row["dual"] else Hazard[row["hazard"].upper()],
        roles=frozenset(row["roles"]),
    )
