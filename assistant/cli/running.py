"""Running the server in the foreground: one per home, announced in run.json, cleanly stopped."""

import asyncio
import fcntl
import json
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

import uvloop

from assistant.cli.leave import Code, CommandError
from assistant.cli.session import RUN_FILE
from infra.broker import BrokerStartError
from infra.broker_files import write_private
from infra.db import StoreError
from infra.lab_file import LabFileError
from infra.mqtt_settings import BusUnavailableError
from infra.settings import Settings

LOCK: Final = "serve.lock"
HOME_MODE: Final = 0o711
"""Root's database runs as another user, who must get through; what is inside is private."""


class Mqtt(Protocol):
    """The broker that devices speak to."""

    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def credentials(self) -> Path:
        """JSON file with the username and password of devices."""
        ...


class Info(Protocol):
    """What a server that is ready says of itself."""

    @property
    def url(self) -> str: ...
    @property
    def home(self) -> Path: ...
    @property
    def mqtt(self) -> Mqtt: ...
    @property
    def enrolment(self) -> str | None:
        """The one-time link of a first start."""
        ...

    async def sign_in_link(self, handle: str) -> str:
        """Make a link that lets this person in once."""
        ...


class Server(Protocol):
    """Runs KITTY until cancelled or told to stop; calls `ready` once."""

    def __call__(self, settings: Settings, *, ready: Callable[[Info], None]) -> Awaitable[None]: ...


Companion = Callable[[Info], Awaitable[None]]
"""Works beside the server from when it is ready until it is cancelled."""


def run(server: Server, settings: Settings, companion: Companion) -> Code:
    """Run the server and its companion until Ctrl-C or SIGTERM; expected problems are sentences."""
    home = settings.store.home
    try:
        with _alone(home):
            _check_port(settings.http.host, settings.http.port)
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(_run(server, settings, companion))
    except (StoreError, BrokerStartError, BusUnavailableError, LabFileError) as error:
        raise CommandError(str(error)) from None
    return Code.DONE


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    try:
        home.mkdir(mode=HOME_MODE, parents=True, exist_ok=True)
        handle = os.open(home / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise CommandError(
            f"the folder {home} cannot be used: {error.strerror}. Choose another with "
            "KITTY_HOME or --home."
        ) from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise CommandError(
            f"KITTY already runs in {home}. Stop it first, or choose another folder."
        ) from None
    else:
        yield
    finally:
        os.close(handle)


def _check_port(host: str, port: int) -> None:
    if port == 0:
        return
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        raise CommandError(
            f"KITTY cannot listen on {host} port {port}: {error.strerror}. Stop what uses it, or "
            "choose another port (KITTY_HTTP_PORT; for the demo --port)."
        ) from None


async def _run(server: Server, settings: Settings, companion: Companion) -> None:
    loop = asyncio.get_running_loop()
    started: asyncio.Future[Info] = loop.create_future()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)

    def ready(info: Info) -> None:
        if not started.done():
            started.set_result(info)

    async def beside() -> None:
        await companion(await started)

    async def serving() -> None:
        await server(settings, ready=ready)

    tasks = [asyncio.create_task(each) for each in (stop.wait(), beside(), serving())]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    failures = []
    for task in tasks:  # in this order: the companion leaves while the server still listens
        task.cancel()
        (ended,) = await asyncio.gather(task, return_exceptions=True)
        if isinstance(ended, Exception):
            failures.append(ended)
    if failures:
        raise failures[0]


@contextmanager
def announced(info: Info, token_file: Path | None) -> Iterator[None]:
    """Keep run.json in the home for as long as the block lasts."""
    file = info.home / RUN_FILE
    found = {
        "url": info.url,
        "token_file": None if token_file is None else str(token_file),
        "pid": os.getpid(),
    }
    write_private(file, json.dumps(found))
    try:
        yield
    finally:
        file.unlink(missing_ok=True)
