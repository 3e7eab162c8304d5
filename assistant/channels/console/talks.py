"""The way to recent conversations, and to a new one."""

from typing import Final

from nicegui import ui
from nicegui.element import Element
from nicegui.elements.mixins.text_element import TextElement

from assistant.channels.console.visit import Visit
from safety.entities import ConversationId

RECENT: Final = 12


class Talks:
    """A list that is read anew whenever it is opened."""

    def __init__(self, visit: Visit, current: ConversationId) -> None:
        self._visit = visit
        self._current = current

    def build(self) -> None:
        """Show the head of the chat."""
        with ui.element("div").classes("k-pane-head"):
            with ui.element("details").classes("k-talks") as talks:
                with ui.element("summary"):
                    _icon("history")
                    _words("span", "Conversations")
                self._list = ui.element("ul").classes("k-menu")
            talks.on("toggle", self._read)
            with _link("/?c=new").classes("k-button"):
                _icon("add")
                _words("span", "New")

    async def _read(self) -> None:
        visit = self._visit
        rows = await visit.services.conversations.of_user(visit.user.id, limit=RECENT)
        self._list.clear()
        with self._list:
            for row in rows:
                with ui.element("li"), _link(f"/?c={row['id']}") as link:
                    if row["id"] == self._current:
                        link.props("aria-current=true")
                    _words("span", row["title"] or "Conversation")
                    _words("time", row["last_message_at"].strftime("%d %b"))
            if not rows:
                with ui.element("li"):
                    _words("span", "None yet.")


def _link(path: str) -> Element:
    return ui.element("a").props(f'href="{path}"')


def _icon(name: str) -> None:
    _words("i", name).classes("material-icons k-icon").props("aria-hidden=true")


def _words(tag: str, text: str) -> TextElement:
    return TextElement(tag=tag, text=text)
