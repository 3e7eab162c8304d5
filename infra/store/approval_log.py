"""The ids of SafetyEvents, page by page."""

from collections.abc import Sequence
from typing import Final, LiteralString
from uuid import UUID

from infra.db import StorePool
from infra.store.cursor import cursor_of, place_of
from infra.store.desk_sql import rows

_PAGE: Final[LiteralString] = """
select id, created_at from (
    select id, created_at,
           case when consumed_at is null and resolved_at is not null then 'denied'
                else status::text end as standing
    from safety_events) e
where (%(status)s::text is null or standing = %(status)s)
  and (%(at)s::timestamptz is null or (created_at, id) < (%(at)s::timestamptz, %(id)s::uuid))
order by created_at desc, id desc limit %(limit)s
"""


class ApprovalLog:
    """The list of all requests that wait, or waited, for people."""

    def __init__(self, pool: StorePool) -> None:
        self._pool = pool

    async def page(
        self, *, status: str | None, limit: int, cursor: str | None
    ) -> tuple[Sequence[UUID], str | None]:
        """Return ids, newest first, and the cursor of the next page; None at the end.

        `status` is `pending`, `approved` or `denied`; None means any.  Raises BadCursorError.
        """
        at, identity = place_of(cursor)
        values = {"status": status, "at": at, "id": identity, "limit": limit + 1}
        found = await rows(self._pool, _PAGE, values)
        shown = found[:limit]
        more = len(found) > limit
        following = cursor_of(shown[-1]["created_at"], shown[-1]["id"]) if more else None
        return [row["id"] for row in shown], following
