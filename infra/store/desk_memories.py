"""People's notes; every statement names the person."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

from infra.db import StorePool
from infra.store.desk_sql import contains, rows
from infra.store.rows import Row
from safety.entities import User
from tools.desk import Memory

# The same words again (a retried request) are the same note.
_ADD: Final[LiteralString] = """
with known as (
    select id, text, created_at from memories
    where user_id = %(user)s and text = %(text)s order by created_at desc limit 1),
added as (
    insert into memories (id, user_id, text, created_at)
    select %(id)s::uuid, %(user)s::uuid, %(text)s, %(now)s::timestamptz
    where not exists (select from known)
    returning id, text, created_at)
select * from known union all select * from added
"""
_SEARCH: Final[LiteralString] = """
select id, text, created_at from memories
where user_id = %(user)s and (%(about)s::text is null or text ilike %(about)s)
order by created_at desc, id limit %(limit)s
"""
_REMOVE: Final[LiteralString] = """
delete from memories where user_id = %(user)s and id = any(%(ids)s) returning id
"""


class PostgresMemories:
    """Implements `tools.desk.Memories`."""

    def __init__(self, pool: StorePool, new_id: Callable[[], UUID]) -> None:
        self._pool = pool
        self._new_id = new_id

    async def add(self, user: User, text: str, *, now: datetime) -> Memory:
        """Keep a note."""
        values = {"id": self._new_id(), "user": user.id, "text": text, "now": now}
        return _memory((await rows(self._pool, _ADD, values))[0])

    async def search(self, user: User, about: str | None, *, limit: int = 10) -> Sequence[Memory]:
        """Return notes that mention `about`, newest first; all if it is None."""
        pattern = None if about is None else contains(about.strip())
        values = {"user": user.id, "about": pattern, "limit": limit}
        return [_memory(row) for row in await rows(self._pool, _SEARCH, values)]

    async def remove(self, user: User, ids: Sequence[UUID]) -> int:
        """Delete notes; return how many there were."""
        values = {"user": user.id, "ids": list(ids)}
        return len(await rows(self._pool, _REMOVE, values))


def _memory(row: Row) -> Memory:
    return Memory(id=row["id"], text=row["text"], created_at=row["created_at"])
