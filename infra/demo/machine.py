"""What every simulated device is made of: commands and answers as values, no wire, no clock."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from random import Random
from typing import Any, ClassVar, Self, TypeVar


class AckCode(StrEnum):
    """Why a device did not do what it was told (docs/mqtt.md)."""

    TOO_LATE = "too_late"
    UNKNOWN_INTENT = "unknown_intent"
    BAD_PAYLOAD = "bad_payload"
    BUSY = "busy"
    DEVICE_ERROR = "device_error"
    NOT_POSSIBLE = "not_possible"
    NOT_AUTHORISED = "not_authorised"


class Fault(StrEnum):
    """What a device can be asked to do wrong (docs/demo-lab.md)."""

    NONE = "none"
    SILENT = "silent"
    LATE = "late"
    TWICE = "twice"
    REFUSE = "refuse"
    OFFLINE = "offline"
    JAM = "jam"
    SMOKE = "smoke"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One thing a device is told."""

    id: str
    intent: str
    payload: Mapping[str, Any]
    deadline: datetime
    """After this moment the device does not act."""
    event: str | None = None
    """Id of the SafetyEvent that it says it carries out."""
    envelope: object = None
    """What people signed, as it came (docs/edge.md)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a device says to a command."""

    ok: bool
    code: AckCode | None = None
    """None when ok."""
    detail: str = ""


class Refusal(Exception):  # noqa: N818 - a device that refuses is not at fault
    """The device does not do it; the text is for the person who asked."""

    def __init__(self, code: AckCode, detail: str) -> None:
        super().__init__(detail)
        self.answer = Answer(ok=False, code=code, detail=detail)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The behaviour of one device: a value in, a new value out."""

    intents: frozenset[str] = frozenset()
    """What this one can be told, from its capabilities."""

    tick_seconds: ClassVar[float | None] = None
    """How often time has to pass for it; None if it changes only when told."""
    delay_seconds: ClassVar[tuple[float, float]] = (0.02, 0.06)
    """Shortest and longest time it needs to carry out a command."""
    delay_scales: ClassVar[bool] = False
    """Whether the lab's speed shortens that time."""

    def behave(self, command: Command, now: datetime) -> tuple[Self, str]:
        """Return the machine after the command, and a detail; raise Refusal if it does not act."""
        raise Refusal(AckCode.UNKNOWN_INTENT, f"{command.intent!r} means nothing at {now:%H:%M}")

    def passed(self, now: datetime) -> Self:
        """Return the machine as it is at `now` when nobody tells it anything."""
        del now
        return self

    def report(self) -> dict[str, Any]:
        """Return `state` as docs/mqtt.md lists it for this kind."""
        return {}

    def readings(self, dice: Random) -> dict[str, float]:
        """Return telemetry: numbers by name, the unit at the end of the name."""
        del dice
        return {}

    def broken(self, fault: Fault, now: datetime) -> Self:
        """Return the machine with a fault of its own kind (jam, smoke), or mended (none)."""
        del fault, now
        return self

    def fault(self) -> str | None:
        """Return what is wrong, in words; None if nothing is."""
        return None

    def kept(self) -> dict[str, Any]:
        """Return what survives a restart."""
        return {}

    def restored(self, kept: Mapping[str, Any]) -> Self:
        """Return the machine as it comes up again with what it kept."""
        del kept
        return self


M = TypeVar("M", bound=Machine)


def respond(machine: M, command: Command, now: datetime) -> tuple[M, Answer]:
    """Carry a command out, or refuse it and leave the machine as it was."""
    if now >= command.deadline:
        return machine, Answer(
            ok=False, code=AckCode.TOO_LATE, detail="The deadline had passed; nothing was done"
        )
    if command.intent not in machine.intents:
        return machine, Answer(
            ok=False,
            code=AckCode.UNKNOWN_INTENT,
            detail=f"This device does not know {command.intent!r}",
        )
    try:
        after, detail = machine.passed(now).behave(command, now)
    except Refusal as refusal:
        return machine, refusal.answer
    return after, Answer(ok=True, detail=detail)


def arguments(payload: Mapping[str, Any], **kinds: type) -> dict[str, Any]:
    """Return the payload if it has exactly these fields with exactly these types, or refuse."""
    wrong = sorted(payload.keys() ^ kinds.keys()) or sorted(
        name for name, kind in kinds.items() if type(payload[name]) is not kind
    )
    if wrong:
        wanted = ", ".join(f"{name} ({kind.__name__})" for name, kind in kinds.items())
        raise Refusal(AckCode.BAD_PAYLOAD, f"Expected {wanted or 'no fields'}; see {wrong[0]!r}")
    return dict(payload)
