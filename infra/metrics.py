"""What KITTY counts about itself, for Prometheus."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
BUCKETS_MS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000)
"""Milliseconds."""
MAX_SERIES: Final = 500
"""Series one metric may have; what comes later is counted as `other`."""
OTHER: Final = "other"
MAX_LABEL: Final = 100
"""Characters of a label's value."""


class Metrics:
    """All counters of one process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._seen: dict[str, set[tuple[str, ...]]] = {}
        ProcessCollector(registry=self.registry)
        self._requests = self._counter(
            "kitty_routing_requests", "Requests, by who answered.", "tier", "outcome"
        )
        self._latency = Histogram(
            "kitty_routing_latency_ms",
            "Milliseconds from a request to the end of its answer.",
            ("tier",),
            buckets=BUCKETS_MS,
            registry=self.registry,
        )
        self._cost = self._counter("kitty_routing_cost", "US dollars spent on answers.", "tier")
        self._commands = self._counter(
            "kitty_commands", "Commands to devices, by what came of them.", "intent", "status"
        )
        self._gate = self._counter(
            "kitty_gate_outcomes", "What the gate decided, and why.", "verdict", "code"
        )
        self._queues = self._gauge("kitty_queue_depth", "What waits to be worked on.", "queue")
        self._devices = self._gauge("kitty_devices", "Devices, by how they are.", "kind", "state")
        self._http = self._counter(
            "kitty_http_requests", "HTTP requests, by route and status.", "route", "status"
        )
        self._mqtt = self._counter("kitty_mqtt_messages", "MQTT messages, by kind.", "kind")
        self._refused = self._counter(
            "kitty_telemetry_refused", "Reports of devices that were refused, and why.", "reason"
        )
        self._approvals = self._gauge("kitty_approvals_pending", "Actions that wait for people.")

    def routed(self, tier: str, outcome: str, *, latency_ms: float, cost: Decimal) -> None:
        """Count an answered request; `cost` in US dollars."""
        self._requests.labels(*self._labels("requests", tier, outcome)).inc()
        (known,) = self._labels("tiers", tier)
        self._latency.labels(known).observe(latency_ms)
        self._cost.labels(known).inc(float(cost))

    def command(self, intent: str, status: str) -> None:
        """Count a command that reached this status."""
        self._commands.labels(*self._labels("commands", intent, status)).inc()

    def gate(self, verdict: str, code: str = "") -> None:
        """Count a decision of the gate."""
        self._gate.labels(*self._labels("gate", verdict, code)).inc()

    def queue(self, name: str, depth: int) -> None:
        """Say how much waits in a queue now."""
        self._queues.labels(*self._labels("queues", name)).set(depth)

    def devices(self, counts: Mapping[tuple[str, str], int]) -> None:
        """Say how many devices there are now, by kind and state; replaces what was said before."""
        self._devices.clear()
        for (kind, state), count in counts.items():
            self._devices.labels(*self._labels("devices", kind, state)).set(count)

    def http(self, route: str, status: int) -> None:
        """Count an HTTP request; `route` is the pattern, never the path somebody asked for."""
        self._http.labels(*self._labels("http", route, str(status))).inc()

    def mqtt(self, kind: str, count: int = 1) -> None:
        """Count messages."""
        self._mqtt.labels(*self._labels("mqtt", kind)).inc(count)

    def telemetry_refused(self, reason: str) -> None:
        """Count a report that was refused; `reason` is a stable code."""
        self._refused.labels(*self._labels("refused", reason)).inc()

    def approvals_pending(self, count: int) -> None:
        """Say how many actions wait for people now."""
        self._approvals.set(count)

    def render(self) -> bytes:
        """Return everything in Prometheus' text format (CONTENT_TYPE)."""
        return generate_latest(self.registry)

    def _counter(self, name: str, doc: str, *labels: str) -> Counter:
        return Counter(name, doc, labels, registry=self.registry)

    def _gauge(self, name: str, doc: str, *labels: str) -> Gauge:
        return Gauge(name, doc, labels, registry=self.registry)

    def _labels(self, metric: str, *values: str) -> tuple[str, ...]:
        """Bound the number of series: what somebody outside can choose must not fill memory."""
        short = tuple(value[:MAX_LABEL] for value in values)
        seen = self._seen.setdefault(metric, set())
        if short in seen or len(seen) < MAX_SERIES:
            seen.add(short)
            return short
        return (OTHER,) * len(short)
