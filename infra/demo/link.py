"""One device's connection to the broker, driven by the hub; it reconnects by itself."""

import logging
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from paho.mqtt.client import (
    Client,
    ConnectFlags,
    DisconnectFlags,
    MQTTMessage,
)
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from infra.demo.hub import Hub

KEEPALIVE_SECONDS: Final = 20
CONNECT_TIMEOUT_SECONDS: Final = 3.0
FIRST_RETRY_SECONDS: Final = 0.25
LONGEST_RETRY_SECONDS: Final = 4.0

_log = logging.getLogger("infra.demo")

Handler = Callable[[bytes], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """Where the broker is, and who we are there."""

    host: str
    port: int
    username: str | None = None
    password: str | None = None


class Link:
    """One MQTT client with its own id and its own last will."""

    def __init__(
        self,
        *,
        hub: Hub,
        broker: Broker,
        client_id: str,
        topics: Mapping[str, Handler],
        on_ready: Callable[[], None],
        will: tuple[str, bytes] | None = None,
    ) -> None:
        """`on_ready` is called after every (re)connection, once the topics are subscribed."""
        self._hub = hub
        self._broker = broker
        self._topics = topics
        self._on_ready = on_ready
        self._retry = FIRST_RETRY_SECONDS
        self._wanted = True
        self._told = False
        self._sent: dict[int, Callable[[], None] | None] = {}
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=client_id)
        if broker.username is not None:
            self._client.username_pw_set(broker.username, broker.password)
        if will is not None:
            self._client.will_set(will[0], will[1], qos=1, retain=True)
        self._client.connect_timeout = CONNECT_TIMEOUT_SECONDS
        self._client.on_connect = self._connected
        self._client.on_disconnect = self._disconnected
        self._client.on_subscribe = self._subscribed
        self._client.on_message = self._arrived
        self._client.on_publish = self._published
        self._client.on_socket_open = self._watch
        self._client.on_socket_close = self._forget
        self._client.on_socket_register_write = self._watch_write
        self._client.on_socket_unregister_write = self._watch
        hub.every(1.0, self._housekeeping)

    def open(self) -> None:
        """Connect, or try again soon."""
        if not self._wanted or self._client.is_connected():
            return
        try:
            self._client.connect(self._broker.host, self._broker.port, KEEPALIVE_SECONDS)
        except OSError as error:
            self._tell(f"no broker at {self._broker.host}:{self._broker.port} ({error})")
            self._try_again()

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        retain: bool = False,
        wait: bool = False,
        on_sent: Callable[[], None] | None = None,
    ) -> None:
        """Send at QoS 1; without a connection it is dropped, unless it is told to `wait`."""
        if not wait and not self._client.is_connected():
            return
        info = self._client.publish(topic, payload, qos=1, retain=retain)
        self._sent[info.mid] = on_sent

    def drop(self) -> None:
        """Vanish without a goodbye, and stay away: the broker sends the last will."""
        self._wanted = False
        sock = self._client.socket()
        if isinstance(sock, socket.socket):
            sock.shutdown(socket.SHUT_RDWR)

    def restore(self) -> None:
        """Come back after `drop`."""
        self._wanted = True
        self.open()

    def close(self) -> None:
        """Say goodbye: the broker does not send the last will."""
        self._wanted = False
        self._client.disconnect()

    @property
    def idle(self) -> bool:
        """Whether nothing waits to be sent or acknowledged."""
        return not self._client.is_connected() or not self._sent

    def readable(self) -> None:
        """Take what has arrived."""
        self._client.loop_read()

    def writable(self) -> None:
        """Send what could not be sent before."""
        self._client.loop_write()

    def _housekeeping(self) -> None:
        if self._client.socket() is not None:
            self._client.loop_misc()

    def _try_again(self) -> None:
        self._hub.later(self._retry, self.open)
        self._retry = min(self._retry * 2, LONGEST_RETRY_SECONDS)

    def _tell(self, what: str) -> None:
        if not self._told:
            self._told = True
            _log.warning("demo lab: %s; trying again until it works", what)

    def _connected(
        self,
        client: Client,
        _userdata: object,
        _flags: ConnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            self._tell(f"the broker refused the connection ({reason})")
            return
        self._retry = FIRST_RETRY_SECONDS
        self._told = False
        if self._topics:
            client.subscribe([(topic, 1) for topic in self._topics])
        else:
            self._hub.later(0.0, self._on_ready)

    def _subscribed(self, *_: object) -> None:
        self._hub.later(0.0, self._on_ready)

    def _disconnected(
        self,
        _client: Client,
        _userdata: object,
        _flags: DisconnectFlags,
        _reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if self._wanted:
            self._try_again()

    def _arrived(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        handler = self._topics.get(message.topic)
        if handler is not None and not (message.retain and message.topic.endswith("/cmd")):
            handler(bytes(message.payload))

    def _published(self, _client: Client, _userdata: object, mid: int, *_: object) -> None:
        on_sent = self._sent.pop(mid, None)
        if on_sent is not None:
            on_sent()

    def _watch(self, _client: Client, _userdata: object, sock: object) -> None:
        if isinstance(sock, socket.socket):
            self._hub.watch(sock, self)

    def _watch_write(self, _client: Client, _userdata: object, sock: object) -> None:
        if isinstance(sock, socket.socket):
            self._hub.watch(sock, self, write=True)

    def _forget(self, _client: Client, _userdata: object, sock: object) -> None:
        if isinstance(sock, socket.socket):
            self._hub.forget(sock)
