"""Serve the application over HTTP until told to stop."""

import asyncio
import contextlib
import gc
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Final

import uvicorn

from assistant.compose import Application, application
from infra import clock
from infra.db import StoreError
from infra.settings import Settings

_GRACE: Final = 2
"""Seconds that open requests get at the end."""
_BACKLOG: Final = 2_048
"""Connections that may wait to be accepted, as uvicorn has it."""
_LINK_TTL: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mqtt:
    """The broker that devices speak to."""

    host: str
    port: int
    credentials: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Info:
    """What a server that is ready says of itself."""

    url: str
    home: Path
    mqtt: Mqtt
    enrolment: str | None
    app: Application

    async def sign_in_link(self, handle: str) -> str:
        """Make a link that lets this person in once."""
        people = self.app.services.people
        user = await people.by_handle(handle)
        if user is None:
            raise StoreError(f"there is nobody called {handle!r}")
        code = await people.enrolment_link(user.id, clock.now(), _LINK_TTL)
        return f"{self.url}/sign-in?code={code}"


class _Server(uvicorn.Server):
    """Leaves signals to whoever runs the process; says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(
    settings: Settings,
    *,
    ready: Callable[[Info], None],
    build: Callable[[Settings], AbstractAsyncContextManager[Application]] = application,
) -> None:
    """Run until cancelled; call `ready` once when requests are answered."""
    sockets = None
    if settings.http.port == 0:  # known before anything is built: it is in the links given out
        sockets = [_listening(settings.http.host)]
        port = sockets[0].getsockname()[1]
        settings = replace(settings, http=replace(settings.http, port=port))
    async with build(settings) as app:
        config = uvicorn.Config(
            app.asgi,
            host=settings.http.host,
            port=settings.http.port,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_GRACE,
        )
        server = _Server(config)
        serving = asyncio.create_task(server.serve(sockets))
        up = asyncio.create_task(server.up.wait())
        try:
            await asyncio.wait({serving, up}, return_when=asyncio.FIRST_COMPLETED)
            if server.started:
                _settle()
                ready(_info(settings, app, server))
            await asyncio.shield(serving)
        finally:
            up.cancel()
            server.should_exit = True
            await serving


def _settle() -> None:
    """Leave what was loaded at the start out of every later search for garbage."""
    gc.collect()
    gc.freeze()


def _info(settings: Settings, app: Application, server: uvicorn.Server) -> Info:
    port = server.servers[0].sockets[0].getsockname()[1]
    url = settings.http.public_url or f"http://{_name(settings.http.host)}:{port}"
    login = app.places.device_login or settings.store.home / "mqtt" / "devices.json"
    return Info(
        url=url,
        home=settings.store.home,
        mqtt=Mqtt(host=app.places.bus_host, port=app.places.bus_port, credentials=login),
        enrolment=None if app.enrolment is None else url + app.enrolment,
        app=app,
    )


def _listening(host: str) -> socket.socket:
    """Return a socket at a free port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, 0), family=family, backlog=_BACKLOG)


def _name(host: str) -> str:
    """Return a host name for links: passkeys need `localhost`, not an address."""
    return "localhost" if host in {"127.0.0.1", "::1", "0.0.0.0"} else host  # noqa: S104
