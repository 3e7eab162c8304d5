"""20 commands a second for 60 s: none lost, none doubled, every row complete."""

import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import pytest
from fakes.house import House
from fakes.processes import cpu_seconds

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

RATE = 20
SECONDS = 60
TALKS = 8
LIGHTS = {
    "main-floor-bench": "bench",
    "print-farm-lights": "print farm",
    "welding-bay-lights": "welding bay",
    "laser-room-lights": "laser room",
    "store-room-lights": "store room",
}


def test_commands_for_a_minute(kitty: House, capsys: pytest.CaptureFixture[str]) -> None:
    talks = [kitty.said("hello")["conversation_id"] for _ in range(TALKS)]
    before = {name: set(kitty.seen(name)) for name in LIGHTS}
    assert kitty.server is not None
    names = list(LIGHTS)
    began = time.monotonic() + 0.5
    cpu = cpu_seconds(kitty.server.pid)

    def say(number: int) -> tuple[float, dict[str, Any]]:
        due = began + number / RATE
        time.sleep(max(0.0, due - time.monotonic()))  # the rate itself, not a wait for something
        where, on = LIGHTS[names[number % len(names)]], (number // len(names)) % 2 == 0
        answer = kitty.said(
            f"turn {'on' if on else 'off'} the {where} lights", conversation=talks[number % TALKS]
        )
        return time.monotonic() - due, answer

    with ThreadPoolExecutor(32) as pool:
        told = list(pool.map(say, range(RATE * SECONDS)))
    took = time.monotonic() - began
    cpu = cpu_seconds(kitty.server.pid) - cpu
    total = len(told)
    assert all(answer["calls"][0]["outcome"] == "done" for _, answer in told)
    kitty.settled()
    rows = complete(kitty, [answer["request_id"] for _, answer in told])
    executed = {name: kitty.seen(name) for name in LIGHTS}
    for name, seen in executed.items():
        fresh = [each for each in seen if each not in before[name]]
        assert sorted(fresh) == sorted(row["command"] for row in rows if row["device"] == name)
    waits = sorted(wait * 1000 for wait, _ in told)
    marks = statistics.quantiles(waits, n=100)
    with capsys.disabled():
        print(
            f"\n{total} commands in {took:.1f} s: p50 {marks[49]:.0f} ms, p95 {marks[94]:.0f} ms, "
            f"max {waits[-1]:.0f} ms; {cpu / total * 1000:.1f} CPU-ms a command in KITTY's process"
        )


def complete(kitty: House, requests: list[str]) -> list[dict[str, Any]]:
    """Check that every request has all of its rows, each of them finished; return them."""
    rows = kitty.rows(
        """
        select r.id::text as request, r.status, r.finished_at, r.result, c.id::text as command,
               c.outcome, c.status as state, c.sent_at, c.ack_at, c.closed_at, d.completed_at,
               d.latency_ms, d.outcome as decided, v.external_id as device,
               (select array_agg(m.role::text order by m.seq) from conversation_messages m
                where m.request_id = r.id) as roles,
               (select count(*) from gate_log g where g.command_id = c.id) as logged
        from conversation_requests r
        left join device_commands c on c.request_id = r.id
        left join routing_decisions d on d.request_id = r.id
        left join devices v on v.id = c.device_id
        where r.id::text = any(%s)
        """,
        requests,
    )
    assert sorted(row["request"] for row in rows) == sorted(requests)
    for row in rows:
        assert (row["status"], row["state"], row["outcome"]) == ("finished", "acked", "done"), row
        assert row["decided"] == "done"
        assert row["roles"] == ["user", "assistant"]
        assert row["logged"] >= 2
        times = [row["sent_at"], row["ack_at"], row["closed_at"], row["completed_at"]]
        assert all(times), row
        assert row["latency_ms"] is not None
        assert all(
            first <= second for first, second in pairwise([row["sent_at"], row["finished_at"]])
        )
    return rows
