"""A desk for working out what a tool would propose: it reads, and nothing is written."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from safety.entities import JobId, User
from tools.desk import Desk, Printing, PrintJob


@dataclass(frozen=True, slots=True)
class LookingPrinting:
    """Shows jobs; a job printed again is only imagined."""

    printing: Printing

    async def jobs(self, *, status: str | None = None, limit: int = 50) -> Sequence[PrintJob]:
        """Return jobs, newest first; only those of one status if it is given."""
        return await self.printing.jobs(status=status, limit=limit)

    async def again(self, ended: PrintJob, new: JobId, asker: User, *, now: datetime) -> PrintJob:  # noqa: ARG002  # the port's signature
        """Return what the job would be if it were prepared once more."""
        return replace(ended, id=new, status="preparing", started_at=None, completed_at=None)


def looking(desk: Desk) -> Desk:
    """Return a desk at which tools that propose something change nothing."""
    return replace(desk, printing=LookingPrinting(desk.printing))
