"""Put the console on the application that holds the API.

NiceGUI has one application per process; mounting again takes it over for the new services.
"""

from pathlib import Path
from typing import Final

import nicegui
from fastapi import FastAPI, Request
from nicegui import ui
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from assistant.channels.console import pages, plain, sign_in, stop
from assistant.channels.console.guard import Guard
from assistant.services import Services
from infra.db import StoreError

STATIC: Final = Path(__file__).parent / "static"
RECONNECT: Final = 8.0
"""Seconds that a page waits for its browser; also sets how soon a lost connection is seen."""


def mount(app: FastAPI, services: Services) -> None:
    """Serve the console on every path that the application does not know yet."""
    app.include_router(sign_in.router(services))
    app.include_router(stop.router(services))
    app.mount("/console", _Static(directory=STATIC), name="console")
    inner = nicegui.app
    inner.user_middleware.clear()
    inner.middleware_stack = None
    inner.add_middleware(Guard, services=services)
    inner.add_exception_handler(404, _not_found)
    inner.add_exception_handler(StoreError, _out_of_order)
    pages.register(services)
    ui.run_with(
        app,
        title="KITTY",
        favicon=(STATIC / "favicon.svg").read_text(encoding="utf-8"),
        viewport="width=device-width, initial-scale=1, viewport-fit=cover, "
        "interactive-widget=resizes-content",
        dark=None,
        language="en-US",
        tailwind=False,
        binding_refresh_interval=None,
        reconnect_timeout=RECONNECT,
        show_welcome_message=False,
    )


class _Static(StaticFiles):
    """Our own files: browsers ask each time whether they have changed."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["cache-control"] = "no-cache"
        return response


async def _not_found(_request: Request, _error: Exception) -> Response:
    return plain.message("No such page", "There is nothing at this address.", status=404)


async def _out_of_order(_request: Request, error: Exception) -> Response:
    return plain.message("Not available", f"{error}. Try again in a moment.", status=503)
