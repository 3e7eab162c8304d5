"""The whole of KITTY as child processes, on a home and ports of its own.

`House` runs the broker, the lab (with its control port) and the server apart, so that each can be
killed by itself.  `Demo` runs `kitt demo` as people do.
"""

import base64
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)
from psycopg.rows import dict_row

from fakes.processes import ROOT, Child, until
from infra.broker_files import KITTY, logins, write_devices_login, write_embedded
from infra.demo.control import send_order
from infra.demo.prepare import prepare
from infra.postgres import EmbeddedPostgres
from safety.canonical import digest
from safety.signatures import key_id

KITT = Path(sys.executable).with_name("kitt")
LIGHTS = "welding-bay-lights"
DOOR = "welding-bay-door"
STORE_LIGHTS = "store-room-lights"


@contextmanager
def quick_folder() -> Iterator[Path]:
    """Make a home in memory if there is room, else on disk."""
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > 1024**3
    with tempfile.TemporaryDirectory(
        prefix="kitty-house-", dir=memory if roomy else None, ignore_cleanup_errors=True
    ) as folder:
        home = Path(folder) / "home"
        Path(folder).chmod(0o755)  # as root the database runs as nobody, who must get through
        home.mkdir(mode=0o711)
        yield home


class Talking:
    """What tests say to a running KITTY, and what they look at."""

    home: Path
    url: str

    def __init__(self, home: Path) -> None:
        self.home = home
        self.url = ""
        self._clients: dict[str, httpx.Client] = {}
        self._guard = threading.Lock()

    # -- over HTTP ------------------------------------------------------------------------

    def client(self, person: str = "operator") -> httpx.Client:
        """Return somebody's client; it may be used by several threads at once."""
        with self._guard:
            if person not in self._clients:
                token = (self.home / "tokens" / f"{person}.token").read_text().strip()
                self._clients[person] = httpx.Client(
                    base_url=self.url,
                    headers={"authorization": f"Bearer {token}"},
                    timeout=60,
                    trust_env=False,
                    limits=httpx.Limits(max_connections=64, keepalive_expiry=1),
                )
            return self._clients[person]

    def hang_up(self) -> None:
        """Close all connections; the next request opens new ones, to where KITTY is then."""
        for client in self._clients.values():
            client.close()
        self._clients.clear()

    def ask(
        self, text: str, *, person: str = "operator", conversation: str | None = None, **more: Any
    ) -> httpx.Response:
        """Say something."""
        body: dict[str, Any] = {"input": {"text": text}, **more}
        if conversation is not None:
            body["conversation_id"] = conversation
        return self.client(person).post("/api/query", json=body)

    def said(self, text: str, **more: Any) -> dict[str, Any]:
        """Say something that is answered; return the answer."""
        response = self.ask(text, **more)
        assert response.status_code in {200, 202}, response.text
        answer: dict[str, Any] = response.json()
        return answer

    def get(self, path: str, *, person: str = "operator", **query: Any) -> Any:
        response = self.client(person).get(path, params=query)
        assert response.status_code == 200, response.text
        return response.json()

    def device(self, name: str) -> dict[str, Any]:
        device: dict[str, Any] = self.get(f"/api/devices/{name}")
        return device

    def until_state(self, name: str, **wanted: Any) -> dict[str, Any]:
        """Wait until a device's state, fault or reachability is like this; return the device."""

        def there() -> dict[str, Any] | None:
            device = self.device(name)
            flat = device | device["state"]
            return device if all(flat.get(key) == value for key, value in wanted.items()) else None

        found = until(there, lambda: f"{name} is {self.device(name)}, not {wanted}")
        assert found is not None
        return found

    def messages(self, conversation: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self.get(
            f"/api/conversations/{conversation}/messages", limit=500
        )["items"]
        return items

    def sign(
        self, event: str, person: str, *, key_of: str | None = None, **changed: Any
    ) -> httpx.Response:
        """Sign an event with a person's key file and send the signature."""
        pem = (self.home / "keys" / f"{key_of or person}.pem").read_bytes()
        key = load_pem_private_key(pem, None)
        assert isinstance(key, Ed25519PrivateKey)
        shown = self.get(f"/api/safety/events/{event}", person=person)
        body = base64.b64decode(shown["canonical"])
        spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        answer = {
            "key_id": key_id(spki),
            "signature": base64.b64encode(key.sign(digest(body))).decode(),
        }
        return self.client(person).post(
            f"/api/safety/events/{event}/approve", json=answer | changed
        )

    def ready(self) -> dict[str, Any]:
        """Return what /readyz says."""
        with httpx.Client(base_url=self.url, timeout=10, trust_env=False) as client:
            answer: dict[str, Any] = client.get("/readyz").json()
            return answer

    def kitt(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """Run `kitt` against this home, as a person would in a terminal."""
        clean = {name: value for name, value in os.environ.items() if "KITTY" not in name}
        return subprocess.run(
            [KITT, *map(str, arguments), "--home", str(self.home)],
            env={**clean, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    # -- behind the scenes ----------------------------------------------------------------

    @property
    def dsn(self) -> str:
        return EmbeddedPostgres(self.home).dsn

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        """Look into the database."""
        with psycopg.connect(self.dsn, row_factory=dict_row, connect_timeout=10) as connection:
            return connection.execute(query.encode(), values).fetchall()

    def change(self, statement: str, *values: Any) -> None:
        """Change the database behind KITTY's back."""
        with psycopg.connect(self.dsn, connect_timeout=10) as connection:
            connection.execute(statement.encode(), values)

    def carried_out(self, device: str) -> list[str]:
        """Return the ids of the commands a device remembers to have carried out."""
        stored = self._memory(device)
        return [name for name, answer in stored if answer is not None and answer[0]]

    def seen(self, device: str) -> list[str]:
        """Return the ids of all commands a device has seen."""
        return [name for name, _ in self._memory(device)]

    def _memory(self, device: str) -> list[Any]:
        path = self.home / "devices" / f"{device}.json"
        stored: list[Any] = json.loads(path.read_text())["commands"] if path.exists() else []
        return stored


class Demo(Talking):
    """`kitt demo`, as people start it."""

    def __init__(
        self, home: Path, *, speed: float = 100, environment: dict[str, str] | None = None
    ):
        super().__init__(home)
        self._speed = speed
        self._environment = environment or {}
        self.child: Child | None = None
        self.announced: dict[str, Any] = {}

    def start(self) -> None:
        self.hang_up()
        self.child = Child(
            [
                *(KITT, "demo", "--json", "--port", 0, "--home", self.home, "--seed", 1),
                *("--speed", self._speed),
            ],
            log=self.home.parent / "demo.log",
            environment=self._environment,
        )
        self.announced = json.loads(self.child.line())
        self.url = self.announced["url"]

    def stop(self) -> int:
        self.hang_up()
        assert self.child is not None
        code, self.child = self.child.stop(), None
        return code

    def close(self) -> None:
        self.hang_up()
        if self.child is not None:
            self.child.destroy()
            self.child = None


class House(Talking):
    """Broker, lab and server apart; the lab takes orders."""

    def __init__(
        self,
        home: Path,
        *,
        dsn: str | None = None,
        own_broker: bool = False,
        speed: float = 100,
        environment: dict[str, str] | None = None,
        server: Sequence[object] = (KITT, "serve"),
    ) -> None:
        """Without `dsn` the server runs its own database; `own_broker`: also its own broker."""
        super().__init__(home)
        self._dsn = dsn
        self._own_broker = own_broker
        self._speed = speed
        self._server = server
        self._environment = environment or {}
        self.broker: Child | None = None
        self.lab: Child | None = None
        self.server: Child | None = None
        self.broker_port = 0
        self.control_port = 0

    @property
    def dsn(self) -> str:
        return self._dsn or super().dsn

    def open(self) -> None:
        """Start everything, and wait until every device and the badge readers have spoken."""
        prepare(self.home, seed=1)
        if not self._own_broker:
            self.start_broker()
        self.start_server()
        self.start_lab()
        until(self._complete, "all devices online and the operator seen everywhere")

    def _complete(self) -> bool:
        (counted,) = self.rows(
            """select (select count(*) from devices where online_state <> 'online') as away,
                      (select count(distinct zone_id) from zone_presences p
                       join users u on u.id = p.user_id where u.handle = 'operator') as seen"""
        )
        return counted["away"] == 0 and counted["seen"] == 5

    def start_broker(self) -> None:
        folder = self.home / "mqtt"
        logins(folder)
        self.broker_port = self.broker_port or _free_port()
        write_devices_login(folder, host="127.0.0.1", port=self.broker_port)
        path = write_embedded(folder, host="127.0.0.1", port=self.broker_port)
        self.broker = Child(
            [sys.executable, "-m", "infra.broker_child", os.getpid(), path],
            log=self.home.parent / "broker.log",
        )
        until(self._broker_listens, self.broker.log)

    def _broker_listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.broker_port), timeout=1).close()
        except OSError:
            return False
        return True

    def start_lab(self) -> None:
        login = json.loads((self.home / "mqtt" / "devices.json").read_text())
        self.lab = Child(
            [
                *(sys.executable, "-m", "infra.demo", "run", "--home", self.home),
                *("--mqtt-host", "127.0.0.1", "--mqtt-port", login["port"]),
                *("--credentials", self.home / "mqtt" / "devices.json"),
                *("--speed", self._speed, "--control-port", 0),
            ],
            log=self.home.parent / "lab.log",
        )
        self.control_port = json.loads(self.lab.line())["control_port"]

    def start_server(self) -> None:
        """Start the server; return when it answers."""
        self.hang_up()
        announced = self.home / "run.json"
        announced.unlink(missing_ok=True)
        if self.server is not None:
            self.server.destroy()
        self.server = Child(
            self._server, log=self.home.parent / "server.log", environment=self._variables()
        )

        def ready() -> bool:
            assert self.server is not None
            assert self.server.running, self.server.log()[-3000:]
            return announced.exists()

        until(ready, self.server.log)
        self.url = json.loads(announced.read_text())["url"]

    def _variables(self) -> dict[str, str]:
        found = {
            "KITTY_HOME": str(self.home),
            "KITTY_LAB_FILE": str(self.home / "lab.toml"),
            "KITTY_HTTP_PORT": "0",
            "KITTY_LOG_FORMAT": "json",
            "KITTY_REQUESTS_PER_MINUTE": "1000000",
        }
        if self._dsn is not None:
            found["KITTY_DATABASE_URL"] = self._dsn
        if not self._own_broker:
            secret = self.home / "mqtt" / "kitty.password"
            login = logins(self.home / "mqtt")[KITTY]
            secret.write_text(login.password)
            secret.chmod(0o600)
            found |= {
                "KITTY_MQTT_HOST": "127.0.0.1",
                "KITTY_MQTT_PORT": str(self.broker_port),
                "KITTY_MQTT_USERNAME": login.username,
                "KITTY_MQTT_PASSWORD_FILE": str(secret),
            }
        return found | self._environment

    def kill_server(self) -> None:
        """Kill -9 the main process, and wait until it has taken its own children along."""
        assert self.server is not None
        self.server.kill()
        self.server.destroy()
        self.hang_up()

    def kill_server_after(self, seconds: float) -> None:
        """Kill -9 the main process a moment from now, whatever it does then."""
        assert self.server is not None
        threading.Event().wait(seconds)  # chance, not a wait for something
        self.server.kill()

    def restart_server(self) -> None:
        assert self.server is not None
        self.server.destroy()
        self.start_server()

    def order(self, device: str, fault: str, **more: Any) -> None:
        """Let a device fail, or be well again (`none`)."""
        order = {"device": device, "fault": fault, **more}
        answer = send_order(self.control_port, json.dumps(order))
        assert answer["ok"], answer

    def well(self, *devices: str) -> None:
        for device in devices or (LIGHTS, DOOR):
            self.order(device, "none")

    def settled(self) -> None:
        """Wait until no request is unanswered and no command without a result."""
        until(
            lambda: (
                not self.rows(
                    """select id::text, 'request' as what from conversation_requests
                       where status <> 'finished'
                       union all
                       select id::text, 'command' from device_commands where outcome is null"""
                )
            ),
            lambda: self.rows("select id, text, status from conversation_requests"),
        )

    def close(self) -> None:
        self.hang_up()
        for child in (self.lab, self.server, self.broker):
            if child is not None:
                child.destroy()
        self.lab = self.server = self.broker = None


@contextmanager
def house(**more: Any) -> Iterator[House]:
    """Run a whole KITTY for as long as the block lasts."""
    with quick_folder() as home:
        running = House(home, **more)
        try:
            running.open()
            yield running
        finally:
            running.close()


def new_key() -> str:
    """Return an idempotency key for one request."""
    return f"test-{uuid4()}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
