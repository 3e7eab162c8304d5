"""The gate's waiting room as the tools see it.  Reads only; withdrawing is the gate's business."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, LiteralString

from infra.db import StorePool
from infra.store.desk_sql import rows
from infra.store.rows import USER_COLUMNS, Row, user_of
from safety.entities import EventId, User
from safety.policy import NEED_WORDS, Need
from tools.desk import ApprovalView
from tools.wording import describe

Withdraw = Callable[[EventId, User], Awaitable[str | None]]
"""Denies one's own pending request; returns None, or why that is not possible."""

_APPROVALS: Final[LiteralString] = (
    """
select e.id, e.action_kind, e.action, e.hazard, e.status, e.outcome, e.needs, e.confirmed_at,
       e.reason, e.created_at, e.expires_at, coalesce(d.name, '') as device_name,
       coalesce(z.name, '') as zone_name, coalesce(j.name, '') as job_name,
       array(
           select s.display_name::text from safety_signatures g
           join users s on s.id = g.user_id and s.disabled_at is null
           join public_keys k on k.id = g.key_id and k.revoked_at is null
           where g.event_id = e.id order by g.signed_at) as signed_by, """
    + USER_COLUMNS
    + """
from safety_events e
join users u on u.id = e.initiated_by
left join devices d on d.id = e.device_id
left join zones z on z.id = e.zone_id
left join fabrication_jobs j on j.id::text = e.action ->> 'job'
"""
)


class PostgresApprovals:
    """Implements `tools.desk.Approvals`."""

    def __init__(self, pool: StorePool, withdraw: Withdraw) -> None:
        self._pool = pool
        self._withdraw = withdraw

    async def pending(self) -> Sequence[ApprovalView]:
        """Return what waits now, oldest first."""
        query = _APPROVALS + "where e.status = 'pending' order by e.created_at, e.id"
        return [_view(row) for row in await rows(self._pool, query, {})]

    async def recent(self, *, limit: int = 20) -> Sequence[ApprovalView]:
        """Return requests of any status, newest first."""
        query = _APPROVALS + "order by e.created_at desc, e.id limit %(limit)s"
        return [_view(row) for row in await rows(self._pool, query, {"limit": limit})]

    async def get(self, event: EventId) -> ApprovalView | None:
        """Return one request."""
        found = await rows(self._pool, _APPROVALS + "where e.id = %(id)s", {"id": event})
        return _view(found[0]) if found else None

    async def withdraw(self, event: EventId, user: User) -> str | None:
        """Deny one's own pending request; return None, or why that is not possible."""
        return await self._withdraw(event, user)


def missing(needs: frozenset[Need], *, signatures: int, confirmed: bool) -> tuple[Need, ...]:
    """Return what is still missing of the needs that a request was opened with."""
    left = [Need.CONFIRMATION] if Need.CONFIRMATION in needs and not confirmed else []
    if Need.SECOND_SIGNATURE in needs:
        return (*left, *(Need.SIGNATURE, Need.SECOND_SIGNATURE)[signatures:])
    if Need.SIGNATURE in needs and not signatures:
        return (*left, Need.SIGNATURE)
    return tuple(left)


def _view(row: Row) -> ApprovalView:
    needs = frozenset(Need(each) for each in row["needs"])
    left = missing(
        needs,
        signatures=len(row["signed_by"]),
        confirmed=row["confirmed_at"] is not None,
    )
    return ApprovalView(
        event=EventId(row["id"]),
        what=describe(
            row["action_kind"],
            row["action"],
            row["device_name"],
            row["zone_name"],
            row["job_name"],
        ),
        hazard=row["hazard"],
        status=row["status"],
        outcome=row["outcome"],
        requested_by=user_of(row),
        signed_by=tuple(row["signed_by"]),
        needs=tuple(NEED_WORDS[each] for each in left) if row["status"] == "pending" else (),
        reason=row["reason"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
    )
