"""What an action would need, before anybody asks for it.  Pure; the verdict is that of `assess`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from safety.actions import Action
from safety.canonical import SOME_PROTECTION
from safety.entities import AccessPolicy, Hazard, Zone
from safety.limits import TaintRule
from safety.policy import (
    Assessment,
    Circumstances,
    Refusal,
    Support,
    assess,
    case_of,
    effective_hazard,
    unfit,
)
from safety.rules import RULES, Case, must_be_there


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why the hazard is at least this."""

    source: str
    """`action`, `zone`, `policy` or `taint`."""
    hazard: Hazard
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One demand, and whether it is met now."""

    rule: str
    """`device`, `person`, `policy`, or a name of safety.rules.RULES."""
    demand: str
    """What is wanted, in words."""
    refusal: Refusal | None = None
    """What would be said; None when it is met."""

    @property
    def met(self) -> bool:
        """Whether nothing stands against it."""
        return self.refusal is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What the gate would say to an action, and why."""

    action: Action
    verdict: Assessment
    hazard: Hazard
    reasons: tuple[Reason, ...]
    checks: tuple[Check, ...]
    seen: Circumstances
    protection: tuple[str, ...] = ()
    """Protective equipment that signers vouch for."""


def explain(action: Action, seen: Circumstances, support: Support, now: datetime) -> Explanation:
    """Return what the gate would say to an action now, with everything that counts."""
    hazard = effective_hazard(action, seen.zone, seen.policy, tainted=support.tainted)
    verdict = assess(action, seen, support, now)
    checks = [
        Check(rule="device", demand="the device can do it now", refusal=unfit(action, seen)),
        *_checks(case_of(action, seen, support, now)),
    ]
    if isinstance(verdict, Refusal) and all(each.met for each in checks):
        checks.append(_no_rules(seen, verdict))
    return Explanation(
        action=action,
        verdict=verdict,
        hazard=hazard,
        reasons=tuple(_reasons(action, seen, support, hazard)),
        checks=tuple(checks),
        seen=seen,
        protection=_protection(seen) if hazard > Hazard.LOW else (),
    )


def _no_rules(seen: Circumstances, refusal: Refusal) -> Check:
    """Say why there are no rules to ask."""
    if seen.requester is None:
        return Check(rule="person", demand="whoever asks may still ask", refusal=refusal)
    return Check(rule="policy", demand="an access policy covers the zone", refusal=refusal)


def _reasons(action: Action, seen: Circumstances, support: Support, hazard: Hazard) -> list[Reason]:
    if action.makes_safe:
        text = "making safe is never held up"
        return [Reason(source="action", hazard=Hazard.NONE, text=text)]
    found = [Reason(source="action", hazard=action.hazard, text="by its kind")]
    if action.hazard > Hazard.NONE:
        zone, policy = seen.zone, seen.policy
        level, name = (zone.hazard_level.hazard, zone.name) if zone else (Hazard.HIGH, "nowhere")
        found.append(Reason(source="zone", hazard=level, text=f"the level of {name}"))
        if policy is not None and policy.requires_dual_confirm:
            text = f"the policy {policy.name!r} wants two people"
            found.append(Reason(source="policy", hazard=Hazard.HIGH, text=text))
    if support.tainted:
        text = "untrusted text raises it one step"
        found.append(Reason(source="taint", hazard=hazard, text=text))
    return found


def _checks(case: Case | None) -> list[Check]:
    if case is None:
        return []
    return [
        Check(rule=name, demand=demand, refusal=RULES[name](case))
        for name, words in _DEMANDS.items()
        if (demand := words(case))
    ]


def _taint(case: Case) -> str:
    refuses = case.policy.taint is TaintRule.REFUSE
    return "nothing from outside led to it" if refuses else ""


def _hours(case: Case) -> str:
    windows = case.policy.time_windows
    return "" if windows is None else f"it is {windows.words}"


def _role(case: Case) -> str:
    if case.hazard is not Hazard.LOW:
        return ""
    return f"whoever asks is one of: {', '.join(sorted(case.policy.required_roles))}"


def _presence(case: Case) -> str:
    if not must_be_there(case):
        return ""
    seconds = case.policy.presence_ttl.total_seconds()
    return f"{case.requester.display_name} was seen at {case.zone.name} in the last {seconds:g} s"


def _pending(case: Case) -> str:
    waiting = "" if case.asked is None else f", now {case.asked.pending}"
    return f"fewer than {case.policy.max_pending} requests of the same person wait{waiting}"


def _requests(case: Case) -> str:
    limit = case.policy.max_requests
    if limit is None:
        return ""
    made = "" if case.asked is None else f", so far {case.asked.recent}"
    return f"at most {limit.words} by the same person{made}"


_DEMANDS: Final[Mapping[str, Callable[[Case], str]]] = {
    "taint": _taint,
    "hours": _hours,
    "role": _role,
    "presence": _presence,
    "pending": _pending,
    "requests": _requests,
}
"""What each rule demands, in words; empty where it demands nothing."""


def _protection(seen: Circumstances) -> tuple[str, ...]:
    zone, policy = seen.zone, seen.policy
    return equipment(zone, policy) if zone is not None and policy is not None else ()


def equipment(zone: Zone, policy: AccessPolicy) -> tuple[str, ...]:
    """Return the protective equipment that signers vouch for in a zone."""
    return (policy.ppe or (SOME_PROTECTION,)) if zone.requires_ppe else ()
