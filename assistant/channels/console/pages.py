"""The console's pages, put together from their parts."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from fastapi import Request
from nicegui import ui
from nicegui.client import Client
from nicegui.elements.mixins.text_element import TextElement
from starlette.responses import Response

from assistant.channels.console import plain
from assistant.channels.console.approvals import Approvals
from assistant.channels.console.board import Board
from assistant.channels.console.chat import Chat, conversation_of, suggestions
from assistant.channels.console.frame import Frame
from assistant.channels.console.keys import Keys
from assistant.channels.console.live import Handler, Live
from assistant.channels.console.routing import Routing
from assistant.channels.console.talks import Talks
from assistant.channels.console.visit import Visit, stop_everything, visit_of
from assistant.services import Services
from safety.entities import EventId

_HEAD: Final = """<meta name="theme-color" content="#0f1a22">
<link rel="stylesheet" href="/console/console.css">
<script type="module" src="/console/console.js"></script>"""


def register(services: Services) -> None:
    """Put the pages on NiceGUI's application."""

    @ui.page("/")
    async def console(request: Request, client: Client, c: str | None = None) -> None:
        visit = await visit_of(services, request, client)
        await _console(visit, c)

    @ui.page("/approvals", title="Approvals · KITTY")
    async def approvals(request: Request, client: Client) -> None:
        visit = await visit_of(services, request, client)
        part = Approvals(visit)
        with await _page(visit, "approvals", _both(part)):
            _title("Approvals")
            await part.build()

    @ui.page("/approvals/{event}", title="Request · KITTY")
    async def approval(request: Request, client: Client, event: str) -> Response | None:
        visit = await visit_of(services, request, client)
        part = Approvals(visit, _event(event))
        if await services.approvals.get(_event(event)) is None:
            words = "There is no such request. It may be from another installation, or mistyped."
            return plain.message("No such request", words, status=404)
        with await _page(visit, "approvals", _both(part)):
            _title("Request")
            await part.build()
        return None

    @ui.page("/keys", title="Keys · KITTY")
    async def keys(request: Request, client: Client) -> None:
        visit = await visit_of(services, request, client)
        part = Keys(visit)
        with await _page(visit, "keys", {"keys": part.on_keys}):
            _title("Keys")
            await part.build()

    @ui.page("/routing", title="Routing log · KITTY")
    async def routing(request: Request, client: Client) -> None:
        visit = await visit_of(services, request, client)
        with await _page(visit, "routing", {}):
            _title("Routing log")
            await Routing(visit).build()


async def _console(visit: Visit, wanted: str | None) -> None:
    chat = Chat(visit, await conversation_of(visit, wanted))
    board = Board(visit, chat.say)
    devices = await visit.services.lab.devices()
    ui.add_head_html(_HEAD)
    frame = Frame(visit, "console", chat.stop)
    await frame.build()
    with ui.element("div").classes("k-console"):
        with ui.element("section").classes("k-pane chat").props("aria-label=Chat"):
            Talks(visit, chat.conversation).build()
            await chat.build(suggestions(devices))
        with ui.element("section").classes("k-pane board").props("aria-label=Board"):
            await board.build(devices)
    handlers: dict[str, Handler] = {
        "device": board.on_device,
        f"conversation/{chat.conversation}": chat.on_conversation,
        f"turn/{chat.conversation}": chat.on_conversation,
    }
    _follow(visit, frame, handlers, also=chat.on_approval)
    visit.run(f"history.replaceState(null, '', '/?c={chat.conversation}' + location.hash)")


async def _page(visit: Visit, active: str, handlers: Mapping[str, Handler]) -> Any:
    ui.add_head_html(_HEAD)

    async def stop() -> None:
        words = await stop_everything(visit.services, visit.user)
        visit.notify(words)

    frame = Frame(visit, active, stop)
    await frame.build()
    others = {topic: each for topic, each in handlers.items() if topic != "approval"}
    _follow(visit, frame, others, also=handlers.get("approval"))
    return ui.element("div").classes("k-page")


def _follow(
    visit: Visit, frame: Frame, handlers: Mapping[str, Handler], *, also: Handler | None
) -> None:
    """Keep the page up to date; approvals concern the frame's badge and perhaps the page."""

    async def on_approval(news: Any) -> None:
        await frame.on_approval(news)
        if also is not None:
            await also(news)

    Live(visit, visit.client, {**handlers, "approval": on_approval}).start()


def _both(part: Approvals) -> dict[str, Handler]:
    """Show requests anew also when somebody's keys change: then other people can sign."""
    return {"approval": part.on_approval, "keys": part.on_approval}


def _title(words: str) -> None:
    _words("h1", words).classes("k-title")


def _words(tag: str, text: str) -> TextElement:
    return TextElement(tag=tag, text=text)


def _event(text: str) -> EventId:
    try:
        return EventId(UUID(text))
    except ValueError:
        return EventId(UUID(int=0))
