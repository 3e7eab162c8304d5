"""The page of keys: a person's own, and everybody's for admins."""

from collections.abc import Sequence
from typing import Any

from assistant.channels.console.parts import KeysElement
from assistant.channels.console.visit import Visit
from assistant.feed import News
from assistant.key_listing import key_listing
from assistant.relying import relying_party
from safety.entities import Role


class Keys:
    """What is shown of keys; the browser changes them over HTTP, from this very page."""

    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._element: KeysElement | None = None

    async def build(self) -> None:
        """Show the keys."""
        visit = self._visit
        site = relying_party(visit.services.public_url)
        self._element = KeysElement(
            shown=await self._shown(),
            origin=None if site is None else site.origin,
            me=str(visit.user.id),
            admin=Role.ADMIN in visit.user.roles,
            now=visit.services.now(),
        )

    async def on_keys(self, news: Sequence[News]) -> None:
        """Show them anew."""
        del news
        if self._element is not None:
            self._element.replace(await self._shown())

    async def _shown(self) -> dict[str, Any]:
        people, user = self._visit.services.people, self._visit.user
        admin = Role.ADMIN in user.roles
        keys = await people.listed_keys(None if admin else user.id)
        everybody = await people.users() if admin else []
        return {
            "keys": [key_listing(key) for key in keys],
            "people": [
                {"id": str(each.user.id), "name": each.user.display_name}
                for each in everybody
                if each.disabled_at is None
            ],
        }
