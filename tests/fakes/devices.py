"""Scripted devices that speak docs/mqtt.md over a real broker and do as told."""

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import paho.mqtt.client as mqtt

WITHIN = 15.0
STATES: Mapping[str, Mapping[str, Any]] = {
    "light": {"on": False, "scene": None},
    "door": {"locked": True, "open": False, "relocks_at": None},
    "power": {"on": False},
    "printer": {"status": "idle", "job_id": None, "progress": 0.0},
    "camera": {"recording": True},
    "sensor": {"temperature_c": 21.0, "smoke": False},
}
EFFECTS: Mapping[str, Mapping[str, Any]] = {
    "lock": {"locked": True},
    "unlock": {"locked": False},
    "cut_power": {"on": False},
    "enable_power": {"on": True},
}


@dataclass
class Devices:
    """Any number of devices on one connection."""

    host: str
    port: int
    username: str
    password: str
    kinds: Mapping[str, str]
    """Kind by external id."""
    commands: list[dict[str, Any]] = field(default_factory=list)
    """Everything that arrived, also what was not obeyed."""
    silent: set[str] = field(default_factory=set)
    """Devices that never answer."""
    refuses: dict[str, str] = field(default_factory=dict)
    """Code of the refusal, by device."""
    states: dict[str, dict[str, Any]] = field(default_factory=dict)

    def start(self) -> "Devices":
        """Connect and say how everything stands."""
        self._subscribed = threading.Event()
        self._carried: dict[str, list[str]] = {name: [] for name in self.kinds}
        self.states = {name: dict(STATES[kind]) for name, kind in self.kinds.items()}
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="scripted-devices")
        self._client.username_pw_set(self.username, self.password)
        self._client.on_connect = lambda client, *_: client.subscribe("kitty/devices/+/cmd", qos=1)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = lambda _client, _data, message: self._command(message)
        self._client.connect(self.host, self.port)
        self._client.loop_start()
        assert self._subscribed.wait(WITHIN)
        for name in self.kinds:
            self.report(name)
        return self

    def stop(self) -> None:
        """Go away without a word."""
        self._client.disconnect()
        self._client.loop_stop()

    def report(self, name: str) -> None:
        """Publish a device's state."""
        state = {
            "v": 1,
            "online": True,
            "fault": None,
            "at": _now(),
            "state": self.states[name],
            "commands": self._carried[name][-16:],
        }
        self._publish(name, "state", state, retain=True)

    def snapshot(self, name: str, image: bytes) -> None:
        """Publish a picture."""
        self._client.publish(
            f"kitty/devices/{name}/snapshot", image, qos=1, retain=True
        ).wait_for_publish(WITHIN)

    def _command(self, message: mqtt.MQTTMessage) -> None:
        name = message.topic.split("/")[2]
        command = json.loads(message.payload)
        self.commands.append(command)
        if name in self.silent:
            return
        code = self.refuses.get(name)
        seen = command["command_id"] in self._carried[name]
        if code is None and not seen:
            self._carried[name].append(command["command_id"])
            given = {"switch": command["payload"], "set_scene": command["payload"]}
            self.states[name] |= EFFECTS.get(command["intent"], given.get(command["intent"], {}))
        ack = {"v": 1, "command_id": command["command_id"], "ok": code is None, "code": code,
               "detail": None, "at": _now()}  # fmt: skip
        self._publish(name, "ack", ack)
        self.report(name)

    def _publish(
        self, name: str, leaf: str, body: Mapping[str, Any], *, retain: bool = False
    ) -> None:
        self._client.publish(f"kitty/devices/{name}/{leaf}", json.dumps(body), qos=1, retain=retain)


def _now() -> str:
    return datetime.now(UTC).isoformat()
