"""Does a waiting event still fit the world, and the bytes that were signed?  Pure."""

from typing import Any, Final

from safety import errors
from safety.canonical import (
    CanonicalFormError,
    canonical,
    digest,
    event_document,
    parse,
    timestamp,
)
from safety.policy import QUORUM, Circumstances, effective_hazard
from safety.records import SafetyEvent

Misfit = tuple[str, str]
"""A stable code, and the reason for people."""

_RULES: Final = frozenset({"zone", "policy", "ppe"})
"""Parts of the signed document that tell the rules of the place."""
_TAMPERED: Final[Misfit] = (
    errors.TAMPERED,
    "The stored request does not fit what was signed.",
)


def changed(event: SafetyEvent, seen: Circumstances) -> Misfit | None:
    """Say what has changed since the event was signed for; None if it still fits."""
    if seen.policy is None or (seen.policy.id, seen.policy.version) != (
        event.policy,
        event.policy_version,
    ):
        return errors.POLICY_CHANGED, "The zone's policy has changed since. Please ask again."
    hazard = effective_hazard(
        event.proposal.action, seen.zone, seen.policy, tainted=event.proposal.tainted
    )
    if hazard is not event.hazard:
        return errors.POLICY_CHANGED, "The hazard has changed since. Please ask again."
    if seen.device is None:
        return "unknown_device", "The device is gone."
    different = _different(event, seen)
    if different & _RULES:
        return errors.POLICY_CHANGED, "The rules of the zone have changed since. Please ask again."
    if different:
        return (
            errors.STATE_CHANGED,
            f"{seen.device.name} has changed since it was asked. Please ask again.",
        )
    return None


def _different(event: SafetyEvent, seen: Circumstances) -> frozenset[str]:
    """Return the parts of the document that would read otherwise if it were written now."""
    signed = parse(event.canonical)
    try:
        again = parse(canonical(_document(event, seen, site=signed.get("site", ""))))
    except CanonicalFormError:
        return frozenset({"device_state"})
    return frozenset(part for part in signed | again if _text(signed, part) != _text(again, part))


def _text(document: dict[str, Any], part: str) -> bytes:
    """Return one part as bytes: as Python values true and 1 would be the same."""
    return canonical({part: document.get(part)})


def _document(event: SafetyEvent, seen: Circumstances, *, site: str) -> dict[str, Any]:
    assert seen.device is not None
    assert seen.zone is not None
    assert seen.policy is not None
    return event_document(
        event=event.id,
        action=event.proposal.action,
        device=seen.device,
        zone=seen.zone,
        policy=seen.policy,
        requester=seen.requester or event.proposal.requester,
        hazard=event.hazard,
        quorum=QUORUM[event.hazard],
        state=seen.state,
        evidence=event.proposal.evidence,
        nonce=event.nonce,
        not_before=event.not_before,
        expires_at=event.expires_at,
        tainted=event.proposal.tainted,
        site=site,
    )


def tampered(event: SafetyEvent) -> Misfit | None:
    """Check that what is stored beside the signed bytes says the same as they do."""
    try:
        signed = parse(event.canonical)
    except CanonicalFormError:
        return _TAMPERED
    same = digest(event.canonical) == event.digest and all(
        _at(signed, place) == value for place, value in _stored(event).items()
    )
    return None if same else _TAMPERED


def _stored(event: SafetyEvent) -> dict[str, Any]:
    """Return what the ledger's columns say, by its place in the document."""
    proposal, action = event.proposal, event.proposal.action
    return {
        "id": str(event.id),
        "action.kind": type(action).__name__,
        "action.intent": action.intent,
        "action.arguments": action.arguments,
        "device.id": str(action.device),
        "zone.id": str(action.zone),
        "requester.id": str(proposal.requester.id),
        "hazard": event.hazard.word,
        "quorum": QUORUM[event.hazard],
        "policy.id": str(event.policy),
        "policy.version": event.policy_version,
        "evidence": dict(proposal.evidence),
        "tainted": proposal.tainted,
        "nonce": event.nonce,
        "not_before": timestamp(event.not_before),
        "expires_at": timestamp(event.expires_at),
    }


def _at(document: dict[str, Any], place: str) -> Any:
    found: Any = document
    for name in place.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found
