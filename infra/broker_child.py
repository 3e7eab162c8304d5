"""The embedded broker's own process: amqtt, with what it lacks.

`python -m infra.broker_child PARENT_PID CONFIG_FILE`.  amqtt 0.12.1 as it stands hands retained
messages to clients that did not ask for them, touches sessions before it checks passwords, drops
a message whose acknowledgement takes over 5 s or whose receiver goes away, and never notices a
client that has fallen silent.  Retained and queued messages do not survive its end.
"""

import asyncio
import hmac
import json
import logging
import signal
import sys
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any, Final

import uvloop
from amqtt.adapters import ReaderAdapter, WriterAdapter
from amqtt.broker import Broker
from amqtt.contexts import Action, ListenerConfig
from amqtt.errors import AMQTTError, MQTTError
from amqtt.mqtt.connack import NOT_AUTHORIZED, ConnackPacket
from amqtt.mqtt.protocol.broker_handler import BrokerProtocolHandler
from amqtt.mqtt.puback import PubackPacket
from amqtt.session import (
    ApplicationMessage,
    IncomingApplicationMessage,
    OutgoingApplicationMessage,
    Session,
)
from paho.mqtt.client import topic_matches_sub

from infra.broker_files import DEVICES, DEVICES_READ, DEVICES_WRITE
from infra.tether import tether

_CONNECT_WITHIN: Final = 10.0
"""Seconds a new connection may take to say who it is."""
_KEEPALIVE_GRACE: Final = 1.5
"""Silence of this many keep-alive periods ends a connection (MQTT-3.1.2-24)."""
_TAKE_OVER_WITHIN: Final = 2.0
"""Seconds an older connection of the same client may take to end."""

_MAX_WAITING: Final = 10_000
"""Messages kept for a client that is away; beyond it the oldest goes."""


class Handler(BrokerProtocolHandler):
    """One client's connection; what it has not acknowledged stays owed to its session."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._owed: set[asyncio.Task[Any]] = set()
        self._ended = False

    def background(self, work: Coroutine[Any, Any, Any]) -> None:
        """Deliver without holding up the client's own requests."""
        task = asyncio.create_task(work)
        self._owed.add(task)
        task.add_done_callback(self._settled)

    def _settled(self, task: asyncio.Task[Any]) -> None:
        self._owed.discard(task)
        if not task.cancelled():
            task.exception()  # the connection ended: its session keeps the message

    async def stop(self) -> None:
        """End the connection; what waits for an acknowledgement waits in the session."""
        self._ended = True
        await super().stop()

    async def _retry_deliveries(self) -> None:
        session = self.session
        if session is None:
            return
        for message in list(session.inflight_out.values()):
            self.background(self._handle_message_flow(message))

    async def _handle_qos1_message_flow(
        self, app_message: OutgoingApplicationMessage | IncomingApplicationMessage
    ) -> None:
        session = self.session
        if not isinstance(app_message, OutgoingApplicationMessage) or session is None:
            await super()._handle_qos1_message_flow(app_message)
            return
        packet_id = app_message.packet_id
        if packet_id is None:
            return
        session.inflight_out[packet_id] = app_message
        if self._ended:
            return
        waiter: asyncio.Future[PubackPacket] = asyncio.get_running_loop().create_future()
        self._puback_waiters[packet_id] = waiter
        try:
            again = app_message.publish_packet is not None
            app_message.publish_packet = app_message.build_publish_packet(dup=again)
            await self._send_packet(app_message.publish_packet)
            app_message.puback_packet = await waiter
            session.inflight_out.pop(packet_id, None)
        finally:
            self._puback_waiters.pop(packet_id, None)

    def handle_read_timeout(self) -> None:
        """End a connection that has fallen silent, so that its last will is published."""
        self.background(self.handle_connection_closed())


class SafeBroker(Broker):
    """amqtt with passwords before sessions, rights per user, and messages that are not lost."""

    def __init__(self, *, host: str, port: int, users: Mapping[str, str]) -> None:
        super().__init__(
            {"listeners": {"default": {"type": "tcp", "bind": f"{host}:{port}"}}, "plugins": {}}
        )
        self._users = users

    async def _initialize_client_session(
        self, reader: ReaderAdapter, writer: WriterAdapter, remote_address: str, remote_port: int
    ) -> tuple[BrokerProtocolHandler, Session]:
        del remote_address, remote_port
        try:
            async with asyncio.timeout(_CONNECT_WITHIN):
                handler, session = await Handler.init_from_connect(
                    reader, writer, self.plugins_manager
                )
        except (TimeoutError, AMQTTError, MQTTError) as error:
            await writer.close()
            raise MQTTError(f"no connection: {error}") from None
        if not self._may_enter(session):
            await ConnackPacket.build(0, NOT_AUTHORIZED).to_stream(writer)
            await writer.close()
            raise MQTTError("a client was refused: wrong user, password or client id")
        await self._end_older(session)
        session.keep_alive = int(session.keep_alive * _KEEPALIVE_GRACE)
        return handler, await self._session_for(session)

    def _may_enter(self, session: Session) -> bool:
        known = self._users.get(session.username or "")
        given = (session.password or "").encode()
        if known is None or not hmac.compare_digest(known.encode(), given):
            return False
        older = self._sessions.get(session.client_id or "")
        return older is None or older[0].username == session.username

    async def _end_older(self, session: Session) -> None:
        older = self._sessions.get(session.client_id or "")
        if older is None:
            return
        await older[1].handle_connection_closed()
        async with asyncio.timeout(_TAKE_OVER_WITHIN):
            while older[0].transitions.state == "connected":  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def _session_for(self, incoming: Session) -> Session:
        client_id = incoming.client_id or ""
        if incoming.clean_session:
            await self._delete_session(client_id)
            return incoming
        kept = self._sessions.get(client_id)
        if kept is None:
            return incoming
        session = kept[0]
        for name in ("flag", "message", "topic", "qos", "retain"):
            setattr(session, f"will_{name}", getattr(incoming, f"will_{name}"))
        session.keep_alive = incoming.keep_alive
        session.clean_session = False
        session.parent = 1
        return session

    async def _authenticate(self, session: Session, _: ListenerConfig) -> bool:
        return self._may_enter(session)

    async def _topic_filtering(self, session: Session, topic: str, action: Action) -> bool:
        if session.username != DEVICES:
            return True
        allowed = DEVICES_WRITE if action is Action.PUBLISH else DEVICES_READ
        if action is Action.SUBSCRIBE:
            topic = topic.replace("#", "\x00")  # a wider filter than the right is refused
        return any(topic_matches_sub(right, topic) for right in allowed)

    async def _retain_broadcast_message(
        self, broadcast: dict[str, Any], qos: int, target_session: Session
    ) -> None:
        if target_session.retained_messages.qsize() >= _MAX_WAITING:
            target_session.retained_messages.get_nowait()
        await super()._retain_broadcast_message(broadcast, qos, target_session)

    async def _publish_session_retained_messages(self, session: Session) -> None:
        handler = self._get_handler(session)
        while isinstance(handler, Handler) and not session.retained_messages.empty():
            kept: ApplicationMessage = session.retained_messages.get_nowait()
            handler.background(handler.mqtt_publish(kept.topic, kept.data, kept.qos, retain=False))

    async def _publish_retained_messages_for_subscription(
        self, subscription: tuple[str, int], session: Session
    ) -> None:
        wanted, qos = subscription
        handler = self._get_handler(session)
        subscribers = self._subscriptions.get(wanted, ())
        if not isinstance(handler, Handler) or all(s is not session for s, _ in subscribers):
            return
        for topic, kept in list(self._retained_messages.items()):
            if self._matches(topic, wanted):
                level = min(qos, qos if kept.qos is None else kept.qos)
                handler.background(handler.mqtt_publish(topic, kept.data, level, retain=True))


async def serve(config: Mapping[str, Any]) -> None:
    """Run the broker until the process is told to stop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    broker = SafeBroker(host=config["host"], port=config["port"], users=config["users"])
    await broker.start()
    await stop.wait()


def main(argv: list[str]) -> None:
    """Run the broker described in the configuration file."""
    tether(int(argv[1]))
    logging.basicConfig(level=logging.ERROR, format="%(asctime)s %(levelname)s %(message)s")
    uvloop.run(serve(json.loads(Path(argv[2]).read_text(encoding="utf-8"))))


if __name__ == "__main__":
    main(sys.argv)
