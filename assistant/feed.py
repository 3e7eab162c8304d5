"""News for whoever is looking: consoles, event streams, announcements."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

MAX_WAITING: Final = 256
"""News that one listener may be behind; older ones are dropped, and `News.missed` says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """Something changed."""

    topic: str
    """`device`, `approval`, `routing`, `job`, or `conversation/{id}`."""
    body: Mapping[str, Any] = field(default_factory=dict)
    missed: bool = False
    """The listener was too slow and should read everything again."""


class Listener:
    """One listener's queue."""

    def __init__(self, prefixes: tuple[str, ...]) -> None:
        self._prefixes = prefixes
        self._queue: asyncio.Queue[News] = asyncio.Queue(MAX_WAITING)
        self._missed = False

    def offer(self, news: News) -> None:
        """Take the news if it is of interest and there is room."""
        if not news.topic.startswith(self._prefixes):
            return
        try:
            self._queue.put_nowait(news)
        except asyncio.QueueFull:
            self._missed = True
            with suppress(asyncio.QueueEmpty):
                self._queue.get_nowait()
            self._queue.put_nowait(News(topic=news.topic, body=news.body, missed=True))

    async def next(self) -> News:
        """Wait for the next news."""
        return await self._queue.get()

    def __aiter__(self) -> AsyncIterator[News]:
        return self

    async def __anext__(self) -> News:
        return await self.next()


class Feed:
    """Hands news from the one event loop to any number of listeners; never blocks."""

    def __init__(self) -> None:
        self._listeners: set[Listener] = set()

    def tell(self, topic: str, body: Mapping[str, Any] | None = None) -> None:
        """Tell everybody who listens to this topic."""
        news = News(topic=topic, body=body or {})
        for listener in tuple(self._listeners):
            listener.offer(news)

    @contextmanager
    def listen(self, *prefixes: str) -> Iterator[Listener]:
        """Listen to topics that begin with one of the prefixes, for as long as the block lasts."""
        listener = Listener(prefixes)
        self._listeners.add(listener)
        try:
            yield listener
        finally:
            self._listeners.discard(listener)
