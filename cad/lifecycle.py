"""The lives of things that are made, as tables (seed 004)."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class FabricationStatus(StrEnum):
    """Where a FabricationJob stands."""

    PREPARING = "preparing"
    PRINTING = "printing"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    ABORTED = "aborted"


_F = FabricationStatus
FABRICATION_TRANSITIONS: Final[Mapping[FabricationStatus, frozenset[FabricationStatus]]] = {
    _F.PREPARING: frozenset({_F.PRINTING, _F.FAILED, _F.ABORTED}),
    _F.PRINTING: frozenset({_F.PAUSED, _F.COMPLETED, _F.FAILED, _F.ABORTED}),
    _F.PAUSED: frozenset({_F.PRINTING, _F.FAILED, _F.ABORTED}),
    _F.COMPLETED: frozenset(),
    _F.FAILED: frozenset(),
    _F.ABORTED: frozenset(),
}
"""`preparing -> printing -> (paused <-> printing) -> completed | failed | aborted`.

The seed's arrow is ambiguous about the ends: failed and aborted are reached from any state that
is not an end, completed only from printing.
"""


class CadStatus(StrEnum):
    """Where a CADJob stands."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"


CAD_TRANSITIONS: Final[Mapping[CadStatus, frozenset[CadStatus]]] = {
    CadStatus.QUEUED: frozenset({CadStatus.RUNNING}),
    CadStatus.RUNNING: frozenset({CadStatus.COMPLETED, CadStatus.FAILED}),
    CadStatus.COMPLETED: frozenset(),
    CadStatus.FAILED: frozenset(),
}
"""`queued -> running -> completed | failed`."""
