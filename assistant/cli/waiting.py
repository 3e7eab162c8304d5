"""What waits for approval while a person types, with the time each still has."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import httpx

from assistant.cli.events import EVENTS, short_ids
from assistant.cli.words import WordsError, escaped, left, moment

_OK = 300


class WaitingList:
    """The pending approvals of this conversation."""

    def __init__(self) -> None:
        self._events: dict[str, Mapping[str, Any]] = {}

    def add(self, event: Mapping[str, Any]) -> None:
        """Remember what now waits."""
        self._events[str(event.get("safety_event_id", ""))] = event

    async def refresh(self, http: httpx.AsyncClient) -> list[Mapping[str, Any]]:
        """Forget and return what has been settled; what cannot be asked about stays."""
        settled = []
        for identity in list(self._events):
            try:
                response = await http.get(f"{EVENTS}/{identity}")
                event = response.json() if response.status_code < _OK else {"status": "pending"}
                waits = event["status"] == "pending"
            except (httpx.HTTPError, ValueError, KeyError, TypeError):
                continue
            if not waits:
                del self._events[identity]
                settled.append(event)
        return settled

    def line(self, now: datetime) -> str | None:
        """Return one line about what waits; None if nothing does."""
        lasting = {name: each for name, each in self._events.items() if _lasts(each, now)}
        shown = [
            f"{escaped(short)} {left(str(each.get('expires_at', '')), now)}: "
            f"{escaped(str(each.get('prompt', '')))}"
            for short, each in zip(short_ids(lasting), lasting.values(), strict=True)
        ]
        return "Waiting: " + "; ".join(shown) if shown else None


def _lasts(event: Mapping[str, Any], now: datetime) -> bool:
    try:
        return moment(str(event.get("expires_at", ""))) > now
    except WordsError:
        return True
