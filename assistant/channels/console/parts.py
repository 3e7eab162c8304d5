"""The console's own Vue components, as NiceGUI elements.

NiceGUI tells browsers to keep a component's file for a year; the files in `elements` therefore
only point to those in `static`, which browsers ask for again.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from nicegui.element import Element
from nicegui.events import GenericEventArguments

from assistant.turn import MAX_TEXT

Handler = Callable[[Mapping[str, Any]], Awaitable[None]]
"""Takes what the browser sent: JSON from outside, to be read with care."""


def _listen(element: Element, event: str, handler: Handler) -> None:
    async def handle(arguments: GenericEventArguments) -> None:
        if isinstance(arguments.args, dict):
            await handler(arguments.args)

    element.on(event, handle)


class ChatElement(Element, component="elements/kitty_chat.js"):
    """The conversation and the line to type in."""

    def __init__(
        self,
        *,
        entries: Sequence[Mapping[str, Any]],
        cards: Mapping[str, Mapping[str, Any]],
        suggestions: Sequence[str],
        greeting: str,
        now: datetime,
        on_say: Handler,
        on_deny: Handler,
    ) -> None:
        super().__init__()
        self._props |= {
            "entries": list(entries),
            "cards": dict(cards),
            "suggestions": list(suggestions),
            "greeting": greeting,
            "limit": MAX_TEXT,
            "now": now.isoformat(),
        }
        _listen(self, "say", on_say)
        _listen(self, "deny", on_deny)

    def put(self, entry: Mapping[str, Any]) -> None:
        """Show an entry, in place of the one with its id."""
        _ = self.run_method("put", entry)

    def put_card(self, card: Mapping[str, Any]) -> None:
        """Show a request anew wherever it is shown."""
        _ = self.run_method("putCard", card)


class BoardElement(Element, component="elements/kitty_board.js"):
    """Zones and devices."""

    def __init__(
        self,
        *,
        zones: Sequence[Mapping[str, Any]],
        now: datetime,
        on_tap: Handler,
        on_safe: Handler,
    ) -> None:
        super().__init__()
        self._props |= {"zones": list(zones), "now": now.isoformat()}
        _listen(self, "tap", on_tap)
        _listen(self, "safe", on_safe)

    def put(self, tiles: Sequence[Mapping[str, Any]]) -> None:
        """Show tiles in place of those with their ids."""
        _ = self.run_method("put", list(tiles))


class KeysElement(Element, component="elements/kitty_keys.js"):
    """Keys that people sign with."""

    def __init__(
        self,
        *,
        shown: Mapping[str, Any],
        origin: str | None,
        me: str,
        admin: bool,
        now: datetime,
    ) -> None:
        super().__init__()
        self._props |= {
            "shown": dict(shown),
            "origin": origin,
            "me": me,
            "admin": admin,
            "now": now.isoformat(),
        }

    def replace(self, shown: Mapping[str, Any]) -> None:
        """Show these instead."""
        _ = self.run_method("replace", dict(shown))


class ApprovalsElement(Element, component="elements/kitty_approvals.js"):
    """Requests for approval: a list, or one alone."""

    def __init__(
        self,
        *,
        cards: Sequence[Mapping[str, Any]],
        single: bool,
        now: datetime,
        on_deny: Handler,
    ) -> None:
        super().__init__()
        self._props |= {"cards": list(cards), "single": single, "now": now.isoformat()}
        _listen(self, "deny", on_deny)

    def replace(self, cards: Sequence[Mapping[str, Any]]) -> None:
        """Show these requests instead."""
        _ = self.run_method("replace", list(cards))
