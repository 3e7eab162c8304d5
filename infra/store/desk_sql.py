"""What the desk's adapters share: running one statement, and devices and zones from rows."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, LiteralString

from psycopg.rows import dict_row, tuple_row

from infra.db import StorePool
from infra.store.rows import Row
from safety.entities import HazardLevel, Zone, ZoneId

Values = Mapping[str, Any]


async def rows(pool: StorePool, query: LiteralString, values: Values) -> Sequence[Row]:
    """Run one statement and return its rows by column name."""
    async with (
        pool.connection() as connection,
        connection.cursor(row_factory=dict_row) as cursor,
    ):
        await cursor.execute(query, values)
        return await cursor.fetchall()


async def tuples(
    pool: StorePool, query: LiteralString, values: Values
) -> Sequence[tuple[Any, ...]]:
    """Run one statement and return its rows as they come: for thousands of them."""
    async with (
        pool.connection() as connection,
        connection.cursor(row_factory=tuple_row) as cursor,
    ):
        await cursor.execute(query, values)
        return await cursor.fetchall()


class Objects:
    """Reads JSON objects; equal texts are read once, as most devices of a kind are alike."""

    def __init__(self) -> None:
        self._read: dict[str, Mapping[str, Any]] = {}

    def read(self, text: str) -> Mapping[str, Any]:
        """Return the object; nobody may change it, it may be shared."""
        known = self._read.get(text)
        if known is None:
            known = self._read[text] = json.loads(text)
        return known


def zone_of(row: Row) -> Zone:
    """Build the zone of a row with the columns of `zones`."""
    return Zone(
        id=ZoneId(row["id"]),
        slug=row["slug"],
        name=row["name"],
        hazard_level=HazardLevel(row["hazard_level"]),
        requires_ppe=row["requires_ppe"],
        unifi_door_ids=tuple(row["unifi_door_ids"]),
    )


def contains(words: str) -> str:
    """Return a LIKE pattern for text that contains exactly these words."""
    plain = words.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")
    return f"%{plain}%"
