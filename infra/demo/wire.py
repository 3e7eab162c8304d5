"""JSON on the wire, strictly: docs/mqtt.md from the device's side."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, Never

from infra.demo.machine import AckCode, Answer, Command

MAX_PAYLOAD: Final = 64 * 1024
"""Bytes of one message."""
MAX_DEPTH: Final = 32
MAX_ID: Final = 64
"""Characters of a command id or an intent."""
WILL: Final[Mapping[str, Any]] = {
    "v": 1,
    "online": False,
    "fault": None,
    "at": None,
    "state": {},
    "commands": [],
}


class WireError(ValueError):
    """A message cannot be used; `command_id` is set when it can at least be answered."""

    def __init__(
        self,
        message: str,
        *,
        command_id: str | None = None,
        code: AckCode = AckCode.BAD_PAYLOAD,
    ) -> None:
        super().__init__(message)
        self.command_id = command_id
        self.answer = Answer(ok=False, code=code, detail=message)


def encode(message: Mapping[str, Any]) -> bytes:
    """Return a message as compact JSON."""
    text = json.dumps(message, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def decode(raw: bytes) -> dict[str, Any]:
    """Read strict JSON: one object, no duplicate keys, no NaN, bounded size and depth."""
    if len(raw) > MAX_PAYLOAD:
        raise WireError(f"the message is over {MAX_PAYLOAD} bytes")
    try:
        message = json.loads(raw, object_pairs_hook=_distinct, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise WireError(f"the message is not strict JSON: {error}") from error
    if not isinstance(message, dict):
        raise WireError("the message is not an object")
    if _depth(message) > MAX_DEPTH:
        raise WireError(f"the message is nested deeper than {MAX_DEPTH}")
    return message


def read_command(raw: bytes, *, device: str) -> Command:
    """Read a command for this device; raise WireError if it is not one."""
    message = decode(raw)
    command_id = message.get("command_id")
    if not isinstance(command_id, str) or not 1 <= len(command_id) <= MAX_ID:
        raise WireError("the command has no usable command_id")
    wrong = _wrong_field(message)
    if wrong:
        raise WireError(f"{wrong!r} is missing or wrong", command_id=command_id)
    if message.get("device") != device:
        raise WireError(
            f"wrong_device: this is {device!r}",
            command_id=command_id,
            code=AckCode.NOT_AUTHORISED,
        )
    return Command(
        id=command_id,
        intent=message["intent"],
        payload=message["payload"],
        deadline=datetime.fromisoformat(message["deadline"]).astimezone(UTC),
        event=message.get("safety_event_id"),
        envelope=message.get("envelope"),
    )


def write_ack(command_id: str, answer: Answer, now: datetime) -> bytes:
    """Return the acknowledgement of a command."""
    return encode(
        {
            "v": 1,
            "command_id": command_id,
            "ok": answer.ok,
            "code": answer.code,
            "detail": answer.detail,
            "at": stamp(now),
        }
    )


def stamp(at: datetime) -> str:
    """Return a time as ISO 8601 in UTC, to the millisecond."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds")


def _wrong_field(message: Mapping[str, Any]) -> str | None:
    intent, event = message.get("intent"), message.get("safety_event_id")
    right = {
        "v": message.get("v") == 1,
        "safety_event_id": event is None or isinstance(event, str),
        "intent": isinstance(intent, str) and 1 <= len(intent) <= MAX_ID,
        "payload": isinstance(message.get("payload"), dict),
        "deadline": _is_time(message.get("deadline")),
    }
    return next((name for name, fine in right.items() if not fine), None)


def _is_time(value: object) -> bool:
    if not isinstance(value, str):
        return False
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key appears twice")
    return found


def _no_constant(name: str) -> Never:
    raise ValueError(f"{name} is not JSON")


def _depth(value: object) -> int:
    deepest, level = 0, [value]
    while level:
        deepest += 1
        inner: list[object] = []
        for each in level:
            if isinstance(each, dict):
                inner.extend(each.values())
            elif isinstance(each, list):
                inner.extend(each)
        level = inner
    return deepest
