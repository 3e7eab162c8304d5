"""What is counted can be read, and cannot be made to fill memory."""

from decimal import Decimal

from prometheus_client.parser import text_string_to_metric_families

from infra.metrics import MAX_LABEL, MAX_SERIES, Metrics

NAMES = {
    "kitty_routing_requests_total": {"tier", "outcome"},
    "kitty_routing_latency_ms_count": {"tier"},
    "kitty_routing_cost_total": {"tier"},
    "kitty_commands_total": {"intent", "status"},
    "kitty_gate_outcomes_total": {"verdict", "code"},
    "kitty_queue_depth": {"queue"},
    "kitty_devices": {"kind", "state"},
    "kitty_http_requests_total": {"route", "status"},
    "kitty_mqtt_messages_total": {"kind"},
    "kitty_telemetry_refused_total": {"reason"},
    "kitty_approvals_pending": set(),
}


def samples(metrics: Metrics) -> dict[tuple[str, tuple[str, ...]], float]:
    found = {}
    for family in text_string_to_metric_families(metrics.render().decode()):
        for sample in family.samples:
            found[sample.name, tuple(sorted(sample.labels.values()))] = sample.value
    return found


def used() -> Metrics:
    metrics = Metrics()
    metrics.routed("local", "answered", latency_ms=7, cost=Decimal(0))
    metrics.routed("frontier", "failed", latency_ms=2500, cost=Decimal("0.0125"))
    metrics.command("switch", "acked")
    metrics.gate("refused", "no_policy")
    metrics.queue("handlers", 3)
    metrics.devices({("light", "online"): 4, ("door", "offline"): 1})
    metrics.http("/api/query", 202)
    metrics.mqtt("state", 5)
    metrics.telemetry_refused("too_large")
    metrics.approvals_pending(2)
    return metrics


def test_every_metric_is_there_under_its_name() -> None:
    labels: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(used().render().decode()):
        for sample in family.samples:
            labels[sample.name] = set(sample.labels)
    assert {name: labels.get(name) for name in NAMES} == NAMES


def test_values() -> None:
    found = samples(used())
    assert found["kitty_routing_requests_total", ("answered", "local")] == 1
    assert found["kitty_routing_cost_total", ("local",)] == 0
    assert found["kitty_routing_cost_total", ("frontier",)] == 0.0125
    assert found["kitty_routing_latency_ms_bucket", ("10.0", "local")] == 1
    assert found["kitty_routing_latency_ms_bucket", ("5.0", "local")] == 0
    assert found["kitty_mqtt_messages_total", ("state",)] == 5
    assert found["kitty_approvals_pending", ()] == 2


def test_devices_that_changed_state_are_not_counted_twice() -> None:
    metrics = used()
    metrics.devices({("light", "offline"): 4})
    found = {key[1]: value for key, value in samples(metrics).items() if key[0] == "kitty_devices"}
    assert found == {("light", "offline"): 4}


def test_series_are_bounded() -> None:
    metrics = Metrics()
    for number in range(3 * MAX_SERIES):
        metrics.http(f"/{number}" + "x" * 1_000, 404)
    found = {k: v for k, v in samples(metrics).items() if k[0] == "kitty_http_requests_total"}
    assert len(found) == MAX_SERIES + 1
    assert found["kitty_http_requests_total", ("other", "other")] == 2 * MAX_SERIES
    assert max(len(value) for key in found for value in key[1]) == MAX_LABEL


def test_two_processes_worth_of_metrics_do_not_meet() -> None:
    first, second = Metrics(), Metrics()
    first.approvals_pending(9)
    assert samples(second)["kitty_approvals_pending", ()] == 0
