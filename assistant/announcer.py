"""What KITTY tells the broker beside commands: contexts, decisions, safety events.

Nothing waits for it: while the broker is away the newest context of each conversation is kept,
and everything else is dropped after a bounded number.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import structlog

from infra.mqtt import Bus
from infra.mqtt_settings import BusUnavailableError
from infra.wire import WireError

MAX_CONTEXTS: Final = 1_000
MAX_NOTES: Final = 1_000
_RETRY: Final = 1.0
"""Seconds between attempts while the broker is away."""
_PATIENCE: Final = timedelta(seconds=10)
_log = structlog.get_logger("kitty.announcer")


class Announcer:
    """Publishes in the background."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._contexts: OrderedDict[str, Mapping[str, Any] | bytes] = OrderedDict()
        self._known: OrderedDict[str, Mapping[str, Any] | bytes] = OrderedDict()
        """What was published last: a broker that lost its memory is told again."""
        self._notes: deque[tuple[str, Mapping[str, Any], int]] = deque(maxlen=MAX_NOTES)
        self._wake = asyncio.Event()

    def context(self, conversation: UUID, body: Mapping[str, Any]) -> None:
        """Publish a conversation's context, retained."""
        self._put(f"kitty/ctx/{conversation}", {"v": 1, **body})

    def forget(self, conversation: UUID) -> None:
        """Take a conversation's context off the broker."""
        self._put(f"kitty/ctx/{conversation}", b"")

    def routing(self, body: Mapping[str, Any]) -> None:
        """Publish a RoutingDecision."""
        self._note("kitty/ai/routing/decision", body, 0)

    def safety(self, body: Mapping[str, Any]) -> None:
        """Publish a SafetyEvent's standing."""
        self._note("kitty/safety/events", body, 1)

    def connected(self, up: bool) -> None:  # noqa: FBT001  # the bus calls it so
        """Publish the known contexts again after the broker was away."""
        if up:
            for topic, body in self._known.items():
                self._contexts.setdefault(topic, body)
            self._wake.set()

    def _put(self, topic: str, body: Mapping[str, Any] | bytes) -> None:
        self._known[topic] = body
        self._known.move_to_end(topic)
        while len(self._known) > MAX_CONTEXTS:
            self._known.popitem(last=False)
        self._contexts[topic] = body
        self._contexts.move_to_end(topic)
        while len(self._contexts) > MAX_CONTEXTS:
            self._contexts.popitem(last=False)
        self._wake.set()

    def _note(self, topic: str, body: Mapping[str, Any], qos: int) -> None:
        self._notes.append((topic, {"v": 1, **body}, qos))
        self._wake.set()

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self._drain()
            except BusUnavailableError:
                self._wake.set()
                await self._bus.ready(_PATIENCE)
                await asyncio.sleep(_RETRY)

    async def _drain(self) -> None:
        while self._contexts:
            topic, body = next(iter(self._contexts.items()))
            await self._publish(topic, body, qos=1, retain=True)
            if self._contexts.get(topic) is body:
                del self._contexts[topic]
        while self._notes:
            topic, note, qos = self._notes[0]
            await self._publish(topic, note, qos=qos, retain=False)
            self._notes.popleft()

    async def _publish(
        self, topic: str, body: Mapping[str, Any] | bytes, *, qos: int, retain: bool
    ) -> None:
        try:
            await self._bus.publish(topic, body, qos=qos, retain=retain)
        except WireError as error:
            _log.warning("announcement_refused", topic=topic, code=error.code)
