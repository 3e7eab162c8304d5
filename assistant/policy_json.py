"""Policies and explanations as JSON."""

from typing import Any, assert_never

from assistant.words import need_words, wish
from infra.store.policies import ZonePolicy
from safety.entities import AccessPolicy, Hazard, Zone
from safety.explaining import Check, Explanation, equipment
from safety.hours import WEEK, Hours, written
from safety.limits import RequestLimit
from safety.policy import QUORUM, Assessment, Clear, Refusal, Waits


def zone_policy_json(found: ZonePolicy) -> dict[str, Any]:
    """Return a zone and what it demands; `policy` is None where nothing hazardous is done."""
    zone, policy = found.zone, found.policy
    return {
        "zone": {
            "id": str(zone.id),
            "slug": zone.slug,
            "name": zone.name,
            "hazard_level": zone.hazard_level.value,
            "requires_ppe": zone.requires_ppe,
        },
        "policy": None if policy is None else _policy_json(zone, policy),
    }


def _policy_json(zone: Zone, policy: AccessPolicy) -> dict[str, Any]:
    level = Hazard.HIGH if policy.requires_dual_confirm else zone.hazard_level.hazard
    return {
        "id": str(policy.id),
        "name": policy.name,
        "version": policy.version,
        "required_roles": sorted(policy.required_roles),
        "requires_dual_confirm": policy.requires_dual_confirm,
        "quorum": QUORUM[level],
        "requires_presence": policy.requires_presence or level is Hazard.HIGH,
        "presence_ttl_seconds": policy.presence_ttl.total_seconds(),
        "ppe": list(equipment(zone, policy)),
        "time_zone": None if policy.time_windows is None else policy.time_windows.zone,
        "time_windows": _windows(policy.time_windows),
        "max_requests": _limit(policy.max_requests),
        "max_pending": policy.max_pending,
        "taint": policy.taint.value,
    }


def _windows(hours: Hours | None) -> list[dict[str, Any]]:
    return [
        {
            "days": [day.value for day in WEEK if day in each.days],
            "from": written(each.begins),
            "to": written(each.ends),
        }
        for each in (() if hours is None else hours.windows)
    ]


def _limit(limit: RequestLimit | None) -> dict[str, Any] | None:
    if limit is None:
        return None
    return {"count": limit.count, "seconds": limit.period.total_seconds()}


def explanation_json(found: Explanation, name: str) -> dict[str, Any]:
    """Return an explanation; `name` is what people call the device."""
    zone, policy = found.seen.zone, found.seen.policy
    return {
        "what": wish(found.action, name),
        "device_id": str(found.action.device),
        "zone": None if zone is None else zone.name,
        "policy": None if policy is None else {"name": policy.name, "version": policy.version},
        **_verdict(found.verdict),
        "hazard": found.hazard.word,
        "reasons": [
            {"source": each.source, "hazard": each.hazard.word, "text": each.text}
            for each in found.reasons
        ],
        "checks": [_check(each) for each in found.checks],
        "protection": list(found.protection),
    }


def _verdict(verdict: Assessment) -> dict[str, Any]:
    match verdict:
        case Clear():
            return {"verdict": "clear", "code": None, "reason": None, "needs": []}
        case Waits(needs=needs):
            words = list(need_words([need.value for need in needs]))
            return {"verdict": "waits", "code": None, "reason": None, "needs": words}
        case Refusal(code=code, reason=reason):
            return {"verdict": "refused", "code": code, "reason": reason, "needs": []}
        case _ as unreachable:
            assert_never(unreachable)


def _check(check: Check) -> dict[str, Any]:
    refusal = check.refusal
    return {
        "rule": check.rule,
        "demand": check.demand,
        "met": check.met,
        "code": None if refusal is None else refusal.code,
        "reason": None if refusal is None else refusal.reason,
    }
