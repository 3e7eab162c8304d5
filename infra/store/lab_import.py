"""Bring the store to what a lab file says: all of it, or nothing.

Doing it twice changes nothing.  What is no longer in the file is kept and reported; a disabled
person stays disabled, a revoked key or token stays revoked.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, LiteralString
from uuid import UUID

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg.types.json import Jsonb

from infra.db import StoreError, StorePool
from infra.lab_file import Lab
from infra.store import lab_sql
from infra.store.lab_rows import (
    TOKEN_LABEL,
    Row,
    device_row,
    job_row,
    key_rows,
    lab_id,
    people_rows,
    policy_row,
    token_rows,
    zone_row,
)
from infra.store.people_sql import ACCESS_LOCK

_Connection = AsyncConnection[TupleRow]


class LabImportError(StoreError):
    """The store and the lab file contradict each other; nothing was changed."""

    code: ClassVar[str] = "lab_import_refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """What became of one kind of thing in the file."""

    same: int = 0
    added: int = 0
    changed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import did."""

    people: Count
    keys: Count
    tokens: Count
    zones: Count
    policies: Count
    devices: Count
    jobs: Count
    vanished: tuple[str, ...] = ()
    """What an earlier file had and this one has not, kept: `device giga-light`."""


async def import_lab(pool: StorePool, lab: Lab, *, now: datetime) -> Imported:
    """Write a lab into the store in one transaction; raise LabImportError if it does not fit."""
    async with pool.connection() as connection:
        try:
            async with connection.transaction():
                await connection.execute("select pg_advisory_xact_lock(%s)", (ACCESS_LOCK,))
                return await _import(connection, lab, now)
        except psycopg.errors.IntegrityError as error:
            raise LabImportError(
                f"the store refuses the lab file: {error.diag.message_primary}. "
                "Correct the file; nothing was changed"
            ) from error


async def _import(connection: _Connection, lab: Lab, now: datetime) -> Imported:
    had_admin = await _has_admin(connection)
    people = await _upsert(connection, lab_sql.PEOPLE, people_rows(lab), now)
    users = await _ids(connection, "select handle, id from users")
    if had_admin and not await _has_admin(connection):
        raise LabImportError(
            "the lab file takes the role of admin from the last person who has it; "
            "give it to somebody in the file first. Nothing was changed"
        )
    keys = [row for each in lab.people for row in key_rows(each, users[each.handle])]
    tokens = [row for each in lab.people for row in token_rows(each, users[each.handle])]
    await _refuse_foreign(connection, keys, tokens)
    zones = await _upsert(connection, lab_sql.ZONES, [zone_row(each) for each in lab.zones], now)
    zone_ids = await _ids(connection, "select slug, id from zones")
    devices = [device_row(each, zone_ids) for each in lab.devices]
    return Imported(
        people=people,
        keys=await _upsert(connection, lab_sql.KEYS, keys, now),
        tokens=await _upsert(connection, lab_sql.TOKENS, tokens, now),
        zones=zones,
        policies=await _upsert(
            connection, lab_sql.POLICIES, await _policies(connection, lab, zone_ids), now
        ),
        devices=await _upsert(connection, lab_sql.DEVICES, devices, now),
        jobs=await _upsert(connection, lab_sql.JOBS, _jobs(lab, users), now),
        vanished=await _vanished(connection, lab),
    )


async def _upsert(
    connection: _Connection, statement: LiteralString, rows: Sequence[Row], now: datetime
) -> Count:
    if not rows:
        return Count()
    cursor = await connection.execute(statement, {"rows": Jsonb(rows), "now": now})
    fresh = [bool(added) for (added,) in await cursor.fetchall()]
    return Count(same=len(rows) - len(fresh), added=sum(fresh), changed=len(fresh) - sum(fresh))


async def _ids(connection: _Connection, query: LiteralString) -> dict[str, UUID]:
    cursor = await connection.execute(query)
    return {str(name): id_ for name, id_ in await cursor.fetchall()}


async def _has_admin(connection: _Connection) -> bool:
    cursor = await connection.execute(
        "select 1 from users where 'admin' = any(roles) and disabled_at is null limit 1"
    )
    return await cursor.fetchone() is not None


async def _refuse_foreign(
    connection: _Connection, keys: Iterable[Row], tokens: Iterable[Row]
) -> None:
    """Refuse a key or a token that the store knows as somebody else's."""
    for what, query, rows in (
        ("key", lab_sql.FOREIGN_KEYS, keys),
        ("token", lab_sql.FOREIGN_TOKENS, tokens),
    ):
        cursor = await connection.execute(query, {"rows": Jsonb(list(rows))})
        if found := await cursor.fetchone():
            raise LabImportError(
                f"a {what} of {found[0]!r} in the lab file belongs to {found[1]!r} in the store; "
                f"each person needs a {what} of their own. Nothing was changed"
            )


async def _policies(connection: _Connection, lab: Lab, zone_ids: dict[str, UUID]) -> list[Row]:
    active = await _ids(connection, "select zone_id, id from access_policies where active")
    rows = []
    for zone in lab.zones:
        if zone.policy is not None:
            zone_id = zone_ids[zone.slug]
            own = active.get(str(zone_id), lab_id("policy", zone.slug))
            rows.append(policy_row(zone, zone.policy, own, zone_id))
    return rows


def _jobs(lab: Lab, users: dict[str, UUID]) -> list[Row]:
    return [job_row(each, users[each.requested_by or lab.people[0].handle]) for each in lab.jobs]


async def _vanished(connection: _Connection, lab: Lab) -> tuple[str, ...]:
    """Return what has an id that a lab file gave it and is in this one no more."""
    hashes = {each for person in lab.people for each in person.token_sha256}
    kinds: tuple[tuple[str, LiteralString, set[str]], ...] = (
        ("user", "select handle, id from users where disabled_at is null",
         {each.handle for each in lab.people}),
        ("zone", "select slug, id from zones", {each.slug for each in lab.zones}),
        ("policy", lab_sql.ACTIVE_POLICIES,
         {each.slug for each in lab.zones if each.policy is not None}),
        ("device", "select external_id, id from devices",
         {each.external_id for each in lab.devices}),
        ("job", "select name, id from fabrication_jobs where status = 'preparing'",
         {each.name for each in lab.jobs}),
    )  # fmt: skip
    gone = []
    for kind, query, kept in kinds:
        known = await _ids(connection, query)
        gone += [
            f"{kind} {name}"
            for name, id_ in sorted(known.items())
            if name not in kept and id_ == lab_id(kind, name)
        ]
    return (*gone, *await _vanished_tokens(connection, hashes))


async def _vanished_tokens(connection: _Connection, kept: set[str]) -> list[str]:
    values: dict[str, Any] = {"label": TOKEN_LABEL, "kept": sorted(kept)}
    cursor = await connection.execute(lab_sql.OTHER_TOKENS, values)
    return [f"token of {handle}" for (handle,) in await cursor.fetchall()]
