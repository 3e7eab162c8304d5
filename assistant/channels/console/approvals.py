"""The page of requests that wait for people."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from assistant.channels.console.cards import Card, card_json, card_of, full_card
from assistant.channels.console.parts import ApprovalsElement
from assistant.channels.console.visit import Visit
from assistant.feed import News
from safety.entities import EventId

RECENT: Final = 30
"""Settled requests in the list."""


class Approvals:
    """All requests, or one alone."""

    def __init__(self, visit: Visit, only: EventId | None = None) -> None:
        self._visit = visit
        self._only = only
        self._element: ApprovalsElement | None = None

    async def build(self) -> bool:
        """Show the requests; False if the one asked for does not exist."""
        cards = await self._cards()
        if self._only is not None and not cards:
            return False
        self._element = ApprovalsElement(
            cards=cards,
            single=self._only is not None,
            now=self._visit.services.now(),
            on_deny=self._denied,
        )
        return True

    async def on_approval(self, news: Sequence[News]) -> None:
        """Show them anew."""
        del news
        if self._element is not None:
            self._element.replace(await self._cards())

    async def _cards(self) -> list[Card]:
        services, user = self._visit.services, self._visit.user
        if self._only is not None:
            card = await card_of(services, self._only, user)
            return [] if card is None else [card]
        pending = await services.approvals.pending()
        waiting = [await full_card(services, view, user) for view in pending]
        known = {view.event for view in pending}
        recent = await services.approvals.recent(limit=RECENT)
        return waiting + [card_json(each, user, {}) for each in recent if each.event not in known]

    async def _denied(self, arguments: Mapping[str, Any]) -> None:
        problem = await self._visit.deny(arguments)
        if problem:
            self._visit.notify(problem)
        await self.on_approval(())
