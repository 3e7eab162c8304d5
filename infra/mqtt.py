"""The bus: MQTT 3.1.1 for the rest of KITTY, as coroutines.

Register handlers before entering the bus: a broker that kept messages for us sends them at once.

    bus = Bus(settings)
    bus.subscribe("kitty/devices/+/ack", on_ack)
    async with bus:
        await bus.publish(topic, {"v": 1})

A message is acknowledged when every handler it went to has finished, so each arrives at least
once: after a crash, a cut connection or `NotNowError` it comes again, perhaps a second time.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from types import TracebackType
from typing import Any, Final, Self

import structlog

from infra.mqtt_connection import Connection
from infra.mqtt_delivery import (
    BatchHandler,
    Delivery,
    Handler,
    Message,
    NotNowError,
    Subscription,
    one_by_one,
)
from infra.mqtt_settings import BusCounters, BusSettings, BusUnavailableError, UnconfirmedError
from infra.wire import MAX_MESSAGE, MAX_SNAPSHOT, WireError, encode_object

__all__ = [
    "Bus",
    "BusCounters",
    "BusSettings",
    "BusUnavailableError",
    "Message",
    "NotNowError",
    "UnconfirmedError",
]
_FLUSHED_AFTER: Final = 0.1
"""Seconds within which acknowledgements have left for the broker."""
_log = structlog.get_logger("kitty.mqtt")


class Bus:
    """One connection to the broker, kept up."""

    def __init__(self, settings: BusSettings) -> None:
        self.settings = settings
        self.counters = BusCounters()
        self.connected = False
        """Connected, and every subscription confirmed."""
        self._subscriptions: list[Subscription] = []
        self._watchers: list[Callable[[bool], None]] = []
        self._ready = asyncio.Event()
        self._unsettled: set[int] = set()
        self._confirmations: dict[int, asyncio.Future[None]] = {}
        self._connection = Connection(settings, self.counters, self)
        self._open = False
        self._behind = False

    @property
    def backlog(self) -> int:
        """Messages that wait for handlers."""
        return self._connection.waiting + sum(s.waiting for s in self._subscriptions)

    @property
    def failures(self) -> int:
        """Messages or batches given up because their handler crashed."""
        return sum(s.failures for s in self._subscriptions)

    def subscribe(self, topic_filter: str, handler: Handler) -> None:
        """Hand each matching message to the handler, one at a time, in order."""
        self.subscribe_batches(topic_filter, one_by_one(handler), size=1)

    def subscribe_batches(
        self,
        topic_filter: str,
        handler: BatchHandler,
        *,
        size: int,
        wait: timedelta = timedelta(milliseconds=100),
    ) -> None:
        """Hand over up to `size` matching messages at once, none waiting longer than `wait`."""
        subscription = Subscription(
            topic_filter, handler, size=size, wait=wait, finished=self._finished
        )
        self._subscriptions.append(subscription)
        if self._open:
            subscription.start()
            if self._connection.up:
                self._ask_for([topic_filter])

    def on_connection(self, watcher: Callable[[bool], None]) -> None:
        """Call the watcher with True when connected, with False when not."""
        self._watchers.append(watcher)

    async def ready(self, within: timedelta) -> bool:
        """Wait until connected and subscribed; return whether that was so in time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within.total_seconds()):
                await self._ready.wait()
        return self._ready.is_set()

    async def publish(
        self,
        topic: str,
        payload: bytes | Mapping[str, Any],
        *,
        qos: int = 1,
        retain: bool = False,
    ) -> None:
        """Publish; at QoS 1 return when the broker has confirmed it.

        Raises `BusUnavailableError` if it was not sent, `UnconfirmedError` if nobody knows.
        """
        data = payload if isinstance(payload, bytes) else encode_object(payload)
        if len(data) > (MAX_SNAPSHOT if isinstance(payload, bytes) else MAX_MESSAGE):
            raise WireError("too_large", f"{len(data)} bytes are too many for {topic}")
        if not self.connected:
            raise BusUnavailableError("The MQTT broker cannot be reached; nothing was sent.")
        mid = self._connection.publish(topic, data, qos=qos, retain=retain)
        if qos:
            await self._until_confirmed(mid)
        self.counters.published += 1

    async def __aenter__(self) -> Self:
        self._open = True
        for subscription in self._subscriptions:
            subscription.start()
        self._connection.start(asyncio.get_running_loop())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open = False
        within = self.settings.close_within
        await asyncio.gather(*(s.stop(within) for s in self._subscriptions))
        await self._connection.stop()
        self.lost()

    # -- what the connection tells, in the event loop

    def entered(self, number: int) -> None:
        """Subscribe anew; only then is the bus connected."""
        if number != self._connection.number:
            return
        self.counters.connections += 1
        self._unsettled.clear()
        self._ask_for([s.topic_filter for s in self._subscriptions])

    def settled(self, mid: int | None) -> None:
        """Be connected when no subscription is unanswered."""
        if mid is not None:
            self._unsettled.discard(mid)
        if not self._unsettled:
            self._ready.set()
            self._tell(connected=True)

    def lost(self) -> None:
        """Be disconnected."""
        self._ready.clear()
        self._unsettled.clear()
        self._tell(connected=False)

    def confirmed(self, mid: int) -> None:
        """Let the publisher go on."""
        confirmation = self._confirmations.get(mid)
        if confirmation is not None and not confirmation.done():
            confirmation.set_result(None)

    def arrived(self, delivery: Delivery) -> None:
        """Queue a message for everybody who wants it."""
        self.counters.received += 1
        takers = [s for s in self._subscriptions if s.wants(delivery.message.topic)]
        if not takers:
            self.counters.unclaimed += 1
            self._connection.acknowledge(delivery)
        delivery.awaited = len(takers)
        for subscription in takers:
            subscription.put(delivery)

    def postponed(self) -> None:
        """Note that messages wait with the broker until there is room."""
        self._behind = True
        self._catch_up()

    # -- inside

    def _catch_up(self) -> None:
        """Reconnect once there is room: the broker sends again what was not acknowledged."""
        if self._behind and not self.backlog:
            self._behind = False
            _log.warning("mqtt_fetching_postponed", postponed=self.counters.postponed)
            loop = asyncio.get_running_loop()
            loop.call_later(_FLUSHED_AFTER, self._connection.cut)

    async def _until_confirmed(self, mid: int) -> None:
        confirmation = asyncio.get_running_loop().create_future()
        self._confirmations[mid] = confirmation
        try:
            async with asyncio.timeout(self.settings.publish_within.total_seconds()):
                await confirmation
        except TimeoutError:
            raise UnconfirmedError(
                "The MQTT broker did not confirm the message in time; it may arrive yet."
            ) from None
        finally:
            if self._confirmations.get(mid) is confirmation:
                del self._confirmations[mid]

    def _finished(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            delivery.awaited -= 1
            if delivery.awaited == 0:
                self._connection.acknowledge(delivery)
        self._catch_up()

    def _ask_for(self, filters: Sequence[str]) -> None:
        wanted = list(dict.fromkeys(filters))
        mid = self._connection.subscribe(wanted) if wanted else None
        if mid is None:
            self.settled(None)
            return
        self._ready.clear()
        self._unsettled.add(mid)

    def _tell(self, *, connected: bool) -> None:
        if self.connected is connected:
            return
        self.connected = connected
        _log.info("mqtt_connection", connected=connected)
        for watcher in self._watchers:
            watcher(connected)
