"""The interactive conversation: a line to type on, replies as they come, later news above it."""

import asyncio
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, suppress
from typing import Any, Final

import httpx
from prompt_toolkit import PromptSession
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.patch_stdout import patch_stdout
from prompt_toolkit.styles import Style
from rich.console import Console
from rich.text import Text

from assistant.cli import memory, screen
from assistant.cli.client import http_options, problem, unreachable
from assistant.cli.leave import CommandError
from assistant.cli.session import Session
from assistant.cli.sse import Decoder, ServerEvent, StreamError
from assistant.cli.waiting import WaitingList
from assistant.cli.words import escaped
from infra import clock

PROMPT: Final = "you> "
GREETING: Final = "Say something to KITTY. Ctrl-C clears the line, Ctrl-D leaves."
RECONNECT_SECONDS: Final = 2.0
_OK: Final = 300
_STYLE: Final = Style.from_dict({"bottom-toolbar": "noreverse ansiyellow"})


class Talk:
    """One person at one terminal."""

    def __init__(
        self, session: Session, conversation: str | None, out: Console | None = None
    ) -> None:
        self._session = session
        self._conversation = conversation
        self._known = asyncio.Event()
        self._waiting = WaitingList()
        self._out = out or screen.screen()
        self._said: list[str] = []
        """What KITTY said in the turn under way."""
        self._turn = asyncio.Lock()
        if conversation is not None:
            self._known.set()

    async def run(self) -> None:
        """Talk until Ctrl-D."""
        prompt: PromptSession[str] = PromptSession(
            history=self._history(),
            bottom_toolbar=self._toolbar,
            refresh_interval=1.0,  # the countdown
            style=_STYLE,
        )
        async with AsyncExitStack() as stack:
            http = await stack.enter_async_context(httpx.AsyncClient(**http_options(self._session)))
            await self._greet(http)
            stack.enter_context(patch_stdout(raw=True))
            news = asyncio.create_task(self._follow(http))
            try:
                await self._lines(http, prompt)
            finally:
                news.cancel()
                with suppress(asyncio.CancelledError):
                    await news

    def _history(self) -> History:
        file = memory.history_file(self._session.home)
        return FileHistory(str(file)) if file else InMemoryHistory()

    async def _greet(self, http: httpx.AsyncClient) -> None:
        try:
            response = await http.get("/api/me")
        except httpx.HTTPError as error:
            raise unreachable(self._session, error) from None
        if response.status_code >= _OK:
            raise problem(response.status_code, response.content)
        me = response.json()
        roles = ", ".join(map(str, me.get("roles") or ()))
        name = escaped(str(me.get("display_name") or me.get("handle") or "?"))
        self._out.print(Text(f"You are {name} ({escaped(roles)}) at {self._session.url}."))
        self._out.print(Text(GREETING, style="dim"))

    async def _lines(self, http: httpx.AsyncClient, prompt: PromptSession[str]) -> None:
        while True:
            try:
                text = await prompt.prompt_async(PROMPT)
            except KeyboardInterrupt:
                continue
            except EOFError:
                return
            if text.strip():
                await self._interruptible(http, text.strip())

    async def _interruptible(self, http: httpx.AsyncClient, text: str) -> None:
        """Take one turn; Ctrl-C stops waiting for the answer, not what KITTY does."""
        turn = asyncio.create_task(self._take_turn(http, text))
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, turn.cancel)
        try:
            await turn
        except asyncio.CancelledError:
            self._out.print(Text("Not waiting any longer. KITTY may still do it.", style="yellow"))
        finally:
            loop.remove_signal_handler(signal.SIGINT)

    async def _take_turn(self, http: httpx.AsyncClient, text: str) -> None:
        body: dict[str, Any] = {"input": {"text": text}, "channel": "cli"}
        if self._conversation is not None:
            body["conversation_id"] = self._conversation
        async with self._turn:
            finished = False
            self._said.clear()
            try:
                async with http.stream("POST", "/api/query/stream", json=body) as response:
                    async for event in _events(response):
                        self._show(event)
                        finished = finished or event.name in {"finished", "error"}
            except httpx.HTTPError as error:
                self._complain(str(unreachable(self._session, error)))
                return
            except (CommandError, StreamError) as error:
                self._complain(str(error))
                return
        if not finished:
            self._complain("the answer broke off; ask what happened before you repeat it.")

    def _show(self, event: ServerEvent) -> None:
        data = event.data
        match event.name:
            case "said":
                self._said.append(str(data.get("text", "")))
                self._out.print(screen.reply(self._said[-1]))
            case "acted":
                self._out.print(screen.call(data))
            case "waiting":
                self._waiting.add(data)
                self._out.print(screen.pending(data, clock.now()))
            case "asked":
                self._out.print(screen.question(data, self._said), end="")
            case "finished":
                self._finish(data)
            case "error":
                self._complain(_message(data))
            case _:
                pass

    def _finish(self, answer: Mapping[str, Any]) -> None:
        identity = str(answer.get("conversation_id") or "")
        if identity and identity != self._conversation:
            self._conversation = identity
            memory.remember(self._session.home, identity)
        if identity:
            self._known.set()

    async def _follow(self, http: httpx.AsyncClient) -> None:
        """Show what arrives later in this conversation, such as the outcome of an approval."""
        await self._known.wait()
        while True:
            with suppress(httpx.HTTPError, CommandError, StreamError):
                path = f"/api/conversations/{self._conversation}/events"
                timeout = httpx.Timeout(None, connect=5.0)  # silence is normal here
                async with http.stream("GET", path, timeout=timeout) as response:
                    await self._catch_up(http)
                    async for event in _events(response):
                        await self._news(http, event)
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _news(self, http: httpx.AsyncClient, event: ServerEvent) -> None:
        if event.name != "message" or event.data.get("role") == "user":
            return
        async with self._turn:  # news wait until the reply of our own is complete
            self._out.print(screen.reply(str(event.data.get("text", ""))))
        await self._waiting.refresh(http)

    async def _catch_up(self, http: httpx.AsyncClient) -> None:
        """Say what was settled while nobody listened: before the stream, or while it was cut."""
        for event in await self._waiting.refresh(http):
            self._out.print(screen.settled(event))

    def _complain(self, message: str) -> None:
        self._out.print(Text("kitt: ", style="bold red") + Text(escaped(message)))

    def _toolbar(self) -> str | None:
        return self._waiting.line(clock.now())


async def _events(response: httpx.Response) -> AsyncIterator[ServerEvent]:
    if response.status_code >= _OK:
        raise problem(response.status_code, await response.aread())
    decoder = Decoder()
    async for piece in response.aiter_bytes():
        for event in decoder.feed(piece):
            yield event


def _message(data: Mapping[str, Any]) -> str:
    inner = data.get("error")
    found = inner if isinstance(inner, Mapping) else data
    return str(found.get("message") or "the server could not finish.")
