"""What the routing page shows: rows of the log and two small plots.  Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

Row = Mapping[str, Any]

COLUMNS: Final[Sequence[Mapping[str, Any]]] = (
    {"name": "at", "label": "Time", "field": "at", "align": "left"},
    {"name": "tier", "label": "Tier", "field": "tier", "align": "left"},
    {"name": "confidence", "label": "Confidence", "field": "confidence"},
    {"name": "rule", "label": "Rule", "field": "rule", "align": "left"},
    {"name": "latency", "label": "Latency", "field": "latency"},
    {"name": "cost", "label": "Cost", "field": "cost"},
    {"name": "outcome", "label": "Outcome", "field": "outcome", "align": "left"},
    {"name": "reason", "label": "Reason", "field": "reason", "align": "left"},
)
SHOWN: Final[Mapping[str, Mapping[str, str]]] = {
    "at": {":format": "value => new Date(value).toLocaleString('en-GB')"},
    "confidence": {":format": "value => Math.round(value * 100) + ' %'"},
    "latency": {":format": "value => value === null ? '–' : value + ' ms'"},
    "cost": {":format": "value => '$' + value.toFixed(value ? 4 : 0)"},
}
"""How the browser writes a value: sorting stays with the value itself."""

_COLOURS: Final[Mapping[str, str]] = {
    "done": "#2e8b57",
    "answered": "#3d8fb0",
    "pending": "#c98a12",
    "refused": "#8a94a0",
    "failed": "#d0453a",
    "unknown": "#9a5fc0",
}


def table_row(stored: Row) -> dict[str, Any]:
    """Return one decision as the table holds it."""
    return {
        "id": str(stored["id"]),
        "at": stored["created_at"].isoformat(),
        "tier": stored["selected_tier"],
        "confidence": float(stored["confidence"]),
        "rule": stored["rule"],
        "latency": stored["latency_ms"],
        "cost": float(stored["cost_estimate"]),
        "outcome": stored["outcome"] or "not yet",
        "reason": stored["escalation_reason"] or "",
    }


def latency_plot(rows: Sequence[Row]) -> dict[str, Any]:
    """Plot latency in ms over time."""
    points = [[row["at"], row["latency"]] for row in rows if row["latency"] is not None]
    return _plot("Latency, ms") | {
        "xAxis": {"type": "time", "splitNumber": 4, "axisLabel": {"hideOverlap": True}},
        "yAxis": {"type": "value", "min": 0},
        "tooltip": {"trigger": "item"},
        "series": [
            {"type": "scatter", "symbolSize": 7, "itemStyle": {"color": "#3d8fb0"}, "data": points}
        ],
    }


def outcome_plot(rows: Sequence[Row]) -> dict[str, Any]:
    """Plot how many requests came to which outcome, by tier."""
    tiers = sorted({str(row["tier"]) for row in rows})
    counted = Counter((row["outcome"], row["tier"]) for row in rows)
    return _plot("Outcome by tier") | {
        "grid": {"left": 8, "right": 16, "top": 62, "bottom": 8, "containLabel": True},
        "legend": {"top": 30, "type": "scroll"},
        "xAxis": {"type": "value", "minInterval": 1},
        "yAxis": {"type": "category", "data": tiers},
        "tooltip": {"trigger": "item"},
        "series": [
            {
                "name": outcome,
                "type": "bar",
                "stack": "all",
                "barMaxWidth": 34,
                "itemStyle": {"color": _COLOURS.get(str(outcome), "#8a94a0")},
                "data": [counted[outcome, tier] for tier in tiers],
            }
            for outcome in sorted({str(row["outcome"]) for row in rows})
        ],
    }


def _plot(title: str) -> dict[str, Any]:
    return {
        "animation": False,
        "title": {"text": title, "textStyle": {"fontSize": 15, "fontWeight": 500}},
        "grid": {"left": 8, "right": 16, "top": 40, "bottom": 8, "containLabel": True},
    }
