"""A SafetyEvent as its signed bytes say it, for whoever has nothing but these bytes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from safety.actions import Action, InvalidActionError, revive
from safety.canonical import CanonicalFormError, parse, timestamp
from safety.entities import DeviceId, EventId, Hazard, ZoneId

MAX_NONCE: Final = 200
"""Characters."""
_SHAPE: Final[Mapping[str, type]] = {
    "format": str,
    "id": str,
    "action": dict,
    "device": dict,
    "zone": dict,
    "requester": dict,
    "hazard": str,
    "quorum": int,
    "policy": dict,
    "ppe": list,
    "device_state": dict,
    "evidence": dict,
    "tainted": bool,
    "nonce": str,
    "not_before": str,
    "expires_at": str,
}
_PARTS: Final[Mapping[str, Mapping[str, type]]] = {
    "action": {"kind": str, "intent": str, "arguments": dict},
    "device": {"id": str, "external_id": str, "name": str, "kind": str},
    "zone": {"id": str, "slug": str, "name": str},
    "requester": {"id": str, "handle": str, "name": str},
    "policy": {"id": str, "version": int, "roles": list, "presence": bool},
}


class SignedFormError(ValueError):
    """The bytes are canonical JSON, and yet no SafetyEvent that this version understands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedEvent:
    """The parts of a signed document that a verifier needs."""

    id: EventId
    action: Action
    external_id: str
    """The device's name on the wire."""
    zone: str
    """The zone's slug."""
    site: str
    """Whose devices it is for; empty if the document names no site."""
    requester: str
    """Handle of who asked."""
    hazard: Hazard
    quorum: int
    """Distinct people who must sign."""
    roles: frozenset[str]
    """What the policy of the day demanded of signers."""
    nonce: str
    not_before: datetime
    expires_at: datetime


def read_signed(body: bytes) -> SignedEvent:
    """Read signed bytes; raise CanonicalFormError or SignedFormError.

    A field that this version does not know is refused: it might be a restriction.
    """
    document = parse(body)
    site = document.pop("site", "")
    _check(document, _SHAPE, "the document")
    for part, shape in _PARTS.items():
        _check(document[part], shape, part)
    if not isinstance(site, str):
        raise SignedFormError("site is not a text")
    not_before, expires_at = _moment(document["not_before"]), _moment(document["expires_at"])
    if not_before >= expires_at or not 0 < len(document["nonce"]) <= MAX_NONCE:
        raise SignedFormError("the window or the nonce is empty")
    roles = document["policy"]["roles"]
    if not all(isinstance(each, str) for each in roles):
        raise SignedFormError("policy.roles are not texts")
    return SignedEvent(
        id=EventId(_uuid(document["id"])),
        action=_action(document),
        external_id=document["device"]["external_id"],
        zone=document["zone"]["slug"],
        site=site,
        requester=document["requester"]["handle"],
        hazard=_hazard(document["hazard"]),
        quorum=document["quorum"],
        roles=frozenset(roles),
        nonce=document["nonce"],
        not_before=not_before,
        expires_at=expires_at,
    )


def _check(value: Mapping[str, Any], shape: Mapping[str, type], what: str) -> None:
    odd = sorted(value.keys() ^ shape.keys()) or sorted(
        name for name, kind in shape.items() if type(value[name]) is not kind
    )
    if odd:
        raise SignedFormError(f"{what}: {odd[0]!r} is missing, unknown or of another type")


def _action(document: Mapping[str, Any]) -> Action:
    told = document["action"]
    device = DeviceId(_uuid(document["device"]["id"]))
    zone = ZoneId(_uuid(document["zone"]["id"]))
    try:
        action = revive(told["kind"], device, zone, told["arguments"])
    except InvalidActionError as error:
        raise SignedFormError(f"action: {error}") from None
    if (action.intent, action.arguments) != (told["intent"], told["arguments"]):
        raise SignedFormError("action: kind, intent and arguments contradict one another")
    return action


def _hazard(word: str) -> Hazard:
    found = next((each for each in Hazard if each.word == word), None)
    if found is None:
        raise SignedFormError(f"hazard: {word[:40]!r} is not a level")
    return found


def _uuid(text: str) -> UUID:
    try:
        found = UUID(text)
    except ValueError:
        raise SignedFormError(f"{text[:40]!r} is not an id") from None
    if str(found) != text:
        raise SignedFormError(f"{text[:40]!r} is an id in an unusual spelling")
    return found


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
        usual = found.utcoffset() == timedelta(0) and timestamp(found) == text
    except (ValueError, OverflowError):
        usual = False
    if not usual:
        raise SignedFormError(f"{text[:40]!r} is not a moment as signed events have it")
    return datetime.fromisoformat(text)


__all__ = ["CanonicalFormError", "SignedEvent", "SignedFormError", "read_signed"]
