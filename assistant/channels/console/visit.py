"""One person looking at one page."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from nicegui.client import Client
from starlette.requests import Request

from assistant.access import COOKIE
from assistant.channels.console.sign_in import visitor
from assistant.services import Services
from assistant.turn import Utterance
from infra import ids
from safety.entities import ConversationId, EventId, RequestId, User
from safety.records import Refused

MAX_REASON = 500
"""Characters of the reason for a denial."""
CHANNEL = "web"


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """What every part of a page is given."""

    services: Services
    user: User
    session: str
    """The session's token; it never reaches the page."""
    client: Client

    async def signed_in(self) -> bool:
        """Tell whether the session is still good."""
        services = self.services
        return await services.people.by_session(self.session, services.now()) is not None

    def run(self, script: str) -> None:
        """Run a script of ours in the browser."""
        _ = self.client.run_javascript(script)

    def notify(self, words: str) -> None:
        """Show words for a few seconds."""
        self.run(f"kitty.notify({quoted(words)})")

    def utterance(self, text: str, conversation: ConversationId, request: RequestId) -> Utterance:
        """Return what the person said."""
        return utterance_of(self.services, self.user, text, conversation, request)

    async def deny(self, arguments: Mapping[str, Any]) -> str | None:
        """Deny or withdraw a request; return why that was not possible, if so."""
        event, reason = arguments.get("id"), arguments.get("reason")
        if not isinstance(event, str) or not isinstance(reason, str):
            return "That request is not known."
        if not await self.signed_in():
            return "You are signed out. Sign in again."
        services = self.services
        outcome = await services.gate.deny(_event(event), self.user, reason[:MAX_REASON])
        view = await services.approvals.get(_event(event))
        denied = view is not None and view.status == "denied"
        return None if denied or not isinstance(outcome, Refused) else outcome.reason


async def visit_of(services: Services, request: Request, client: Client) -> Visit:
    """Return who looks at a page; the guard let nobody in without a session."""
    user = await visitor(services, request)
    if user is None:
        raise PermissionError("a page of the console was asked for without a session")
    return Visit(services=services, user=user, session=request.cookies[COOKIE], client=client)


def utterance_of(
    services: Services, user: User, text: str, conversation: ConversationId, request: RequestId
) -> Utterance:
    """Return what a person said in the console."""
    return Utterance(
        text=text,
        speaker=user,
        conversation=conversation,
        request=request,
        channel=CHANNEL,
        correlation=ids.correlation_id(),
        at=services.now(),
    )


async def stop_everything(services: Services, user: User) -> str:
    """Stop all machines, outside of any page's conversation; return what KITTY said."""
    conversation = await newest_conversation(services, user)
    request = RequestId(ids.uuid7())
    body = await services.core.answer(
        utterance_of(services, user, "stop everything", conversation, request)
    )
    return " ".join(reply["text"] for reply in body["replies"])


async def newest_conversation(services: Services, user: User) -> ConversationId:
    """Return the conversation that the person spoke in last, or a new one."""
    rows = await services.conversations.of_user(user.id, limit=1)
    return ConversationId(rows[0]["id"] if rows else ids.uuid7())


def quoted(text: str) -> str:
    """Return text as a JavaScript string that cannot end the script around it."""
    return json.dumps(text).replace("<", "\\u003c")


def _event(text: str) -> EventId:
    try:
        return EventId(UUID(text))
    except ValueError:
        return EventId(UUID(int=0))
