"""Print jobs as the tools see them."""

from collections.abc import Sequence
from typing import Final, LiteralString

from infra.db import StorePool
from infra.store.desk_sql import rows
from infra.store.rows import Row
from safety.entities import JobId
from tools.desk import PrintJob

_JOBS: Final[LiteralString] = """
select id, name, status, gcode_path, gcode_sha256, device_id, estimated_seconds, material,
       started_at, completed_at, metadata ->> 'technology' as technology,
       metadata -> 'printers' as printers
from fabrication_jobs
where %(status)s::text is null or status = %(status)s
order by created_at desc, id limit %(limit)s
"""


class PostgresPrinting:
    """Implements `tools.desk.Printing`."""

    def __init__(self, pool: StorePool) -> None:
        self._pool = pool

    async def jobs(self, *, status: str | None = None, limit: int = 50) -> Sequence[PrintJob]:
        """Return jobs, newest first; only those of one status if it is given."""
        values = {"status": status, "limit": limit}
        return [_job(row) for row in await rows(self._pool, _JOBS, values)]


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
