"""The demo lab as processes, and KITTY's side of the wire."""

import asyncio
import json
import sys
import threading
import uuid
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from infra.broker import BrokerProcess
from infra.demo.control import send_order

WITHIN = 20.0
ROOT = Path(__file__).resolve().parents[2]


class Ear:
    """KITTY's side of the wire: hears everything, and can command."""

    def __init__(self, broker: BrokerProcess) -> None:
        self.messages: list[tuple[str, bytes]] = []
        self._news = threading.Condition()
        self._client = Client(CallbackAPIVersion.VERSION2, client_id="ear")
        self._client.username_pw_set(broker.username, broker.password)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe("kitty/#", 1)
        self._client.on_message = self._heard
        self._client.connect(broker.host, broker.port)
        self._client.loop_start()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _heard(self, _client, _userdata, message) -> None:
        with self._news:
            self.messages.append((message.topic, bytes(message.payload)))
            self._news.notify_all()

    def heard(self, topic: str) -> list[dict]:
        return [json.loads(payload) for name, payload in self.messages if name == topic]

    def until(self, condition: Callable[[], object]) -> None:
        with self._news:
            assert self._news.wait_for(condition, WITHIN), [name for name, _ in self.messages][-20:]

    def state(self, device: str) -> dict:
        return self.heard(f"kitty/devices/{device}/state")[-1]

    def until_state(self, device: str, **wanted: object) -> None:
        def shown() -> bool:
            states = self.heard(f"kitty/devices/{device}/state")
            flat = {**states[-1], **states[-1]["state"]} if states else {}
            return bool(flat) and all(flat.get(key) == value for key, value in wanted.items())

        self.until(shown)

    def tell(self, device: str, intent: str, payload: dict, *, name="", seconds=10.0) -> str:
        name = name or str(uuid.uuid4())
        now = datetime.now(UTC)
        message = {
            "v": 1,
            "command_id": name,
            "device": device,
            "intent": intent,
            "payload": payload,
            "issued_at": now.isoformat(),
            "deadline": (now + timedelta(seconds=seconds)).isoformat(),
            "correlation_id": name,
            "safety_event_id": None,
            "envelope": None,
        }
        self.send(device, message)
        return name

    def send(self, device: str, message: dict) -> None:
        self._client.publish(f"kitty/devices/{device}/cmd", json.dumps(message), qos=1)

    def sent(self, message: dict) -> dict:
        """Send a whole message, and wait for the (next) acknowledgement."""
        device, name = message["device"], message["command_id"]
        before = len(self.acks(device, name))
        self.send(device, message)
        self.until(lambda: len(self.acks(device, name)) > before)
        return self.acks(device, name)[-1]

    def acks(self, device: str, name: str) -> list[dict]:
        acks = self.heard(f"kitty/devices/{device}/ack")
        return [ack for ack in acks if ack["command_id"] == name]

    def told(self, device: str, intent: str, payload: dict, **more) -> dict:
        """Command, and wait for the (next) acknowledgement."""
        before = len(self.acks(device, more.get("name", "")))
        name = self.tell(device, intent, payload, **more)
        self.until(lambda: len(self.acks(device, name)) > before)
        return self.acks(device, name)[-1]


class Lab:
    """The lab's parent process."""

    def __init__(self, process: Process, ready: dict) -> None:
        self.process = process
        self.ready = ready

    def children(self) -> list[int]:
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in path.read_text().split()]

    def order(self, **order: object) -> dict:
        return send_order(self.ready["control_port"], json.dumps(order))


@asynccontextmanager
async def running(home: Path, broker: BrokerProcess) -> AsyncIterator[Lab]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "infra.demo", "run", "--home", str(home), "--speed", "300"),
        *("--mqtt-host", broker.host, "--mqtt-port", str(broker.port), "--control-port", "0"),
        *("--credentials", str(broker.devices_file)),
        cwd=ROOT,
        stdout=PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(WITHIN):
            line = await process.stdout.readline()
        yield Lab(process, json.loads(line))
    finally:
        if process.returncode is None:
            process.terminate()
        async with asyncio.timeout(WITHIN):
            await process.wait()
