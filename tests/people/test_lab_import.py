"""Importing a lab: twice is once, changes are counted, nothing is lost silently."""

from datetime import timedelta

import pytest
from people.labs import LAB, NOW, public_key, sha256

from infra.db import StorePool
from infra.lab_file import parse_lab
from infra.store.lab_import import Count, Imported, LabImportError, import_lab
from infra.store.people import People
from safety.signatures import key_id

pytestmark = pytest.mark.anyio

TABLES = (
    "users",
    "public_keys",
    "api_tokens",
    "zones",
    "access_policies",
    "devices",
    "fabrication_jobs",
)


async def contents(pool: StorePool) -> dict[str, list[str]]:
    found = {}
    async with pool.connection() as connection:
        for table in TABLES:
            query = f"select t::text || t.xmin from {table} t order by 1"
            found[table] = [row[0] for row in await (await connection.execute(query)).fetchall()]
    return found


async def one(pool: StorePool, query: str) -> tuple[object, ...]:
    async with pool.connection() as connection:
        row = await (await connection.execute(query)).fetchone()
    assert row is not None
    return row


async def brought(pool: StorePool, text: str = LAB) -> Imported:
    return await import_lab(pool, parse_lab(text), now=NOW)


async def test_everything_arrives(pool: StorePool) -> None:
    done = await brought(pool)
    assert done == Imported(
        people=Count(added=2),
        keys=Count(added=1),
        tokens=Count(added=1),
        zones=Count(added=2),
        policies=Count(added=2),
        devices=Count(added=2),
        jobs=Count(added=1),
    )
    assert await one(pool, "select external_id, silent_after, capabilities from devices"
                           " where kind = 'light'") == (
        "welding-bay-lights",
        timedelta(seconds=60),
        {"intents": ["switch", "set_scene"], "scenes": ["bright", "dim"]},
    )  # fmt: skip
    assert await one(pool, "select metadata, gcode_path, status from fabrication_jobs") == (
        {"printers": ["mk4"], "hazardous_material": False},
        "gcode/calibration-cube.gcode",
        "preparing",
    )
    assert await one(pool, "select id from public_keys") == (key_id(public_key(1)),)


async def test_twice_is_once_and_writes_nothing(pool: StorePool) -> None:
    await brought(pool)
    before = await contents(pool)
    again = await brought(pool)
    assert await contents(pool) == before
    assert again.people == Count(same=2)
    assert again.policies == Count(same=2)
    assert again.devices == Count(same=2)
    assert again.vanished == ()


async def test_high_hazard_forces_two_people_and_presence(pool: StorePool) -> None:
    await brought(pool)
    query = """select requires_dual_confirm, requires_presence, presence_ttl, version
               from access_policies p join zones z on z.id = p.zone_id where z.slug = """
    assert await one(pool, query + "'welding-bay'") == (True, True, timedelta(seconds=600), 1)
    assert await one(pool, query + "'main-floor'") == (False, False, timedelta(seconds=900), 1)


async def test_policy_version_rises_on_a_real_change_only(pool: StorePool) -> None:
    await brought(pool)
    query = "select version from access_policies where name = 'Welding bay'"
    swapped = LAB.replace('["engineer", "safety"]', '["safety", "engineer"]')
    assert (await brought(pool, swapped)).policies == Count(same=2)
    assert await one(pool, query) == (1,)
    stricter = LAB.replace('["engineer", "safety"]', '["safety"]')
    assert (await brought(pool, stricter)).policies == Count(same=1, changed=1)
    assert await one(pool, query) == (2,)


async def test_ids_do_not_depend_on_the_database(pool: StorePool) -> None:
    await brought(pool)
    assert await one(pool, "select id::text from devices where external_id = 'mk4'") == (
        "99613ffd-1d53-50ca-9501-d4efe2af3826",
    )


async def test_what_vanished_is_kept_and_named(pool: StorePool, people: People) -> None:
    await brought(pool)
    await people.create(handle="local", display_name="Not of a file", roles=["operator"], now=NOW)
    lab = parse_lab(LAB)
    ada = lab.people[1]
    smaller = lab.model_copy(update={"devices": lab.devices[:1], "jobs": (), "people": (ada,)})
    done = await import_lab(pool, smaller, now=NOW)
    assert done.vanished == (
        "user operator",
        "device mk4",
        "job calibration cube",
        "token of operator",
    )
    assert await one(pool, "select count(*) from devices") == (2,)
    assert await people.by_token("olga's token", NOW) is not None


async def test_revoked_and_disabled_stay_so(pool: StorePool, people: People) -> None:
    await brought(pool)
    olga = await people.by_token("olga's token", NOW)
    assert olga is not None
    [token] = await people.tokens(olga.id)
    assert await people.revoke_token(token.id, NOW)
    assert await people.revoke_key(key_id(public_key(1)), NOW)
    await people.disable(olga.id, NOW)
    await brought(pool, LAB.replace("demo key", "renamed"))
    await people.enable(olga.id)
    assert await people.by_token("olga's token", NOW) is None
    [key] = await people.keys(olga.id)
    assert (key.label, key.revoked_at) == ("renamed", NOW)


@pytest.mark.parametrize("what", ["spki", "token"])
async def test_somebody_elses_key_or_token_is_refused_whole(
    pool: StorePool, people: People, what: str
) -> None:
    await brought(pool)
    lab = parse_lab(LAB)
    olga, ada = lab.people
    update = {"keys": olga.keys} if what == "spki" else {"token_sha256": olga.token_sha256}
    bare = olga.model_copy(update={"keys": (), "token_sha256": (), "display_name": "Changed"})
    theft = lab.model_copy(update={"people": (bare, ada.model_copy(update=update))})
    with pytest.raises(LabImportError, match="belongs to 'operator'"):
        await import_lab(pool, theft, now=NOW)
    found = await people.by_handle("operator")
    assert found is not None
    assert found.display_name == "Olga Operator"


async def test_the_last_admin_stays_admin(pool: StorePool, people: People) -> None:
    await brought(pool)
    with pytest.raises(LabImportError, match="last person"):
        await brought(pool, LAB.replace('["admin", "operator"]', '["operator"]'))
    ada = await people.by_handle("admin")
    assert ada is not None
    assert "admin" in ada.roles


async def test_a_person_made_before_keeps_their_id(pool: StorePool, people: People) -> None:
    before = await people.create(
        handle="operator", display_name="Old name", roles=["safety"], now=NOW
    )
    done = await brought(pool)
    assert done.people == Count(added=1, changed=1)
    assert await people.by_token("olga's token", NOW) == await people.by_handle("operator")
    after = await people.by_handle("operator")
    assert after is not None
    assert after.id == before.id
    assert after.roles == {"operator"}


async def test_a_raised_zone_tightens_its_policy(pool: StorePool) -> None:
    await brought(pool)
    await brought(pool, LAB.replace('hazard_level = "low"', 'hazard_level = "high"'))
    assert await one(
        pool,
        "select requires_dual_confirm and requires_presence from access_policies"
        " where name = 'Main floor'",
    ) == (True,)


async def test_twenty_thousand_devices(pool: StorePool) -> None:
    lab = parse_lab(LAB)
    light = lab.devices[0]
    many = tuple(
        light.model_copy(update={"external_id": f"light-{n}", "name": f"Light {n}", "aliases": ()})
        for n in range(20_000)
    )
    done = await import_lab(pool, lab.model_copy(update={"devices": many, "jobs": ()}), now=NOW)
    assert done.devices == Count(added=20_000)


def test_tokens_are_hashed_as_the_file_says() -> None:
    assert parse_lab(LAB).people[0].token_sha256 == (sha256("olga's token"),)
