"""The envelope in which an approval travels to a device: the signed bytes and the signatures.

It has the shape of DSSE (payload type, payload, signatures), with one difference that it says
itself: `signs` is `sha256(payload)`, because people sign an event before there is an envelope,
and DSSE's own encoding would be another message.  Two kinds of document are kept apart by the
`format` inside the payload (see safety.canonical).
"""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID, uuid5

from safety.canonical import digest
from safety.entities import CommandId, EventId, KeyId
from safety.signatures import MAX_VALUE

TYPE: Final = "application/vnd.kitty.safety-event+json"
SIGNS: Final = "sha256(payload)"
MAX_PAYLOAD: Final = 32_768
"""Bytes of a signed document in an envelope: with base64 it still fits into one message."""
MAX_SIGNATURES: Final = 8
_KEY_ID: Final = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")
_COMMANDS: Final = UUID("9a4ddc0b-6a0c-5d0e-9a53-1f1f5f9b3c11")
"""Namespace of the ids of commands that carry out an event."""
_BASE64_GROUP: Final = (3, 4)


class EnvelopeError(ValueError):
    """Something is no envelope; `code` is stable."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """One signature, and which key is said to have made it."""

    key: KeyId
    value: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What people signed, and their signatures; nothing of it is checked yet."""

    payload: bytes
    """The canonical SafetyEvent (see safety.canonical)."""
    signatures: tuple[Seal, ...]

    @property
    def digest(self) -> bytes:
        """What each signature must be over: SHA-256 of the payload, 32 bytes."""
        return digest(self.payload)

    def document(self) -> dict[str, Any]:
        """Return the envelope as JSON values; raise EnvelopeError if it is too large to travel."""
        _check_sizes(self)
        return {
            "payloadType": TYPE,
            "signs": SIGNS,
            "payload": base64.b64encode(self.payload).decode(),
            "signatures": [
                {"keyid": str(each.key), "sig": base64.b64encode(each.value).decode()}
                for each in self.signatures
            ],
        }


def command_for(event: EventId) -> CommandId:
    """Return the id of the one command that may carry out an event.

    It follows from what was signed: whoever copies an envelope into a command of another id is
    found out, and a store restored from a backup makes the same command again, not a second one.
    """
    return CommandId(uuid5(_COMMANDS, str(event)))


def read_envelope(value: object) -> Envelope:
    """Read an envelope from JSON values; refuse everything that is not exactly one."""
    outer = _fields(value, {"payloadType", "signs", "payload", "signatures"}, "the envelope")
    if outer["payloadType"] != TYPE or outer["signs"] != SIGNS:
        raise EnvelopeError("unknown_envelope", f"only {TYPE} with {SIGNS} is understood")
    signatures = outer["signatures"]
    if not isinstance(signatures, list) or not 1 <= len(signatures) <= MAX_SIGNATURES:
        raise EnvelopeError("bad_envelope", f"there must be 1 to {MAX_SIGNATURES} signatures")
    envelope = Envelope(
        payload=_bytes(outer["payload"], MAX_PAYLOAD, "the payload"),
        signatures=tuple(map(_seal, signatures)),
    )
    _check_sizes(envelope)
    return envelope


def _seal(value: object) -> Seal:
    inner = _fields(value, {"keyid", "sig"}, "a signature")
    key = inner["keyid"]
    if not isinstance(key, str) or not _KEY_ID.fullmatch(key):
        raise EnvelopeError("bad_envelope", "a keyid is `SHA256:` and 43 characters of base64")
    return Seal(key=KeyId(key), value=_bytes(inner["sig"], MAX_VALUE, "a signature"))


def _fields(value: object, names: set[str], what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict) or value.keys() != names:
        raise EnvelopeError("bad_envelope", f"{what} has exactly {', '.join(sorted(names))}")
    return value


def _bytes(text: object, most: int, what: str) -> bytes:
    if not isinstance(text, str):
        raise EnvelopeError("bad_envelope", f"{what} must be base64 text")
    raw, coded = _BASE64_GROUP
    if len(text) > -(-most // raw) * coded:
        raise EnvelopeError("too_large", f"{what} has at most {most} bytes")
    try:
        found = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        found = b""
    # One value, one spelling: base64 with stray bits at its end would be another.
    if not found or base64.b64encode(found).decode() != text:
        raise EnvelopeError("bad_envelope", f"{what} is not plain base64")
    return found


def _check_sizes(envelope: Envelope) -> None:
    if len(envelope.payload) > MAX_PAYLOAD:
        raise EnvelopeError("too_large", f"the payload has at most {MAX_PAYLOAD} bytes")
    if len(envelope.signatures) > MAX_SIGNATURES:
        raise EnvelopeError("too_large", f"there are at most {MAX_SIGNATURES} signatures")
