"""A fingerprint of every name in the lab, to know cheaply when one has changed."""

from infra.db import StorePool

_QUERY = """
select md5(coalesce((
        select string_agg(d.id::text || d.name || d.aliases::text || d.zone_id::text || d.kind
                          || coalesce(d.capabilities ->> 'intents', '')
                          || coalesce(d.capabilities ->> 'scenes', ''), '|' order by d.id)
        from devices d), '')
    || coalesce((
        select string_agg(z.id::text || z.name || z.aliases::text, '|' order by z.id)
        from zones z), '')
    || coalesce((
        select string_agg(u.id::text || u.display_name || u.handle, '|' order by u.id)
        from users u where u.disabled_at is null), '')
    || coalesce((
        select string_agg(j.id::text || j.name || j.status, '|' order by j.id)
        from (select id, name, status from fabrication_jobs order by created_at desc limit 500) j
    ), ''))
"""


async def names_fingerprint(pool: StorePool) -> str:
    """Return a text that changes when a name, alias, zone, intent or job does."""
    async with pool.connection() as connection:
        cursor = await connection.execute(_QUERY)
        row = await cursor.fetchone()
    return "" if row is None else str(row[0])
