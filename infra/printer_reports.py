"""What a printer's report means for the job it prints.

The table is the whole rule: from where a job stands and what the printer says, the steps it
takes.  A report may skip steps (KITTY was away meanwhile); what the table does not hold is
impossible and changes nothing.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError


class Printing(StrEnum):
    """What a printer says of itself."""

    IDLE = "idle"
    PRINTING = "printing"
    PAUSED = "paused"
    COMPLETE = "complete"
    ERROR = "error"


class JobStatus(StrEnum):
    """Where a FabricationJob stands (seed)."""

    PREPARING = "preparing"
    PRINTING = "printing"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    ABORTED = "aborted"


_P, _J = Printing, JobStatus

STEPS: Final[Mapping[tuple[JobStatus, Printing], tuple[JobStatus, ...]]] = {
    (_J.PREPARING, _P.PRINTING): (_J.PRINTING,),
    (_J.PREPARING, _P.PAUSED): (_J.PRINTING, _J.PAUSED),
    (_J.PREPARING, _P.COMPLETE): (_J.PRINTING, _J.COMPLETED),
    (_J.PREPARING, _P.ERROR): (_J.PRINTING, _J.FAILED),
    (_J.PRINTING, _P.PRINTING): (),
    (_J.PRINTING, _P.PAUSED): (_J.PAUSED,),
    (_J.PRINTING, _P.COMPLETE): (_J.COMPLETED,),
    (_J.PRINTING, _P.ERROR): (_J.FAILED,),
    (_J.PRINTING, _P.IDLE): (_J.ABORTED,),
    (_J.PAUSED, _P.PAUSED): (),
    (_J.PAUSED, _P.PRINTING): (_J.PRINTING,),
    (_J.PAUSED, _P.COMPLETE): (_J.PRINTING, _J.COMPLETED),
    (_J.PAUSED, _P.ERROR): (_J.FAILED,),
    (_J.PAUSED, _P.IDLE): (_J.ABORTED,),
    # A finished print stays on the printer's display until somebody clears it.
    (_J.COMPLETED, _P.COMPLETE): (),
    (_J.FAILED, _P.ERROR): (),
}

ACTIVE: Final = (JobStatus.PRINTING, JobStatus.PAUSED)
"""A printer has at most one job that stands here."""
ENDED: Final = frozenset({JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.ABORTED})


class PrinterReport(BaseModel):
    """The part of a printer's state that concerns its job."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    status: Printing
    job_id: UUID | None = None
    progress: Annotated[float, Field(ge=0, le=1)] = 0.0
    """0 to 1."""
    error: Annotated[str, Field(max_length=2000)] | None = None


def read_report(state: Mapping[str, Any]) -> PrinterReport | None:
    """Read a printer's state; None if it cannot be understood."""
    try:
        return PrinterReport.model_validate(state)
    except ValidationError:
        return None
