"""The rules that an access policy lays down for whoever asks, one function each.  Pure.

A rule refuses or lets pass; none of them can make anything easier.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from safety.entities import (
    AccessPolicy,
    Hazard,
    PresenceStatus,
    Role,
    User,
    Zone,
    ZonePresence,
)
from safety.limits import TaintRule, Traffic


@dataclass(frozen=True, slots=True)
class Refusal:
    """The action may not run, whatever anyone adds."""

    code: str
    """Stable, for programs."""
    reason: str
    """For people: what, why, what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A hazardous request, as the rules of its zone see it."""

    hazard: Hazard
    requester: User
    zone: Zone
    policy: AccessPolicy
    presence: ZonePresence | None
    asked: Traffic | None
    """What the requester has asked for before; None if the request is not a new one."""
    tainted: bool
    now: datetime


Rule = Callable[[Case], Refusal | None]


def taint(case: Case) -> Refusal | None:
    """Refuse what untrusted text may have steered, where the policy wants that."""
    if not case.tainted or case.policy.taint is not TaintRule.REFUSE:
        return None
    return Refusal(
        "tainted_request",
        f"Something from outside may have led to this, and {case.zone.name} does not take such"
        " requests. Ask for it yourself, in your own words.",
    )


def hours(case: Case) -> Refusal | None:
    """Refuse outside the policy's time windows."""
    windows = case.policy.time_windows
    if windows is None or windows.hold(case.now):
        return None
    return Refusal(
        "outside_hours",
        f"Nothing hazardous is done in {case.zone.name} at this time, only {windows.words}.",
    )


def role(case: Case) -> Refusal | None:
    """Refuse a low hazard to somebody without a role: their own word would be enough."""
    if case.hazard is not Hazard.LOW or may_sign(case.requester.roles, case.policy):
        return None
    roles = ", ".join(sorted(case.policy.required_roles))
    return Refusal("not_authorised", f"In {case.zone.name} that takes one of the roles {roles}.")


def presence(case: Case) -> Refusal | None:
    """Refuse when the requester has not been seen in the zone, where that counts."""
    ttl = case.policy.presence_ttl
    if not must_be_there(case) or present(case.presence, case.requester, case.zone, ttl, case.now):
        return None
    minutes = int(ttl.total_seconds() // 60)
    return Refusal(
        "no_presence",
        f"You have not been seen at {case.zone.name} in the last {minutes} minutes."
        " Badge in there and ask again.",
    )


def pending(case: Case) -> Refusal | None:
    """Refuse a new request while too many of the same person wait for people."""
    if case.asked is None or case.asked.pending < case.policy.max_pending:
        return None
    return Refusal(
        "too_many_pending",
        f"{case.asked.pending} of your requests wait for people already. Have them settled, or"
        " withdraw some, then ask again.",
    )


def requests(case: Case) -> Refusal | None:
    """Refuse a new request when the same person has asked too often in the policy's period."""
    limit = case.policy.max_requests
    if case.asked is None or limit is None or case.asked.recent < limit.count:
        return None
    return Refusal(
        "too_many_requests",
        f"You have asked for {case.asked.recent} hazardous things in {case.zone.name} in the last"
        f" {limit.period.total_seconds():g} s; {limit.count} are allowed. Try again later.",
    )


RULES: Final[Mapping[str, Rule]] = {
    "taint": taint,
    "hours": hours,
    "role": role,
    "presence": presence,
    "pending": pending,
    "requests": requests,
}
"""In the order in which they are asked."""


def refused(case: Case) -> Refusal | None:
    """Return the first refusal; None if every rule lets it pass."""
    return next((found for rule in RULES.values() if (found := rule(case)) is not None), None)


def must_be_there(case: Case) -> bool:
    """Tell whether the requester's presence counts."""
    return case.policy.requires_presence or case.hazard is Hazard.HIGH


def present(
    sighting: ZonePresence | None, user: User, zone: Zone, ttl: timedelta, now: datetime
) -> bool:
    """Tell whether this user was seen in this zone within the time to live (not in the future)."""
    return (
        sighting is not None
        and sighting.status is PresenceStatus.PRESENT
        and (sighting.user, sighting.zone) == (user.id, zone.id)
        and now - ttl <= sighting.observed_at <= now
    )


def may_sign(roles: frozenset[Role], policy: AccessPolicy) -> bool:
    """Tell whether somebody with these roles may authorise under this policy."""
    return bool(roles & policy.required_roles)
