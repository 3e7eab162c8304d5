"""The broker KITTY runs itself when none is configured.

Mosquitto if it is installed, else the embedded one; either way a child process on loopback
that ends with KITTY, with a random password per home.
"""

import asyncio
import contextlib
import json
import os
import pwd
import shutil
import socket
import sys
from enum import StrEnum
from pathlib import Path
from typing import Final

import structlog

from infra.broker_files import (
    DEVICES,
    KITTY,
    Login,
    logins,
    write_devices_login,
    write_embedded,
    write_mosquitto,
)

_START_WITHIN: Final = 20.0
"""Seconds a broker may take until it answers."""
_STOP_WITHIN: Final = 5.0
"""Seconds a broker may take to end before it is killed."""
_POLL: Final = 0.02
"""Seconds between two questions whether it answers yet."""
_LOG_LIMIT: Final = 1_000_000
"""Bytes of the broker's log kept over a restart."""
_SOURCES: Final = Path(__file__).resolve().parent.parent
_log = structlog.get_logger("kitty.broker")


class Engine(StrEnum):
    """Which broker is run."""

    AUTO = "auto"
    """Mosquitto if it is installed, else the embedded one."""
    MOSQUITTO = "mosquitto"
    EMBEDDED = "embedded"


class BrokerStartError(RuntimeError):
    """The broker of our own did not come up."""

    code: Final = "broker_not_started"


def find_mosquitto() -> str | None:
    """Return the path of Mosquitto's server program, if it is installed."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


class BrokerProcess:
    """A broker as a child process: started, watched, stopped."""

    def __init__(
        self,
        home: Path,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        engine: Engine = Engine.AUTO,
    ) -> None:
        self._folder = home.resolve() / "mqtt"
        self._mosquitto = None if engine is Engine.EMBEDDED else find_mosquitto()
        if engine is Engine.MOSQUITTO and self._mosquitto is None:
            raise BrokerStartError("Mosquitto is not installed; install it or use the embedded one")
        self._users = logins(self._folder)
        self._child: asyncio.subprocess.Process | None = None
        self._lock = asyncio.Lock()
        self._ready = False
        self.host = host
        self.port = port
        """0 until the first start chooses a free one; kept from then on."""
        self.restarts = 0
        """How often it died and was started again."""

    @property
    def engine(self) -> Engine:
        """Which broker runs."""
        return Engine.EMBEDDED if self._mosquitto is None else Engine.MOSQUITTO

    @property
    def username(self) -> str:
        """Whom KITTY connects as."""
        return self._users[KITTY].username

    @property
    def password(self) -> str:
        """KITTY's password."""
        return self._users[KITTY].password

    @property
    def devices(self) -> Login:
        """Whom devices connect as."""
        return self._users[DEVICES]

    @property
    def devices_file(self) -> Path:
        """Where devices read host, port, username and password (JSON, mode 0600)."""
        return self._folder / "devices.json"

    @property
    def running(self) -> bool:
        """Whether the child process lives."""
        return self._child is not None and self._child.returncode is None

    @property
    def pid(self) -> int | None:
        """The child's process id."""
        return None if self._child is None else self._child.pid

    async def start(self) -> None:
        """Start it and wait until it lets KITTY in."""
        async with self._lock:
            if not self.running:
                await self._start()
                _log.info("broker_started", engine=self.engine, host=self.host, port=self.port)

    async def ensure_running(self) -> bool:
        """Start it again if it has died; return whether that was necessary."""
        async with self._lock:
            if self.running:
                return False
            await self._start()
            self.restarts += 1
            _log.warning("broker_restarted", engine=self.engine, restarts=self.restarts)
            return True

    async def stop(self) -> None:
        """End it, kindly first."""
        async with self._lock:
            await self._end()

    def _kept_port(self) -> int | None:
        """Return the port of the last time, for devices that know no other, if it is free."""
        try:
            known = json.loads(self.devices_file.read_text(encoding="utf-8"))
            port = int(known["port"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return port if _is_free(self.host, port) else None

    async def _start(self) -> None:
        if self.port == 0:
            self.port = self._kept_port() or _free_port(self.host)
        write_devices_login(self._folder, host=self.host, port=self.port)
        log = self._folder / "broker.log"
        too_long = log.exists() and log.stat().st_size > _LOG_LIMIT
        with log.open("wb" if too_long else "ab") as output:
            self._child = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                *self._command(),
                cwd=_SOURCES,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            async with asyncio.timeout(_START_WITHIN):
                await self._until_ready(log)
        except TimeoutError:
            raise BrokerStartError(
                f"the broker did not answer within {_START_WITHIN:.0f} s; see {log}"
            ) from None
        finally:
            if not self._ready:
                await self._end()

    async def _until_ready(self, log: Path) -> None:
        self._ready = False
        while not await self._lets_us_in():
            if not self.running:
                raise BrokerStartError(f"the broker ended at once; see {log}")
            await asyncio.sleep(_POLL)
        self._ready = True

    def _command(self) -> list[str]:
        parent = str(os.getpid())
        if self._mosquitto is None:
            path = write_embedded(self._folder, host=self.host, port=self.port)
            return ["infra.broker_child", parent, str(path)]
        user = pwd.getpwuid(os.geteuid()).pw_name
        path = write_mosquitto(self._folder, host=self.host, port=self.port, run_as=user)
        return ["infra.tether", parent, self._mosquitto, "-c", str(path)]

    async def _lets_us_in(self) -> bool:
        """Connect over MQTT as KITTY does: proves that it is our broker and knows our password."""
        writer = None
        try:
            reader, writer = await asyncio.open_connection(self.host, self.port)
            writer.write(_connect_packet(self.username, self.password))
            await writer.drain()
            answer = await reader.readexactly(4)
            writer.write(b"\xe0\x00")  # DISCONNECT
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            return False
        else:
            return answer == b"\x20\x02\x00\x00"
        finally:
            if writer is not None:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()

    async def _end(self) -> None:
        child = self._child
        if child is None or child.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            child.terminate()
        try:
            async with asyncio.timeout(_STOP_WITHIN):
                await child.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()


def _is_free(host: str, port: int) -> bool:
    try:
        socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET
        ).close()
    except (OSError, OverflowError):
        return False
    return True


def _free_port(host: str) -> int:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def _connect_packet(username: str, password: str) -> bytes:
    """Return an MQTT 3.1.1 CONNECT with a clean session and an id of its own."""
    fields = b"".join(_text(part) for part in ("kitty-probe", username, password))
    body = _text("MQTT") + b"\x04\xc2\x00\x05" + fields
    return b"\x10" + _length(len(body)) + body


def _text(text: str) -> bytes:
    return len(text.encode()).to_bytes(2, "big") + text.encode()


def _length(size: int) -> bytes:
    low, high = size % 128, size // 128
    return bytes((low | 0x80, high)) if high else bytes((low,))
