"""paho's side of the bus: a network thread, and how its news reach the event loop.

Everything named `_on_...` runs in paho's thread.  Nothing there may raise, or the thread ends.
"""

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

import paho.mqtt.client as paho
import structlog
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from infra.mqtt_delivery import Delivery, Message
from infra.mqtt_settings import BusCounters, BusSettings, BusUnavailableError

_MAX_UNCONFIRMED: Final = 1_000
"""Messages on their way out; one more is refused."""
_log = structlog.get_logger("kitty.mqtt")


class Listener(Protocol):
    """Who is told, in the event loop, in the order in which it happened."""

    @property
    def backlog(self) -> int:
        """Messages that wait for handlers (also read from paho's thread)."""
        ...

    def entered(self, number: int) -> None:
        """Hear that we are connected; `number` names this connection."""

    def lost(self) -> None:
        """Hear that we no longer are."""

    def settled(self, mid: int) -> None:
        """Hear that a subscription was answered."""

    def confirmed(self, mid: int) -> None:
        """Hear that a publication was confirmed."""

    def arrived(self, delivery: Delivery) -> None:
        """Take a message that came."""

    def postponed(self) -> None:
        """Hear that a message was left with the broker for want of room."""


class Connection:
    """One MQTT session, reconnected whenever it is lost."""

    def __init__(self, settings: BusSettings, counters: BusCounters, listener: Listener) -> None:
        self._settings = settings
        self._counters = counters
        self._listener = listener
        self._inbox: deque[Delivery] = deque()
        self._waking = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._client = self._new_client()
        self.number = 0
        """Rises whenever the connection comes or goes."""

    # -- called from the event loop

    @property
    def up(self) -> bool:
        """Whether the broker has let us in."""
        return self._client.is_connected()

    @property
    def waiting(self) -> int:
        """Messages the event loop has not looked at yet."""
        return len(self._inbox)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start the network thread; it connects by itself."""
        self._loop = loop
        settings = self._settings
        self._client.connect_async(
            settings.host, settings.port, keepalive=int(settings.keepalive.total_seconds())
        )
        self._client.loop_start()

    async def stop(self) -> None:
        """Say goodbye and end the network thread."""
        self._client.disconnect()
        await asyncio.to_thread(self._client.loop_stop)
        self._loop = None
        self._inbox.clear()

    def subscribe(self, filters: Sequence[str]) -> int | None:
        """Ask for messages; return the request's id."""
        return self._client.subscribe([(wanted, 1) for wanted in filters])[1]

    def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool) -> int:
        """Send a message; return its id.  What has been taken here is sent, if late."""
        info = self._client.publish(topic, payload, qos=qos, retain=retain)
        full = info.rc == MQTTErrorCode.MQTT_ERR_QUEUE_SIZE
        if full or (qos == 0 and info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS):
            raise BusUnavailableError("The MQTT broker does not keep up; nothing was sent.")
        return info.mid

    def acknowledge(self, delivery: Delivery) -> None:
        """Tell the broker that a message has been dealt with."""
        # An id of an earlier connection may mean another message by now; ours will come again.
        if delivery.message.qos and delivery.connection == self.number:
            self._client.ack(delivery.mid, delivery.message.qos)

    def cut(self) -> None:
        """End the connection once what we said has left; paho connects again."""
        connection = self._client.socket()
        if isinstance(connection, socket.socket):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_WR)

    def _drain(self) -> None:
        self._waking = False
        while self._inbox:
            self._listener.arrived(self._inbox.popleft())

    # -- paho's thread: nothing below may raise, or the thread ends

    def _new_client(self) -> paho.Client:
        settings = self._settings
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=settings.client_id,
            clean_session=False,
            protocol=MQTTProtocolVersion.MQTTv311,
            manual_ack=True,
        )
        client.username_pw_set(settings.username, settings.password)
        if settings.tls:
            client.tls_set(ca_certs=None if settings.ca_file is None else str(settings.ca_file))
        client.reconnect_delay_set(1, max(1, int(settings.reconnect_max.total_seconds())))
        client.max_inflight_messages_set(100)
        client.max_queued_messages_set(_MAX_UNCONFIRMED)
        client.on_socket_open = self._on_socket_open
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        return client

    def _hand_over(self, call: Callable[..., None], *arguments: Any) -> None:
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has just been closed
                loop.call_soon_threadsafe(call, *arguments)

    def _on_socket_open(self, _client: paho.Client, _data: Any, opened: object) -> None:
        if isinstance(opened, socket.socket):  # small packets must not wait for each other
            with contextlib.suppress(OSError):
                opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _on_connect(
        self,
        _client: paho.Client,
        _data: Any,
        _flags: paho.ConnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            _log.error("mqtt_refused", reason=str(reason))
            return
        self.number += 1
        self._hand_over(self._listener.entered, self.number)

    def _on_disconnect(
        self,
        _client: paho.Client,
        _data: Any,
        _flags: paho.DisconnectFlags,
        _reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        self.number += 1
        self._hand_over(self._listener.lost)

    def _on_subscribe(
        self,
        _client: paho.Client,
        _data: Any,
        mid: int,
        reasons: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        refused = sum(reason.is_failure for reason in reasons)
        if refused:
            self._counters.refused_subscriptions += refused
            _log.error("mqtt_subscription_refused", count=refused)
        self._hand_over(self._listener.settled, mid)

    def _on_publish(
        self,
        _client: paho.Client,
        _data: Any,
        mid: int,
        _reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        self._hand_over(self._listener.confirmed, mid)

    def _on_message(self, client: paho.Client, _data: Any, heard: paho.MQTTMessage) -> None:
        try:
            topic = heard.topic
        except UnicodeDecodeError:
            self._counters.unclaimed += 1
            client.ack(heard.mid, heard.qos)
            return
        if self._listener.backlog >= self._settings.backlog:
            if heard.qos:
                self._counters.postponed += 1
                self._hand_over(self._listener.postponed)
            else:
                self._counters.dropped_qos0 += 1
            return
        message = Message(
            topic=topic, payload=bytes(heard.payload), qos=heard.qos, retained=heard.retain
        )
        self._inbox.append(Delivery(message=message, mid=heard.mid, connection=self.number))
        if not self._waking:
            self._waking = True
            self._hand_over(self._drain)
