"""What keeps a page up to date: news from the feed, a few times a second at most."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final

import structlog
from nicegui import background_tasks
from nicegui.client import Client

from assistant.channels.console.visit import Visit
from assistant.feed import Listener, News
from infra.db import StoreError

BATCH: Final = 0.25
"""Seconds of news that are shown together."""
_LOOK_AGAIN: Final = 20.0
"""Seconds after which the session is looked up again when there is no news."""
MAX_BATCH: Final = 500

Handler = Callable[[Sequence[News]], Awaitable[None]]
_log = structlog.get_logger("kitty.console")


class Live:
    """Hands a page's parts their news for as long as the page is open."""

    def __init__(self, visit: Visit, client: Client, handlers: Mapping[str, Handler]) -> None:
        self._visit = visit
        self._client = client
        self._handlers = dict(handlers)
        """By the beginning of the topic."""

    def start(self) -> None:
        """Begin; ends when the browser has been gone for a while."""
        task = background_tasks.create(self._run(), name="console page")
        self._client.on_delete(task.cancel)

    async def _run(self) -> None:
        with self._visit.services.feed.listen(*self._handlers) as listener:
            while await self._still_in():
                await self._hand_out(await _batch(listener))

    async def _hand_out(self, batch: Sequence[News]) -> None:
        for prefix, handler in self._handlers.items():
            missed = any(news.missed for news in batch)
            own = [news for news in batch if news.topic.startswith(prefix) or missed]
            if not own:
                continue
            try:
                await handler(own)
            except StoreError as error:
                _log.warning("console_not_updated", topic=prefix, error=str(error))

    async def _still_in(self) -> bool:
        try:
            signed_in = await self._visit.signed_in()
        except StoreError:
            return True  # nothing new can be shown without the store anyway
        if not signed_in:
            self._client.open("/sign-in")
        return signed_in


async def _batch(listener: Listener) -> Sequence[News]:
    """Return the news of a moment together; none when it stays quiet for long."""
    batch: list[News] = []
    with suppress(TimeoutError):
        async with asyncio.timeout(_LOOK_AGAIN):
            batch.append(await listener.next())
    if batch:
        with suppress(TimeoutError):
            async with asyncio.timeout(BATCH):
                while len(batch) < MAX_BATCH:
                    batch.append(await listener.next())
    return batch
