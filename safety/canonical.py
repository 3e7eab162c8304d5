"""The exact bytes that people sign: RFC 8785 canonical JSON of a SafetyEvent.

A person's key signs the SHA-256 of these bytes.  Integers stay below 2^53 and times are
text, so that every implementation reads the same value back.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import rfc8785

from safety.actions import Action
from safety.entities import AccessPolicy, Device, DeviceKind, EventId, Hazard, User, Zone

FORMAT: Final = "kitty.safety_event/1"
MAX_DOCUMENT: Final = 65_536
"""Bytes of a document that people can be asked to sign."""
SOME_PROTECTION: Final = "protective equipment"
"""What signers vouch for where a zone asks for equipment and its policy names none."""
_SAFE_INTEGER: Final = 2**53

SALIENT_STATE: Final[Mapping[DeviceKind, tuple[str, ...]]] = {
    DeviceKind.DOOR: ("locked",),
    DeviceKind.POWER: ("on",),
    DeviceKind.PRINTER: ("status", "job_id"),
    DeviceKind.LIGHT: (),
    DeviceKind.CAMERA: (),
    DeviceKind.SENSOR: (),
}
"""What of a device's state a signature binds to: if it changes, the approval no longer fits."""


def salient_state(kind: DeviceKind, state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a device's reported state that a signature binds to."""
    return {name: _scalar(state.get(name)) for name in SALIENT_STATE[kind]}


def _scalar(value: Any) -> Any:
    if value is None or isinstance(value, bool | str):
        return value
    exact = isinstance(value, int) and abs(value) < _SAFE_INTEGER
    return value if exact else str(value)


def timestamp(moment: datetime) -> str:
    """Write a moment as signed events have it: ISO 8601, microseconds, UTC offset."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def event_document(
    *,
    event: EventId,
    action: Action,
    device: Device,
    zone: Zone,
    policy: AccessPolicy,
    requester: User,
    hazard: Hazard,
    quorum: int,
    state: Mapping[str, Any],
    evidence: Mapping[str, str],
    nonce: str,
    not_before: datetime,
    expires_at: datetime,
    tainted: bool,
    site: str = "",
) -> dict[str, Any]:
    """Return everything a signature binds to, as JSON values; a site only if it has a name."""
    named = {"site": site} if site else {}
    return named | {
        "format": FORMAT,
        "id": str(event),
        "action": {
            "kind": type(action).__name__,
            "intent": action.intent,
            "arguments": action.arguments,
        },
        "device": {
            "id": str(device.id),
            "external_id": device.external_id,
            "name": device.name,
            "kind": device.kind.value,
        },
        "zone": {"id": str(zone.id), "slug": zone.slug, "name": zone.name},
        "requester": {
            "id": str(requester.id),
            "handle": requester.handle,
            "name": requester.display_name,
        },
        "hazard": hazard.word,
        "quorum": quorum,
        "policy": {
            "id": str(policy.id),
            "version": policy.version,
            "roles": sorted(policy.required_roles),
            "presence": policy.requires_presence,
        },
        "ppe": list(policy.ppe or (SOME_PROTECTION,)) if zone.requires_ppe else [],
        "device_state": salient_state(device.kind, state),
        "evidence": dict(evidence),
        "tainted": tainted,
        "nonce": nonce,
        "not_before": timestamp(not_before),
        "expires_at": timestamp(expires_at),
    }


class CanonicalFormError(ValueError):
    """These are not, or cannot become, the canonical JSON of a SafetyEvent."""


def canonical(document: Mapping[str, Any]) -> bytes:
    """Return the canonical JSON (RFC 8785).

    Raises CanonicalFormError for integers beyond 2^53, NaN, half characters, values that are
    not JSON.
    """
    try:
        return rfc8785.dumps(dict(document))
    except (rfc8785.CanonicalizationError, RecursionError) as error:
        raise CanonicalFormError(f"cannot be written as canonical JSON: {error}") from None


def digest(body: bytes) -> bytes:
    """Return what is signed: SHA-256, 32 bytes."""
    return hashlib.sha256(body).digest()


def check_size(body: bytes) -> None:
    """Raise CanonicalFormError if this is more than people can be asked to sign."""
    if len(body) > MAX_DOCUMENT:
        raise CanonicalFormError(f"{len(body)} bytes are too many; at most {MAX_DOCUMENT}")


def parse(body: bytes) -> dict[str, Any]:
    """Read signed bytes back; refuse anything that is not exactly its own canonical form."""
    check_size(body)
    try:
        document = json.loads(body)
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise CanonicalFormError(f"not JSON: {error}") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise CanonicalFormError(f"not a document of format {FORMAT!r}")
    if canonical(document) != body:
        raise CanonicalFormError("not in canonical form (RFC 8785)")
    return document
