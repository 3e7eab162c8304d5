"""A real server around a scripted KITTY, and a person at a real browser in front of it."""

import asyncio
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

import pytest
import uvicorn
from fastapi import FastAPI
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from assistant.channels.console.mount import mount
from fakes.console import House

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
PATIENCE = 10.0


@contextmanager
def real_browser() -> Iterator[Browser]:
    """Start Chromium; without one the test is skipped, in CI it fails."""
    path = next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )
    if path is None:
        if os.environ.get("CI") == "true":
            pytest.fail("no Chromium: install it with apt-get install chromium")
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


class _Server(uvicorn.Server):
    """Says when it answers, and leaves signals to the tests' own process."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = threading.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self.up.set()


class Served:
    """A server in a thread with a loop of its own; `on_loop` runs something there."""

    def __init__(self, house: House) -> None:
        self.house = house
        app = FastAPI()
        mount(app, house.services())
        config = uvicorn.Config(app, port=0, log_config=None, access_log=False, lifespan="on")
        self._server = _Server(config)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        await self._server.serve()

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._server.up.wait(PATIENCE)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    @property
    def url(self) -> str:
        return f"http://localhost:{self._server.servers[0].sockets[0].getsockname()[1]}"

    def on_loop(self, work: Callable[[], Any]) -> Any:
        async def run() -> Any:
            return work()

        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(PATIENCE)

    def tell(self, topic: str, **body: Any) -> None:
        self.on_loop(lambda: self.house.feed.tell(topic, body))


@dataclass
class Visitor:
    """A person at a browser: desktop unless told otherwise."""

    served: Served
    chromium: Browser
    contexts: list[BrowserContext]
    trouble: list[str]

    def page(self, *, width: int = 1280, height: int = 800, dark: bool = False) -> Page:
        context = self.chromium.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
        )
        context.set_default_timeout(PATIENCE * 1000)
        self.contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: self.trouble.append(str(error)))
        page.on("request", self._watch)
        return page

    def _watch(self, request: Any) -> None:
        if not request.url.startswith((self.served.url, "data:", "blob:")):
            self.trouble.append(f"asked an outside host: {request.url}")

    def signed_in(self, who: str = "operator", path: str = "/", **size: Any) -> Page:
        page = self.page(**size)
        page.goto(f"{self.served.url}/sign-in?next={path}")
        page.fill("#token", f"{who}-token")
        page.click("button[type=submit]")
        page.wait_for_selector("body[data-connected=true]")
        return page
