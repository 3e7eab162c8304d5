"""What travels over MQTT, decoded strictly (docs/mqtt.md is the contract).

Bytes from outside become values here or are refused with a `WireError`; nothing
behind this module meets malformed JSON.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from safety.entities import PresenceSource, PresenceStatus

MAX_MESSAGE: Final = 65_536
"""Bytes in a JSON payload."""
MAX_SNAPSHOT: Final = 1_048_576
"""Bytes in a camera picture."""
MAX_DEPTH: Final = 32
"""Objects and arrays inside one another."""
MAX_COMMANDS: Final = 16
"""Command ids a device reports as carried out."""

_FIRST_YEAR: Final = 2000
_LAST_YEAR: Final = 2200
_NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$"
_NAME_RE: Final = re.compile(_NAME)
_DEVICE_TOPIC_LEVELS: Final = 4
_PRESENCE_TOPIC_LEVELS: Final = 3


class WireError(ValueError):
    """A message is not what docs/mqtt.md promises."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def _plausible(at: datetime) -> datetime:
    """Refuse what no clock shows: databases and calendars trip over the ends of time."""
    if not _FIRST_YEAR <= at.year < _LAST_YEAR:
        raise ValueError("the year is not plausible")
    return at.astimezone(UTC)


WireName = Annotated[str, StringConstraints(pattern=_NAME)]
"""An external id or a zone's slug: one level of a topic, never a wildcard or a slash."""
Word = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
"""An intent or a code."""
Moment = Annotated[AwareDatetime, AfterValidator(_plausible)]
"""A time in UTC, between the years 2000 and 2200."""
Text = Annotated[str, StringConstraints(max_length=500)]
"""Words for people."""


def _pairs(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise WireError("duplicate_key", "an object names the same key twice")
    return found


def _constant(text: str) -> float:
    raise WireError("not_finite", f"{text} is not a JSON number")


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise WireError("not_finite", "a number is too large to be kept")
    return value


def _storable(text: str) -> bool:
    """Tell whether PostgreSQL can keep the text: no NUL, no half of a surrogate pair."""
    return "\x00" not in text and not any("\ud800" <= c <= "\udfff" for c in text)


def _inspect(root: Any, *, texts: bool) -> None:
    """Check depth, and text too if an escape could have smuggled something in."""
    level, depth = [root], 0
    while level:
        below: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                below.extend(value.values())
                words = list(value) if texts else []
            elif isinstance(value, list):
                below.extend(value)
                words = []
            else:
                words = [value] if texts and isinstance(value, str) else []
            if not all(map(_storable, words)):
                raise WireError("bad_text", "a text holds a NUL or half a character")
        depth += any(isinstance(value, dict | list) for value in level)
        if depth > MAX_DEPTH:
            raise WireError("too_deep", f"nested deeper than {MAX_DEPTH} levels")
        level = below


def strict_object(payload: bytes, *, limit: int = MAX_MESSAGE) -> dict[str, Any]:
    """Decode one JSON object, refusing everything two readers could understand differently."""
    if len(payload) > limit:
        raise WireError("too_large", f"{len(payload)} bytes; at most {limit} are accepted")
    try:
        root = json.loads(
            payload.decode("utf-8"),
            object_pairs_hook=_pairs,
            parse_constant=_constant,
            parse_float=_float,
        )
    except UnicodeDecodeError:
        raise WireError("not_utf8", "the message is not UTF-8") from None
    except RecursionError:
        raise WireError("too_deep", f"nested deeper than {MAX_DEPTH} levels") from None
    except WireError:
        raise
    except ValueError:
        raise WireError("not_json", "the message is not JSON") from None
    escapes = b"\\u" in payload
    if escapes or payload.count(b"{") + payload.count(b"[") > MAX_DEPTH:
        _inspect(root, texts=escapes)
    if not isinstance(root, dict):
        raise WireError("not_an_object", "the message is not a JSON object")
    return root


class _Message(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")

    v: Literal[1] = 1

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """Read the message, or raise `WireError`."""
        strict_object(payload)
        try:
            return cls.model_validate_json(payload)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"])) or "message"
            raise WireError("wrong_fields", f"{where}: {first['msg']}") from None

    def encode(self) -> bytes:
        """Write the message."""
        return encode_object(self.model_dump(mode="json"))


class CommandMessage(_Message):
    """What a device is told (`cmd`)."""

    model_config = ConfigDict(extra="forbid")

    command_id: UUID
    """Also the idempotency key: a device carries it out once."""
    device: WireName
    """The external id, again: a copy on another device's topic is not obeyed."""
    intent: Word
    payload: dict[str, Any]
    issued_at: Moment
    deadline: Moment
    """After this the device does not act."""
    correlation_id: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    safety_event_id: UUID | None = None
    envelope: dict[str, Any] | None = None
    """What people signed, with their signatures (docs/edge.md); null where none were needed."""


class AckMessage(_Message):
    """What a device says of a command (`ack`)."""

    command_id: UUID
    ok: bool
    code: Word | None = None
    detail: Text | None = None
    at: Moment

    @model_validator(mode="after")
    def _ok_or_code(self) -> Self:
        if self.ok == (self.code is not None):
            raise ValueError("a refusal has a code, a success has none")
        return self


class StateMessage(_Message):
    """How a device stands (`state`)."""

    online: bool
    fault: Text | None = None
    at: Moment | None = None
    """When the device measured it; null in a last will."""
    state: dict[str, Any] = Field(default_factory=dict)
    commands: Annotated[list[UUID], Field(max_length=MAX_COMMANDS)] = Field(default_factory=list)
    """The last command ids carried out."""


class TelemetryMessage(_Message):
    """What a device measured (`telemetry`)."""

    at: Moment
    values: dict[str, Any]


class PresenceMessage(_Message):
    """Somebody came or went (`presence`)."""

    user: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    """The person's handle."""
    status: PresenceStatus
    source: PresenceSource
    observed_at: Moment


def encode_object(fields: Mapping[str, Any]) -> bytes:
    """Write a JSON object, or raise `WireError` if it would not be accepted back."""
    try:
        payload = json.dumps(
            fields, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=_plain
        ).encode()
    except ValueError as error:
        raise WireError("not_json", f"cannot be written as JSON: {error}") from None
    if len(payload) > MAX_MESSAGE:
        raise WireError("too_large", f"{len(payload)} bytes; at most {MAX_MESSAGE} are sent")
    return payload


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    raise WireError("not_json", f"{type(value).__name__} cannot be written as JSON")


def is_wire_name(text: str) -> bool:
    """Tell whether the text can be one level of a topic."""
    return _NAME_RE.fullmatch(text) is not None


def device_topic(external_id: str, leaf: str) -> str:
    """Return `kitty/devices/{external_id}/{leaf}`; `+` for any device."""
    if external_id != "+" and not is_wire_name(external_id):
        raise WireError("bad_topic", f"{external_id!r} cannot be a device's name on the wire")
    return f"kitty/devices/{external_id}/{leaf}"


def device_of(topic: str) -> str:
    """Return the external id in a device's topic."""
    levels = topic.split("/")
    if len(levels) != _DEVICE_TOPIC_LEVELS or not is_wire_name(levels[2]):
        raise WireError("bad_topic", f"{topic[:200]!r} names no device")
    return levels[2]


def zone_of(topic: str) -> str:
    """Return the zone's slug in a presence topic."""
    levels = topic.split("/")
    if len(levels) != _PRESENCE_TOPIC_LEVELS or not is_wire_name(levels[2]):
        raise WireError("bad_topic", f"{topic[:200]!r} names no zone")
    return levels[2]
