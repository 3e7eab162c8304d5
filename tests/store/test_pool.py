"""The pool: connections that survive the death of the database, and say so when they cannot."""

import os
import signal
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import anyio.lowlevel
import psycopg
import pytest

from infra.db import StorePool, StoreUnavailableError, is_lost, open_pool
from infra.postgres import EmbeddedPostgres
from infra.postgres_process import running_server

pytestmark = pytest.mark.anyio


@pytest.fixture
def server() -> Iterator[EmbeddedPostgres]:
    with tempfile.TemporaryDirectory(prefix="kitty-pool-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        with EmbeddedPostgres(Path(folder), settings={"fsync": "off"}) as running:
            yield running


async def _one(pool: StorePool, statement: str, timeout: float | None = None) -> object:  # noqa: ASYNC109
    async with pool.connection(timeout) as connection:
        cursor = await connection.execute(statement)
        row = await cursor.fetchone()
    assert row is not None
    return row[0]


async def test_connections_commit_by_themselves_and_speak_utc(pool: StorePool) -> None:
    async with pool.connection() as connection:
        assert connection.autocommit
    moment = await _one(pool, "select now()")
    assert isinstance(moment, datetime)
    assert moment.tzinfo == UTC


async def test_a_killed_database_costs_a_wait_and_then_nothing(server: EmbeddedPostgres) -> None:
    async with open_pool(server.dsn, min_size=2, max_size=4) as pool:
        assert await _one(pool, "select 1") == 1
        for _ in range(2):
            assert server.pid is not None
            os.kill(server.pid, signal.SIGKILL)
            with anyio.fail_after(20):
                while running_server(server.home / "pg18") is not None:
                    await anyio.lowlevel.checkpoint()
            assert server.ensure_running()
            assert await _one(pool, "select 2") == 2


async def test_no_database_is_said_after_the_wait_asked_for(server: EmbeddedPostgres) -> None:
    async with open_pool(server.dsn, min_size=1, max_size=2) as pool:
        server.stop()
        with pytest.raises(StoreUnavailableError, match="does not answer") as refused:
            await _one(pool, "select 1", timeout=0.2)
        assert refused.value.code == "store_unavailable"
        server.start()
        assert await _one(pool, "select 1") == 1


async def test_a_connection_lost_under_a_statement_is_said(server: EmbeddedPostgres) -> None:
    async with open_pool(server.dsn, min_size=1, max_size=2) as pool:
        with pytest.raises(StoreUnavailableError):
            await _one(pool, "select pg_terminate_backend(pg_backend_pid())")
        assert await _one(pool, "select 1") == 1


async def test_a_fault_of_the_statement_is_not_a_lost_connection(pool: StorePool) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero):
        await _one(pool, "select 1 / 0")
    with pytest.raises(psycopg.errors.QueryCanceled) as cancelled:
        await _one(pool, "set statement_timeout = 1; select pg_sleep(10)")
    assert not is_lost(cancelled.value)


async def test_a_database_that_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailableError):
        async with open_pool(f"host={tmp_path} dbname=kitty", patience=timedelta(seconds=0.3)):
            raise AssertionError("there is nothing to connect to")
