"""Work that goes on beside the requests: repeated, watched, never silently dead."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog

from infra.db import StoreUnavailableError

_log = structlog.get_logger("kitty.supervisor")


class Supervisor:
    """Runs named work again and again; a failure is logged and the work goes on."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []
        self.failures: dict[str, int] = {}
        """How often each work has failed."""

    def every(self, pause: timedelta, name: str, work: Callable[[], Awaitable[object]]) -> None:
        """Do `work` now and then again `pause` after each end."""
        self._tasks.append(asyncio.create_task(self._repeat(pause, name, work), name=name))

    async def _repeat(
        self, pause: timedelta, name: str, work: Callable[[], Awaitable[object]]
    ) -> None:
        while True:
            try:
                await work()
            except StoreUnavailableError:
                self._count(name)
                _log.warning("work_postponed", work=name, reason="store_unavailable")
            except Exception:  # noqa: BLE001  # the supervisor: the rest goes on
                self._count(name)
                _log.exception("work_failed", work=name)
            await asyncio.sleep(pause.total_seconds())

    def _count(self, name: str) -> None:
        self.failures[name] = self.failures.get(name, 0) + 1

    async def stop(self) -> None:
        """End all work."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
