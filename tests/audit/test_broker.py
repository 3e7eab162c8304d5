"""Over a real broker: whoever comes later still hears the newest checkpoint, byte for byte."""

import asyncio
import io
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from audit.gatelog import add, exported

from infra import clock
from infra.audit_checkpoints import TOPIC, Checkpoints
from infra.audit_files import AuditFiles
from infra.broker import BrokerProcess, Engine
from infra.db import StorePool
from infra.mqtt import Bus, BusSettings, Message
from infra.store.audit import AuditLog
from safety.audit.checkpoint import read_checkpoints
from safety.audit.verdict import Status
from safety.audit.verify import verify

WITHIN = timedelta(seconds=15)
pytestmark = pytest.mark.anyio


@pytest.fixture
async def broker(anyio_backend: str, tmp_path: Path) -> AsyncIterator[BrokerProcess]:
    process = BrokerProcess(tmp_path, engine=Engine.EMBEDDED)
    await process.start()
    yield process
    await process.stop()


def bus_of(broker: BrokerProcess, client_id: str) -> Bus:
    return Bus(
        BusSettings(
            host=broker.host, port=broker.port, client_id=client_id,
            username=broker.username, password=broker.password,
        )
    )  # fmt: skip


async def test_a_listener_holds_what_finds_a_cut_log(
    pool: StorePool, database: str, broker: BrokerProcess, tmp_path: Path
) -> None:
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def listen(message: Message) -> None:
        heard.put_nowait(message.payload)

    with psycopg.connect(database, autocommit=True) as writer:
        add(writer, 5)
    async with bus_of(broker, "kitty") as bus, asyncio.timeout(60):
        service = Checkpoints(
            log=AuditLog(pool), files=AuditFiles(tmp_path), now=clock.now, carrier=bus
        )
        await bus.ready(WITHIN)
        await service.tick()
        listener = bus_of(broker, "listener")
        listener.subscribe(TOPIC, listen)
        async with listener:
            copy = await heard.get() + b"\n"
    data = await exported(pool, tmp_path)
    copies = list(read_checkpoints(io.BytesIO(copy), "copies"))
    assert [each.line() for each in copies] == [copy]
    assert verify(io.BytesIO(data), outside=copies).outside == 1
    cut = b"".join(data.splitlines(keepends=True)[:4])
    verdict = verify(io.BytesIO(cut), outside=copies)
    assert (verdict.status, verdict.code, verdict.first) == (Status.TAMPERED, "cut_at_end", 4)
