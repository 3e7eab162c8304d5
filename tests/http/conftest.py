"""The whole application in the test's process, over a real socket, with scripted devices."""

import asyncio
import io
import itertools
import json
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import psycopg
import pytest
from fakes.devices import WITHIN, Devices
from fakes.world import DEVICES, Keyring, lab_text
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from assistant.compose import Application
from assistant.serve import serve
from infra import clock, logs
from infra.postgres import EmbeddedPostgres
from infra.settings import LogFormat, LogLevel, LogSettings, load

_numbers = itertools.count(1)
CAMERA = """
[[devices]]
external_id = "bay-camera"
name = "bay camera"
kind = "camera"
zone = "bay"
capabilities = { intents = [] }
"""
PEOPLE = ("olga", "emil", "sara", "anna")


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": True}  # as `kitt serve` does


@dataclass(repr=False)
class Door:
    """The running server as its callers see it, and what goes on behind it."""

    url: str
    app: Application
    devices: Devices
    keys: dict[str, Keyring]
    log: io.StringIO
    tokens: dict[str, str] = field(default_factory=dict)
    _clients: dict[str, httpx.AsyncClient] = field(default_factory=dict)

    def of(self, person: str | None) -> httpx.AsyncClient:
        """Return somebody's client; a stranger's for None."""
        key = person or ""
        if key not in self._clients:
            headers = {"authorization": f"Bearer {self.tokens[person]}"} if person else {}
            self._clients[key] = httpx.AsyncClient(
                base_url=self.url, headers=headers, timeout=WITHIN, trust_env=False
            )
        return self._clients[key]

    async def say(self, text: str, person: str = "olga", **more: Any) -> httpx.Response:
        """Say something and get the whole answer."""
        return await self.of(person).post("/api/query", json={"input": {"text": text}, **more})

    async def sql(self, query: str, *values: object) -> list[Any]:
        """Run a statement; return its rows."""
        async with self.app.places.pool.connection() as connection:
            cursor = await connection.execute(query.encode(), values)
            return await cursor.fetchall() if cursor.description else []

    async def count(self, table: str) -> int:
        """Count the rows of a table."""
        return (await self.sql(f"select count(*) from {table}"))[0][0]

    async def id_of(self, table: str, column: str, value: str) -> str:
        """Return the id of a row."""
        return str((await self.sql(f"select id from {table} where {column} = %s", value))[0][0])

    async def until(self, happened: Callable[[], Any]) -> Any:
        """Wait until something is so; it may be asynchronous."""
        async with asyncio.timeout(WITHIN):
            while True:
                found = happened()
                found = await found if asyncio.iscoroutine(found) else found
                if found:
                    return found
                await asyncio.sleep(0.02)

    async def see(self, person: str, zone: str) -> None:
        """Let a badge reader see somebody, now."""
        await self.sql(
            """insert into zone_presences (id, zone_id, user_id, source, status, observed_at)
               select gen_random_uuid(), z.id, u.id, 'manual', 'present', now()
               from zones z, users u where z.slug = %s and u.handle = %s""",
            zone,
            person,
        )

    async def close(self) -> None:
        for client in self._clients.values():
            await client.aclose()


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    """Return settings beside the usual ones; a module may have its own."""
    return {}


@pytest.fixture(scope="module")
async def door(
    anyio_backend: tuple[str, dict[str, bool]],
    cluster: EmbeddedPostgres,
    tmp_path_factory: pytest.TempPathFactory,
    environment: dict[str, str],
) -> AsyncIterator[Door]:
    home = tmp_path_factory.mktemp("home")
    keys = {"olga": Keyring(), "emil": Keyring(), "sara": Keyring("p256")}
    lab = home / "lab.toml"
    lab.write_text(lab_text(keys) + CAMERA, encoding="utf-8")
    name = f"http_{next(_numbers)}"
    with psycopg.connect(cluster.dsn_of("postgres"), autocommit=True) as admin:
        admin.execute(
            sql.SQL("create database {} template kitty_template").format(sql.Identifier(name))
        )
    port = free_port()
    settings = load(
        {
            "KITTY_DATABASE_URL": _address(cluster.dsn_of(name)),
            "KITTY_LAB_FILE": str(lab),
            "KITTY_HTTP_PORT": str(port),
            "KITTY_MQTT_ENGINE": "embedded",
            "KITTY_COMMAND_SECONDS": "2",
            **environment,
        },
        home=home,
    )
    log = io.StringIO()
    logs.configure(LogSettings(level=LogLevel.DEBUG, format=LogFormat.JSON), log)
    ready: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    server = asyncio.create_task(serve(settings, ready=ready.set_result))
    await asyncio.wait({ready, server}, return_when=asyncio.FIRST_COMPLETED)
    if server.done():
        server.result()
    door = await _furnish(ready.result(), port, keys, log)
    yield door
    door.devices.stop()
    await door.close()
    server.cancel()
    await asyncio.gather(server, return_exceptions=True)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _address(conninfo: str) -> str:
    """Write a connection string as an address, as the setting wants it."""
    parts = conninfo_to_dict(conninfo)
    where = urlencode({"host": parts["host"], "port": parts["port"]})
    return f"postgresql://{parts['user']}@localhost/{parts['dbname']}?{where}"


async def _furnish(info: Any, port: int, keys: dict[str, Keyring], log: io.StringIO) -> Door:
    login = json.loads(await asyncio.to_thread(Path(info.mqtt.credentials).read_text, "utf-8"))
    devices = Devices(
        host=info.mqtt.host,
        port=info.mqtt.port,
        username=login["username"],
        password=login["password"],
        kinds={name: each[0] for name, each in DEVICES.items()} | {"bay-camera": "camera"},
    )
    await asyncio.to_thread(devices.start)
    door = Door(url=f"http://127.0.0.1:{port}", app=info.app, devices=devices, keys=keys, log=log)
    people = info.app.services.people
    for person in PEOPLE:
        user = await people.by_handle(person)
        door.tokens[person] = (await people.create_token(user.id, "test", clock.now())).text
    for zone in ("floor", "farm", "bay"):
        await door.see("olga", zone)

    async def all_online() -> bool:
        found = await door.sql("select count(*) from devices where online_state <> 'online'")
        return found[0][0] == 0

    await door.until(all_online)
    return door
