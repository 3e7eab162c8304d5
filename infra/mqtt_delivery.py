"""From the wire to a handler: one queue and one worker for each subscription."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog
from paho.mqtt.client import topic_matches_sub

_RETRY_MIN: Final = 0.1
_RETRY_MAX: Final = 5.0
"""Longest pause, in seconds, before a handler that was not ready is asked again."""
_log = structlog.get_logger("kitty.mqtt")


class NotNowError(Exception):
    """A handler cannot take messages at the moment; it will be asked again with the same ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What came in."""

    topic: str
    payload: bytes
    qos: int = 1
    retained: bool = False
    """Kept by the broker from earlier, not fresh."""


@dataclass(slots=True, kw_only=True)
class Delivery:
    """A message on its way through the handlers."""

    message: Message
    mid: int
    connection: int
    """The connection it came over; its id means nothing on another."""
    awaited: int = 0
    """Handlers that have not finished with it."""


Handler = Callable[[Message], Awaitable[None]]
BatchHandler = Callable[[Sequence[Message]], Awaitable[None]]


def one_by_one(handler: Handler) -> BatchHandler:
    """Make a handler of single messages take batches."""

    async def each(batch: Sequence[Message]) -> None:
        for message in batch:
            await handler(message)

    return each


class Subscription:
    """A filter, its handler, and the messages that wait for it."""

    def __init__(
        self,
        topic_filter: str,
        handler: BatchHandler,
        *,
        size: int,
        wait: timedelta,
        finished: Callable[[Sequence[Delivery]], None],
    ) -> None:
        self.topic_filter = topic_filter
        self.failures = 0
        """Batches given up because the handler crashed."""
        self._handler = handler
        self._size = size
        self._wait = wait.total_seconds()
        self._finished = finished
        self._queue: deque[Delivery] = deque()
        self._some = asyncio.Event()
        self._enough = asyncio.Event()
        self._stopping = False
        self._worker: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """Messages not yet handed over."""
        return len(self._queue)

    def wants(self, topic: str) -> bool:
        """Tell whether the topic matches."""
        return topic_matches_sub(self.topic_filter, topic)

    def put(self, delivery: Delivery) -> None:
        """Queue a message."""
        self._queue.append(delivery)
        self._some.set()
        if len(self._queue) >= self._size:
            self._enough.set()

    def start(self) -> None:
        """Start handing over."""
        self._stopping = False
        self._worker = asyncio.create_task(self._work(), name=f"mqtt {self.topic_filter}")

    async def stop(self, within: timedelta) -> None:
        """Let the handler finish what it holds; what waits stays with the broker."""
        worker, self._worker = self._worker, None
        if worker is None:
            return
        self._stopping = True
        self._some.set()
        self._enough.set()
        await asyncio.wait({worker}, timeout=within.total_seconds())
        worker.cancel()
        await asyncio.wait({worker})
        self._queue.clear()

    async def _work(self) -> None:
        while True:
            await self._some.wait()
            if self._size > 1 and not self._stopping:
                await self._gather()
            if self._stopping:
                return
            count = min(len(self._queue), self._size)
            batch = [self._queue.popleft() for _ in range(count)]
            if not self._queue:
                self._some.clear()
            if len(self._queue) < self._size:
                self._enough.clear()
            await self._hand_over(batch)

    async def _gather(self) -> None:
        try:
            async with asyncio.timeout(self._wait):
                await self._enough.wait()
        except TimeoutError:
            return

    async def _hand_over(self, batch: Sequence[Delivery]) -> None:
        messages = [delivery.message for delivery in batch]
        error = await self._attempt(messages)
        pause = _RETRY_MIN
        while isinstance(error, NotNowError):
            if self._stopping:
                return
            _log.warning("mqtt_handler_not_ready", filter=self.topic_filter, pause_s=pause)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _RETRY_MAX)
            error = await self._attempt(messages)
        if error is not None:
            self.failures += 1
            _log.error(
                "mqtt_handler_failed",
                filter=self.topic_filter,
                messages=len(batch),
                exc_info=error,
            )
        self._finished(batch)

    async def _attempt(self, messages: Sequence[Message]) -> BaseException | None:
        """Run the handler apart from us, so that its crash is a value here."""
        task = asyncio.ensure_future(self._handler(messages))
        try:
            await asyncio.wait({task})
        finally:
            if task.cancel():
                await asyncio.wait({task})
        return asyncio.CancelledError() if task.cancelled() else task.exception()
