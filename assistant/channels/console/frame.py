"""What surrounds every page: header, navigation, who you are, STOP."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from nicegui import ui
from nicegui.elements.mixins.text_element import TextElement

from assistant.channels.console.visit import Visit
from assistant.feed import News

_REST: Final = (
    ("/approvals", "draw", "Approvals", "approvals"),
    ("/routing", "alt_route", "Routing", "routing"),
)
_WIDE: Final = (("/", "dashboard", "Console", "console"), *_REST)
_NARROW: Final = (
    ("/#chat", "forum", "Chat", "chat"),
    ("/#board", "dashboard", "Board", "board"),
    *_REST,
)
_THEMES: Final = {"light": False, "dark": True}

Stop = Callable[[], Awaitable[None]]


class Frame:
    """The header and the navigation of one page."""

    def __init__(self, visit: Visit, active: str, stop: Stop) -> None:
        self._visit = visit
        self._active = active
        self._stop = stop
        self._badges: list[TextElement] = []

    async def build(self) -> None:
        """Show them."""
        chosen = self._visit.client.request.cookies.get("kitty_theme", "")
        ui.dark_mode(_THEMES.get(chosen))
        with self._visit.client.layout:
            with ui.element("header").classes("k-header") as header:
                self._header()
            header.move(target_index=0)
            with ui.element("nav").classes("k-bottom").props('aria-label="Pages"'):
                self._links(_NARROW)
        await self.on_approval(())

    async def on_approval(self, news: Sequence[News]) -> None:
        """Count what waits."""
        del news
        count = len(await self._visit.services.approvals.pending())
        for badge in self._badges:
            badge.set_visibility(count > 0)
            badge.props(f'aria-label="{count} waiting"')
            badge.text = str(count)

    def _header(self) -> None:
        with ui.element("a").classes("k-brand").props('href="/" aria-label="KITTY: the console"'):
            _text("b", "KITTY")
        with ui.element("nav").classes("k-top").props('aria-label="Pages"'):
            self._links(_WIDE)
        ui.element("span").classes("k-spacer")
        with ui.element("span").classes("k-connection").props("role=status"):
            ui.element("span").classes("k-dot").props("aria-hidden=true")
            _text("span", "Connecting…").props("id=k-connection")
        theme = ui.element("button").classes("k-icon-button").props("id=k-theme type=button")
        theme.on("click", js_handler="() => kitty.nextTheme()")
        with theme:
            _icon("brightness_auto")
        self._person()
        stop = (
            ui.element("button").classes("k-stop").props('type=button aria-label="Stop everything"')
        )
        with stop:
            _icon("front_hand")
            _text("span", "STOP")
        stop.on("click", self._stop, js_handler="() => kitty.stop(() => emit())")

    def _person(self) -> None:
        user = self._visit.user
        with ui.element("details").classes("k-person"):
            with ui.element("summary").props("aria-label=You"):
                _icon("account_circle")
                _text("span", user.display_name)
            with ui.element("div").classes("k-menu"):
                _text("b", user.display_name)
                _text("span", ", ".join(sorted(user.roles)))
                with ui.element("a").classes("k-button").props('href="/keys"'):
                    _icon("key")
                    _text("span", "Keys")
                leave = ui.element("form").props("method=post action=/sign-out")
                with leave, ui.element("button").classes("k-button").props("type=submit"):
                    _icon("logout")
                    _text("span", "Sign out")

    def _links(self, pages: Sequence[tuple[str, str, str, str]]) -> None:
        for path, icon, label, name in pages:
            with ui.element("a").props(f'href="{path}"') as link:
                _icon(icon)
                _text("span", label)
                if name in {"chat", "board"}:
                    link.props(f"data-pane-link={name}")
                elif name == self._active:
                    link.props("aria-current=page")
                if name == "approvals":
                    self._badges.append(_text("span", "").classes("k-badge"))


def _icon(name: str) -> TextElement:
    return _text("i", name).classes("material-icons k-icon").props("aria-hidden=true")


def _text(tag: str, words: str) -> TextElement:
    return TextElement(tag=tag, text=words)
