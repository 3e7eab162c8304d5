"""The conversation on the page: says what people type, shows what comes."""

from collections.abc import Mapping, Sequence
from contextlib import aclosing
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from assistant.channels.console import entries
from assistant.channels.console.cards import card_of
from assistant.channels.console.parts import ChatElement
from assistant.channels.console.visit import Visit
from assistant.feed import News
from assistant.turn import MAX_TEXT
from infra import ids
from infra.db import StoreError
from safety.entities import ConversationId, DeviceKind, EventId, RequestId
from tools.desk import DeviceView

STOP: Final = "stop everything"
CONTINUED_FOR: Final = timedelta(hours=1)
"""How long after its last message a conversation is gone on with when none is named."""
_BROKE: Final = "I could not finish that. Look at the board before you ask again."
_SIGNED_OUT: Final = "You are signed out. Sign in again; I did nothing."
_TOO_LONG: Final = f"That is longer than {MAX_TEXT:,} characters. Say it shorter; I did nothing."


class Chat:
    """One conversation on one page."""

    def __init__(self, visit: Visit, conversation: ConversationId) -> None:
        self._visit = visit
        self.conversation = conversation
        self._events: set[str] = set()
        self._seen = 0
        self._element: ChatElement | None = None

    async def build(self, suggestions: Sequence[str]) -> None:
        """Show the history and the line to type in."""
        services = self._visit.services
        shown = await self._history()
        self._element = ChatElement(
            entries=shown,
            cards=await self._cards(shown),
            suggestions=suggestions,
            greeting=f"Hello, {self._visit.user.display_name}",
            now=services.now(),
            on_say=self._said,
            on_deny=self._denied,
        )
        self._element.classes("k-fill")

    async def say(self, text: str) -> None:
        """Say something through the core and show the answer as it comes."""
        request, at = RequestId(ids.uuid7()), self._visit.services.now()
        self._put(entries.blank(entries.user_id(request), "user", at, text))
        entry: dict[str, Any] = entries.working(request, at)
        self._put(entry)
        refusal = await self._refusal(text)
        if refusal:
            self._put(entries.broken(entry, refusal))
            return
        utterance = self._visit.utterance(text, self.conversation, request)
        try:
            async with aclosing(self._visit.services.core.converse(utterance)) as events:  # type: ignore[type-var]  # an async generator behind an iterator's type
                async for event in events:
                    entry = entries.folded(entry, event)
                    await self._show_card(entry["event"])
                    self._put(entry)
        except StoreError as error:
            entry = entries.broken(entry, f"I could not do that: {error}.")
        finally:
            if entry["busy"]:
                entry = entries.broken(entry, _BROKE)
            if entry["broken"]:
                self._put(entry)

    async def _refusal(self, text: str) -> str | None:
        if len(text) > MAX_TEXT:
            return _TOO_LONG
        return None if await self._visit.signed_in() else _SIGNED_OUT

    async def stop(self) -> None:
        """Stop all machines, at once and in this conversation."""
        await self.say(STOP)

    async def on_conversation(self, news: Sequence[News]) -> None:
        """Show what was said since: by KITTY later, or through another door."""
        del news
        for message in await self._newer():
            entry = entries.of_message(message)
            await self._show_card(entry["event"])
            self._put(entry)

    async def on_approval(self, news: Sequence[News]) -> None:
        """Show anew what has changed of the requests in this conversation."""
        changed = {str(each.body.get("id")) for each in news}
        everything = any(each.missed for each in news)
        for event in sorted(self._events if everything else self._events & changed):
            await self._show_card(event)

    async def _history(self) -> list[dict[str, Any]]:
        return [entries.of_message(each) for each in await self._newer()]

    async def _newer(self) -> Sequence[Any]:
        found = await self._visit.services.conversations.messages(
            self.conversation, after=self._seen
        )
        self._seen = max((each.seq for each in found), default=self._seen)
        return found

    async def _cards(self, shown: Sequence[entries.Entry]) -> dict[str, Any]:
        self._events |= set(entries.events_of(shown))
        found = {event: await self._card(event) for event in self._events}
        return {event: card for event, card in found.items() if card is not None}

    async def _card(self, event: str) -> Mapping[str, Any] | None:
        return await card_of(self._visit.services, EventId(UUID(event)), self._visit.user)

    async def _show_card(self, event: str | None) -> None:
        if event is None or self._element is None:
            return
        self._events.add(event)
        card = await self._card(event)
        if card is not None:
            self._element.put_card(card)

    def _put(self, entry: Mapping[str, Any]) -> None:
        if self._element is not None and not self._element.is_deleted:
            self._element.put(entry)

    async def _said(self, arguments: Mapping[str, Any]) -> None:
        text = arguments.get("text")
        if isinstance(text, str) and text.strip():
            await self.say(text.strip())

    async def _denied(self, arguments: Mapping[str, Any]) -> None:
        problem = await self._visit.deny(arguments)
        if problem:
            self._visit.notify(problem)


async def conversation_of(visit: Visit, wanted: str | None) -> ConversationId:
    """Return the conversation to show.

    It is the named one if it is the person's own, the newest if it is still warm, else a new one.
    """
    services = visit.services
    if wanted == "new":
        return ConversationId(ids.uuid7())
    if wanted:
        try:
            named = ConversationId(UUID(wanted))
        except ValueError:
            return ConversationId(ids.uuid7())
        known = await services.conversations.exists(named, visit.user.id)
        return named if known else ConversationId(ids.uuid7())
    rows = await services.conversations.of_user(visit.user.id, limit=1)
    if rows and services.now() - rows[0]["last_message_at"] < CONTINUED_FOR:
        return ConversationId(rows[0]["id"])
    return ConversationId(ids.uuid7())


def suggestions(devices: Sequence[DeviceView]) -> list[str]:
    """Return things to say that make sense in this lab now.  Pure."""
    found: dict[DeviceKind, DeviceView] = {}
    for view in devices:
        found.setdefault(view.device.kind, view)
    lights = [each for each in devices if each.device.kind is DeviceKind.LIGHT]
    dark = next((each for each in lights if each.state.get("on") is False), None)
    light, door = dark or found.get(DeviceKind.LIGHT), found.get(DeviceKind.DOOR)
    sentences = []
    if light is not None:
        verb = "off" if light.state.get("on") is True else "on"
        sentences.append(f"Turn {verb} the {lowered(light.device.name)}")
    if DeviceKind.PRINTER in found:
        sentences.append(f"What is {found[DeviceKind.PRINTER].device.name} doing?")
    if door is not None:
        sentences.append(f"Unlock the {lowered(door.device.name)}")
    return [*sentences, "What is waiting for approval?"]


def lowered(name: str) -> str:
    """Return a name as it stands inside a sentence; words such as CNC stay as they are."""
    return name if name[1:2].isupper() else name[:1].lower() + name[1:]
