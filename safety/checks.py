"""Does a waiting event still fit the world, and the bytes that were signed?  Pure."""

from safety import errors
from safety.canonical import CanonicalFormError, digest, parse, salient_state
from safety.policy import Circumstances, effective_hazard
from safety.records import SafetyEvent


def changed(event: SafetyEvent, seen: Circumstances) -> tuple[str, str] | None:
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
    signed = parse(event.canonical)["device_state"]
    if signed != salient_state(seen.device.kind, seen.state):
        return (
            errors.STATE_CHANGED,
            f"{seen.device.name} has changed since it was asked. Please ask again.",
        )
    return None


def tampered(event: SafetyEvent) -> tuple[str, str] | None:
    """Check that the stored action is the one in the signed bytes."""
    action = event.proposal.action
    try:
        signed = parse(event.canonical)
    except CanonicalFormError:
        signed = {}
    same = (
        digest(event.canonical) == event.digest
        and signed.get("id") == str(event.id)
        and signed.get("action")
        == {
            "kind": type(action).__name__,
            "intent": action.intent,
            "arguments": action.arguments,
        }
        and signed.get("device", {}).get("id") == str(action.device)
        and signed.get("zone", {}).get("id") == str(action.zone)
    )
    return None if same else ("tampered", "The stored request does not fit what was signed.")
