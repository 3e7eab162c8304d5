"""Decide what an action still needs.  Pure: no clock, no I/O.

The table (docs/architecture.md shows it): none runs at once; low wants the requester's
explicit confirmation; medium one signature by an authorised person; high two distinct people
with two distinct keys, the requester's presence and protective equipment where the zone asks.
The stricter of action, zone and policy counts; untrusted text raises it one step.
Whatever is unknown is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from safety.actions import KINDS, Action
from safety.entities import (
    AccessPolicy,
    Device,
    Hazard,
    KeyId,
    OnlineState,
    Role,
    User,
    UserId,
    Zone,
    ZonePresence,
)
from safety.limits import Traffic
from safety.rules import Case, Refusal, may_sign, refused

__all__ = [
    "NEED_WORDS",
    "QUORUM",
    "Assessment",
    "Circumstances",
    "Clear",
    "Need",
    "Refusal",
    "Signer",
    "Support",
    "Waits",
    "assess",
    "case_of",
    "counted",
    "effective_hazard",
    "may_sign",
    "unfit",
]

QUORUM: Final[Mapping[Hazard, int]] = {
    Hazard.NONE: 0,
    Hazard.LOW: 0,
    Hazard.MEDIUM: 1,
    Hazard.HIGH: 2,
}
"""Distinct people who must sign, by hazard."""


class Need(StrEnum):
    """Something missing before an action may run."""

    CONFIRMATION = "confirmation"
    SIGNATURE = "signature"
    SECOND_SIGNATURE = "second_signature"


NEED_WORDS: Final[Mapping[Need, str]] = {
    Need.CONFIRMATION: "your confirmation",
    Need.SIGNATURE: "the signature of an authorised person",
    Need.SECOND_SIGNATURE: "the signature of a second person",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """Somebody who signed the event, as they stand now."""

    user: UserId
    key: KeyId
    roles: frozenset[Role]
    valid: bool = True
    """False when the signature does not verify, the key was revoked or the person disabled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What is known of the place, the machine and the rules at this moment."""

    device: Device | None
    zone: Zone | None
    policy: AccessPolicy | None
    state: Mapping[str, Any] = field(default_factory=dict)
    """What the device last reported."""
    requester: User | None = None
    """Who asks, as they stand now; None if unknown or disabled."""
    presence: ZonePresence | None = None
    """The newest sighting of the requester in the zone."""
    has_driver: bool = True
    """Whether anything is set up that could tell the device; the gate fills it in."""
    asked: Traffic | None = None
    """What the requester has asked for before; the gate fills it in for new requests only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Support:
    """What speaks for the request so far."""

    confirmed: bool = False
    signers: tuple[Signer, ...] = ()
    tainted: bool = False
    """Untrusted text (a web page, a file name) may have steered the request."""


@dataclass(frozen=True, slots=True)
class Clear:
    """Nothing is missing."""

    hazard: Hazard


@dataclass(frozen=True, slots=True)
class Waits:
    """The action may run once these are there."""

    hazard: Hazard
    needs: frozenset[Need]


Assessment = Clear | Waits | Refusal


def effective_hazard(
    action: Action, zone: Zone | None, policy: AccessPolicy | None, *, tainted: bool
) -> Hazard:
    """Return the stricter of action, zone and policy, one step higher when tainted."""
    if action.makes_safe:
        return Hazard.NONE
    level = action.hazard
    if level > Hazard.NONE:
        level = max(level, zone.hazard_level.hazard if zone else Hazard.HIGH)
        if policy is not None and policy.requires_dual_confirm:
            level = Hazard.HIGH
    return Hazard(min(level + 1, Hazard.HIGH)) if tainted else level


def assess(
    action: Action, circumstances: Circumstances, support: Support, now: datetime
) -> Assessment:
    """Return whether the action may run now, waits for people, or is refused."""
    impossible = unfit(action, circumstances)
    if impossible is not None:
        return impossible
    zone, policy, requester = circumstances.zone, circumstances.policy, circumstances.requester
    if requester is None and not action.makes_safe:
        return Refusal(
            "unknown_person", "Whoever asked may not ask any more. An admin can let them in again."
        )
    hazard = effective_hazard(action, zone, policy, tainted=support.tainted)
    if hazard is Hazard.NONE:
        return Clear(hazard)
    assert zone is not None
    if policy is None:
        return Refusal(
            "no_policy",
            f"No access policy covers {zone.name}, so nothing hazardous is done there."
            " An admin must add one.",
        )
    case = case_of(action, circumstances, support, now)
    assert case is not None
    refusal = refused(case)
    if refusal is not None:
        return refusal
    needs = _missing(hazard, policy, support)
    return Waits(hazard, needs) if needs else Clear(hazard)


def case_of(action: Action, seen: Circumstances, support: Support, now: datetime) -> Case | None:
    """Return the request as the rules of its zone see it; None if there are no rules for it."""
    hazard = effective_hazard(action, seen.zone, seen.policy, tainted=support.tainted)
    if hazard is Hazard.NONE or seen.zone is None or seen.policy is None or seen.requester is None:
        return None
    return Case(
        hazard=hazard,
        requester=seen.requester,
        zone=seen.zone,
        policy=seen.policy,
        presence=seen.presence,
        asked=seen.asked,
        tainted=support.tainted,
        now=now,
    )


def unfit(action: Action, seen: Circumstances) -> Refusal | None:
    """Refuse what the device cannot or must not be told, whoever asks."""
    device, zone = seen.device, seen.zone
    if type(action) not in KINDS:
        return Refusal("unknown_action", f"{type(action).__name__} is not something KITTY may do.")
    if device is None or zone is None:
        return Refusal("unknown_device", "There is no such device. Ask me to list the devices.")
    name = device.name
    if device.zone != action.zone or zone.id != action.zone:
        return Refusal("wrong_zone", f"{name} is not in that zone any more. Please ask again.")
    if device.kind not in action.device_kinds or action.intent not in device.intents:
        return Refusal("unsupported_intent", f"{name} cannot do that: it has no {action.intent!r}.")
    if not seen.has_driver:
        return Refusal("no_driver", f"Nothing is set up that could tell {name} to do that.")
    beyond = action.beyond(device.capabilities)
    if beyond is not None:
        return Refusal("beyond_device_limits", f"{name}: {beyond}")
    return None if action.makes_safe else _unreachable(action, device)


def _unreachable(action: Action, device: Device) -> Refusal | None:
    if device.online_state is OnlineState.OFFLINE:
        seen = f" since {device.last_seen:%H:%M} UTC" if device.last_seen else ""
        return Refusal("device_offline", f"{device.name} is offline{seen}. I did nothing.")
    if device.online_state is OnlineState.FAULT and action.hazard > Hazard.NONE:
        return Refusal(
            "device_fault", f"{device.name} reports a fault. Clear it first, then ask again."
        )
    return None


def counted(signers: tuple[Signer, ...], policy: AccessPolicy) -> tuple[Signer, ...]:
    """Return those whose signatures count under this policy."""
    return tuple(each for each in signers if each.valid and may_sign(each.roles, policy))


def _missing(hazard: Hazard, policy: AccessPolicy, support: Support) -> frozenset[Need]:
    if hazard is Hazard.LOW:
        return frozenset() if support.confirmed else frozenset({Need.CONFIRMATION})
    signers = counted(support.signers, policy)
    # People and keys both count: two keys of one person are one person,
    # and a key shared by two people is one key.
    have = min(len({s.user for s in signers}), len({s.key for s in signers}))
    wanted = QUORUM[hazard]
    if have >= wanted:
        return frozenset()
    if have == 0 and wanted > 1:
        return frozenset({Need.SIGNATURE, Need.SECOND_SIGNATURE})
    return frozenset({Need.SECOND_SIGNATURE if have else Need.SIGNATURE})
