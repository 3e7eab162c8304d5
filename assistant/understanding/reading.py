"""What an utterance can mean.  Closed union: a new case breaks the build in the core."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One tool with its arguments; entities are given by id, as text."""

    tool: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    label: str = ""
    """The call in words, to read back or to offer: `turn off the laser room lights`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """The person wants these calls made, in this order."""

    calls: tuple[Call, ...]
    confidence: float
    rule: str
    """The intent that matched, for the RoutingDecision; never the person's words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """The person wants things to stop, now.  Handled before anything else."""

    calls: tuple[Call, ...]
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """Not sure, or something is missing: ask, with at most the two best readings."""

    text: str
    options: tuple[Call, ...] = ()
    missing: str = ""
    """Name of the argument that is missing from `partial`; empty when choosing."""
    partial: Call | None = None
    confidence: float = 0.5
    rule: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirm:
    """The person answered yes or no to the question that was asked."""

    event: str
    """Id of the SafetyEvent that the question was bound to."""
    yes: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """Small talk, thanks, help, cancel: words are enough and nothing is done."""

    text: str
    rule: str
    confidence: float = 1.0
    spoken: str = ""
    """For the ear, when it should be shorter than `text`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """Understood as something that must not act: a negation, a report, a hypothetical."""

    text: str
    """What to say, for example `I did nothing: that sounded like you do not want it.`"""
    rule: str
    """`negated`, `hypothetical`, `quoted`, `reported`."""
    confidence: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """The local tier does not know; `text` says what it can do nearby."""

    text: str
    confidence: float = 0.0
    """Confidence that the local tier can answer at all."""


Reading = Act | Stop | Ask | Confirm | Reply | Heard | Unknown
