"""What nobody needs goes after its time; what the audit rests on stays."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import anyio.to_thread
import psycopg
import pytest
from fakes.rows import NOW, Row, Rows

from infra import retention
from infra.db import StorePool
from infra.retention import Cleaned, clean

pytestmark = pytest.mark.anyio

TTL = timedelta(days=30)
LONG_AGO = NOW - timedelta(days=31)


@pytest.fixture
def rows(database: str) -> Iterator[Rows]:
    with psycopg.connect(database, autocommit=True) as connection:
        yield Rows(connection)


def _clean(pool: StorePool) -> Any:
    return clean(pool, now=NOW, conversation_ttl=TTL, telemetry_ttl=TTL)


def _count(rows: Rows, table: str) -> int:
    found = rows.connection.execute(f"select count(*) from {table}").fetchone()
    assert found is not None
    return int(found[0])


def _left(rows: Rows) -> set[Any]:
    return {row[0] for row in rows.connection.execute("select id from conversation_sessions")}


def _idle(rows: Rows) -> Row:
    return rows.conversation(last_message_at=LONG_AGO)


async def test_an_idle_conversation_goes_with_its_words(rows: Rows, pool: StorePool) -> None:
    idle, fresh = _idle(rows), rows.conversation()
    kept = rows.message(conversation_id=fresh["id"])
    for _ in range(3):
        request = rows.request(conversation_id=idle["id"])
        rows.message(conversation_id=idle["id"], request_id=request["id"])
    assert await _clean(pool) == Cleaned(conversations=(idle["id"],), telemetry=0)
    assert _left(rows) >= {fresh["id"]}
    assert idle["id"] not in _left(rows)
    assert _count(rows, "conversation_messages") == 1
    assert rows.get("conversation_messages", kept) == kept


async def test_the_audit_survives_without_the_link(rows: Rows, pool: StorePool) -> None:
    idle = _idle(rows)
    link = {"conversation_id": idle["id"]}
    pending = rows.event(**link, correlation_id="c1")
    denied = rows.update(
        "safety_events", pending, status="denied", reason_code="withdrawn", resolved_at=NOW
    )
    sent = rows.update("device_commands", rows.command(**link), status="sent", sent_at=NOW)
    acked = rows.update(
        "device_commands", sent, status="acked", ack_at=NOW, outcome="done", closed_at=NOW
    )
    decided = rows.update(
        "routing_decisions", rows.decision(**link), completed_at=NOW, latency_ms=1, outcome="done"
    )
    records = [
        ("safety_events", denied),
        ("device_commands", acked),
        ("routing_decisions", decided),
        ("cad_jobs", rows.cad_job(**link)),
        ("telemetry_events", rows.telemetry(**link)),
    ]
    cleaned = await _clean(pool)
    assert cleaned.conversations == (idle["id"],)
    for table, record in records:
        assert rows.get(table, record) == record | {"conversation_id": None}


async def test_a_conversation_in_which_something_waits_stays(rows: Rows, pool: StorePool) -> None:
    idle = [_idle(rows) for _ in range(3)]
    rows.event(conversation_id=idle[0]["id"])
    approved = rows.event(conversation_id=idle[1]["id"])
    rows.approve(approved)
    rows.command(conversation_id=idle[2]["id"])
    assert (await _clean(pool)).conversations == ()
    rows.update("safety_events", approved, resolved_at=NOW, reason_code="expired")
    assert (await _clean(pool)).conversations == (idle[1]["id"],)


@pytest.mark.parametrize(("age", "gone"), [(TTL, False), (TTL + timedelta(microseconds=1), True)])
async def test_the_moment_a_conversation_goes(
    rows: Rows, pool: StorePool, age: timedelta, gone: bool
) -> None:
    session = rows.conversation(last_message_at=NOW - age)
    assert ((await _clean(pool)).conversations == (session["id"],)) == gone


async def test_a_conversation_that_is_being_used_is_left_alone(rows: Rows, pool: StorePool) -> None:
    idle = _idle(rows)
    with rows.connection.transaction():
        rows.update("conversation_sessions", idle, last_message_at=NOW)
        assert (await _clean(pool)).conversations == ()
    assert (await _clean(pool)).conversations == ()
    assert idle["id"] in _left(rows)


async def test_more_than_one_batch_goes_although_some_must_stay(
    rows: Rows, pool: StorePool
) -> None:
    stays = rows.conversation(last_message_at=LONG_AGO - TTL)  # the first in every batch
    rows.event(conversation_id=stays["id"])
    owner = rows.user()["id"]
    number = retention.CONVERSATIONS_AT_ONCE + 5

    def fill() -> None:
        rows.connection.execute(
            "insert into conversation_sessions (id, context_key, owner_id, last_message_at)"
            " select gen_random_uuid(), 'c' || n, %s, %s from generate_series(1, %s) as n",
            (owner, LONG_AGO, number),
        )

    await anyio.to_thread.run_sync(fill)
    assert len((await _clean(pool)).conversations) == number
    assert stays["id"] in _left(rows)


async def test_old_telemetry_goes_in_batches(rows: Rows, pool: StorePool) -> None:
    device = rows.device()["id"]
    fresh = rows.telemetry(device_id=device, recorded_at=NOW - TTL)
    number = 2 * retention.TELEMETRY_AT_ONCE + 1
    rows.connection.execute(
        "insert into telemetry_events (id, device_id, topic, payload, recorded_at)"
        " select gen_random_uuid(), %s, 't', '{}', %s from generate_series(1, %s)",
        (device, LONG_AGO, number),
    )
    assert await _clean(pool) == Cleaned(conversations=(), telemetry=number)
    assert _count(rows, "telemetry_events") == 1
    assert rows.get("telemetry_events", fresh) == fresh
