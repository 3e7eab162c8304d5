"""Print jobs as the tools see them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, LiteralString

from infra.db import StorePool
from infra.store.desk_sql import rows
from infra.store.rows import Row
from safety.entities import JobId, User
from tools.desk import PrintJob

_JOBS: Final[LiteralString] = """
select id, name, status, gcode_path, gcode_sha256, device_id, estimated_seconds, material,
       started_at, completed_at, metadata ->> 'technology' as technology,
       metadata -> 'printers' as printers
from fabrication_jobs
where %(status)s::text is null or status = %(status)s
order by created_at desc, id limit %(limit)s
"""

_AGAIN: Final[LiteralString] = """
insert into fabrication_jobs (id, name, gcode_path, gcode_sha256, requested_by, estimated_seconds,
    material, metadata, cad_artifact_id, created_at)
select %(new)s, name, gcode_path, gcode_sha256, %(asker)s, estimated_seconds, material, metadata,
    cad_artifact_id, %(now)s
from fabrication_jobs where id = %(ended)s
on conflict (id) do nothing
returning id
"""
_ONE: Final[LiteralString] = """
select id, name, status, gcode_path, gcode_sha256, device_id, estimated_seconds, material,
       started_at, completed_at, metadata ->> 'technology' as technology,
       metadata -> 'printers' as printers
from fabrication_jobs where id = %(new)s
"""


class PostgresPrinting:
    """Implements `tools.desk.Printing`."""

    def __init__(self, pool: StorePool) -> None:
        self._pool = pool

    async def jobs(self, *, status: str | None = None, limit: int = 50) -> Sequence[PrintJob]:
        """Return jobs, newest first; only those of one status if it is given."""
        values = {"status": status, "limit": limit}
        return [_job(row) for row in await rows(self._pool, _JOBS, values)]

    async def again(self, ended: PrintJob, new: JobId, asker: User, *, now: datetime) -> PrintJob:
        """Prepare an ended job once more under a new id; the same id twice is the same job."""
        values = {"new": new, "ended": ended.id, "asker": asker.id, "now": now}
        await rows(self._pool, _AGAIN, values)
        return _job((await rows(self._pool, _ONE, {"new": new}))[0])


def _job(row: Row) -> PrintJob:
    return PrintJob(
        id=JobId(row["id"]),
        name=row["name"],
        status=row["status"],
        gcode_path=row["gcode_path"],
        gcode_sha256=row["gcode_sha256"] or "",
        device=row["device_id"],
        estimated_seconds=row["estimated_seconds"],
        material=row["material"],
        started_at=row["started_at"],
        completed_at=row["completed_at"],
        technology=(row["technology"] or "").lower(),
        printers=_texts(row["printers"]),
    )


def _texts(value: object) -> tuple[str, ...]:
    return tuple(str(each) for each in value) if isinstance(value, list) else ()
