"""LangGraph's checkpoints in PostgreSQL, through KITTY's own pool."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, cast
from uuid import UUID

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
)
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from psycopg import AsyncCursor
from psycopg.rows import DictRow, dict_row

from infra.db import StorePool

NEW: Final = "__new"
"""In a run's `configurable`: there cannot be a checkpoint of it yet."""
_PRUNE = (
    b"delete from checkpoint_writes where thread_id = any(%(threads)s)",
    b"delete from checkpoint_blobs where thread_id = any(%(threads)s)",
    b"delete from checkpoints where thread_id = any(%(threads)s)",
)


class PooledSaver(AsyncPostgresSaver):
    """The stock saver, leaner: no lock around all I/O, no pipeline around one statement.

    Nothing is looked up for a turn that is new, and nothing stored before its first node has
    ended: cut off there, it begins again.  A node's own results are not stored twice (once as a
    pending write and once in the next checkpoint): KITTY's nodes give the same effect when they
    run again, so a crash in between only costs their time.  What interrupts and resumes is stored.
    """

    def __init__(self, pool: StorePool) -> None:
        super().__init__(cast("Any", pool))
        self._pool = pool

    @asynccontextmanager
    async def _cursor(self, *, pipeline: bool = False) -> AsyncIterator[AsyncCursor[DictRow]]:
        del pipeline
        async with (
            self._pool.connection() as connection,
            connection.cursor(binary=True, row_factory=dict_row) as cursor,
        ):
            yield cursor

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Return where a turn stands; nowhere, without looking, if it is `NEW`."""
        return None if config["configurable"].get(NEW) else await super().aget_tuple(config)

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Store a step; until the first node has ended there is nothing to go on from."""
        if metadata["step"] > 0:
            return await super().aput(config, checkpoint, metadata, new_versions)
        place = {key: config["configurable"][key] for key in ("thread_id", "checkpoint_ns")}
        return {"configurable": {**place, "checkpoint_id": checkpoint["id"]}}

    async def aput_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """Store what interrupts, resumes or failed."""
        kept = [each for each in writes if each[0] in WRITES_IDX_MAP]
        if kept:
            await super().aput_writes(config, kept, task_id, task_path)

    async def forget(self, requests: Sequence[UUID]) -> None:
        """Delete the checkpoints of finished requests."""
        if not requests:
            return
        threads = [str(each) for each in requests]
        async with self._pool.connection() as connection, connection.transaction():
            for statement in _PRUNE:
                await connection.execute(statement, {"threads": threads})
