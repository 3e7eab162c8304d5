"""Turn rows of access_policies into policies."""

from collections.abc import Mapping
from typing import Any

from infra.store.rows import Row
from safety.entities import AccessPolicy, PolicyId, Role, ZoneId
from safety.hours import Day, Hours, TimeWindow, minutes_of
from safety.limits import RequestLimit, TaintRule


def policy_of(row: Row, zone: ZoneId) -> AccessPolicy | None:
    """Build the policy of a row with policy_id and policy_name; None if the zone has none."""
    if row["policy_id"] is None:
        return None
    return AccessPolicy(
        id=PolicyId(row["policy_id"]),
        name=row["policy_name"],
        zone=zone,
        required_roles=frozenset(Role(each) for each in row["required_roles"]),
        requires_dual_confirm=row["requires_dual_confirm"],
        requires_presence=row["requires_presence"],
        pqe_checks=row["pqe_checks"],
        version=row["version"],
        presence_ttl=row["presence_ttl"],
        time_windows=_hours(row),
        max_requests=_limit(row),
        max_pending=row["max_pending"],
        taint=TaintRule(row["taint"]),
    )


def _hours(row: Row) -> Hours | None:
    if not row["time_windows"]:
        return None
    windows = tuple(_window(each) for each in row["time_windows"])
    return Hours(zone=row["time_zone"], windows=windows)


def _window(stored: Mapping[str, Any]) -> TimeWindow:
    return TimeWindow(
        days=frozenset(Day(each) for each in stored["days"]),
        begins=minutes_of(stored["from"]),
        ends=minutes_of(stored["to"]),
    )


def _limit(row: Row) -> RequestLimit | None:
    if row["max_requests"] is None:
        return None
    return RequestLimit(count=row["max_requests"], period=row["max_requests_period"])
