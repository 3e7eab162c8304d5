"""POST /api/query and its stream; conversations and their later messages."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Annotated, Any, Final, Self
from unicodedata import category
from uuid import UUID, uuid5

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, model_validator

from assistant.access import Problem
from assistant.channels.http.people import Caller
from assistant.channels.http.problems import correlation_of, problem_json, problem_of
from assistant.codec import event_json
from assistant.services import Services
from assistant.turn import MAX_TEXT, Finished, Utterance
from infra import ids
from infra.store.conversations import Message
from infra.store.cursor import cursor_of, place_of
from routing.decision import Tier
from safety.entities import ConversationId, RequestId, User

_KEEP_ALIVE: Final = timedelta(seconds=15)
MAX_ATTACHMENTS: Final = 8
MAX_CURSOR: Final = 300
"""Characters of a cursor."""
MAX_SEQ: Final = 2**62
"""Above the number of any message."""


class Input(BaseModel):
    """What the person said."""

    model_config = ConfigDict(extra="forbid")
    text: str = Field(json_schema_extra={"minLength": 1, "maxLength": MAX_TEXT})
    attachments: list[dict[str, Any]] = Field(default_factory=list, max_length=MAX_ATTACHMENTS)


class QueryBody(BaseModel):
    """One utterance."""

    model_config = ConfigDict(extra="forbid")
    conversation_id: UUID | None = None
    input: Input | None = None
    prompt: str | None = None
    """The same as `input.text`, for callers that know only this."""
    channel: str = Field(default="rest", pattern=r"^[a-z0-9_-]{1,64}$")
    force_tier: Tier | None = None
    client_key: str | None = Field(default=None, min_length=1, max_length=200)

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if (self.input is None) == (self.prompt is None):
            raise ValueError("give either input.text or prompt")
        return self

    @property
    def text(self) -> str:
        """What the person said."""
        return self.input.text if self.input is not None else self.prompt or ""


def router(services: Services) -> APIRouter:
    """Build the routes."""
    routes = APIRouter(tags=["conversation"])

    @routes.post("/api/query", summary="Say something and get the whole answer")
    async def query(body: QueryBody, request: Request, user: Caller) -> JSONResponse:
        utterance = await _utterance(services, body, request, user)
        answer = await services.core.answer(utterance)
        return JSONResponse(dict(answer), status_code=202 if answer["pending_hazard"] else 200)

    @routes.post("/api/query/stream", summary="Say something and get the answer as it comes")
    async def stream(body: QueryBody, request: Request, user: Caller) -> StreamingResponse:
        utterance = await _utterance(services, body, request, user)
        return _sse(_turn_events(services, utterance, correlation_of(request)))

    @routes.get("/api/conversations", summary="Your conversations, newest first")
    async def conversations(
        user: Caller,
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
        cursor: Annotated[str | None, Query(max_length=MAX_CURSOR)] = None,
    ) -> dict[str, Any]:
        at, identity = place_of(cursor)
        found = await services.conversations.of_user(
            user.id, limit=limit + 1, before_at=at, before_id=identity
        )
        shown = found[:limit]
        last = shown[-1] if len(found) > limit else None
        return {
            "items": [_conversation_json(each) for each in shown],
            "next_cursor": cursor_of(last["last_message_at"], last["id"]) if last else None,
        }

    @routes.get("/api/conversations/{conversation}/messages", summary="What was said")
    async def messages(
        conversation: UUID,
        user: Caller,
        after: Annotated[int, Query(ge=0, le=MAX_SEQ)] = 0,
        limit: Annotated[int, Query(ge=1, le=500)] = 200,
        cursor: Annotated[int, Query(ge=0, le=MAX_SEQ)] = MAX_SEQ,
    ) -> dict[str, Any]:
        """Return the newest messages, oldest first; the cursor leads to the ones before."""
        await _own(services, conversation, user)
        found = await services.conversations.messages(
            ConversationId(conversation), after=after, before=cursor, limit=limit + 1
        )
        shown = found[-limit:]
        return {
            "items": [message_json(each) for each in shown],
            "next_cursor": str(shown[0].seq) if len(found) > limit else None,
        }

    @routes.get("/api/conversations/{conversation}/events", summary="Later messages as they come")
    async def later(conversation: UUID, user: Caller) -> StreamingResponse:
        await _own(services, conversation, user)
        return _sse(_later_events(services, conversation))

    return routes


async def _own(services: Services, conversation: UUID, user: User) -> None:
    if not await services.conversations.exists(ConversationId(conversation), user.id):
        raise Problem(404, "unknown_conversation", "There is no such conversation of yours.")


async def _utterance(
    services: Services, body: QueryBody, request: Request, user: User
) -> Utterance:
    if body.conversation_id is not None:
        await _own(services, body.conversation_id, user)
    if body.input is not None and body.input.attachments:
        raise Problem(
            422, "attachments_not_supported", "Attachments cannot be read yet. Send text only."
        )
    text = spoken_text(body.text, services.settings.limits.text_chars)
    return Utterance(
        text=text,
        speaker=user,
        conversation=ConversationId(body.conversation_id or _new_conversation(body, user)),
        request=RequestId(ids.uuid7()),
        channel=body.channel,
        correlation=correlation_of(request),
        at=services.now(),
        force_tier=body.force_tier,
        client_key=body.client_key,
    )


def _new_conversation(body: QueryBody, user: User) -> UUID:
    """Return the id of a conversation that begins here; a repeated request begins it once."""
    return uuid5(user.id, body.client_key) if body.client_key else ids.uuid7()


def spoken_text(text: str, limit: int) -> str:
    """Return what can be read and stored of an utterance, or raise a Problem."""
    if len(text) > limit:
        raise Problem(
            422,
            "text_too_long",
            f"That is {len(text):,} characters; at most {limit:,} are read. Say it in fewer words.",
        )
    readable = "".join(each for each in text if not _is_control(each))
    if not any(_shows(each) for each in readable):
        raise Problem(422, "empty_text", "There is nothing to read. Say something.")
    return readable


def _is_control(character: str) -> bool:
    """Tell what nobody types: control characters, unpaired surrogates."""
    return category(character) in {"Cc", "Cs"} and character not in "\t\r\n"


def _shows(character: str) -> bool:
    """Tell what is more than a space or an invisible mark."""
    return not character.isspace() and category(character) not in {"Cf", "Mn", "Cc"}


async def _turn_events(
    services: Services, utterance: Utterance, correlation: str
) -> AsyncIterator[bytes]:
    try:
        async for event in services.core.converse(utterance):
            name, body = event_json(event)
            yield frame(name, body)
            if isinstance(event, Finished):
                return
    except Exception as error:  # noqa: BLE001  # the channel loop: the stream has begun
        problem = problem_of(error)
        yield frame("error", problem_json(problem, correlation))


async def _later_events(services: Services, conversation: UUID) -> AsyncIterator[bytes]:
    with services.feed.listen(f"conversation/{conversation}") as listener:
        yield b": listening\n\n"
        while True:
            try:
                async with asyncio.timeout(_KEEP_ALIVE.total_seconds()):
                    news = await listener.next()
            except TimeoutError:
                yield b": still here\n\n"
                continue
            yield frame("message", news.body)


def frame(name: str, body: Mapping[str, Any]) -> bytes:
    """Write one server-sent event."""
    data = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    return f"event: {name}\ndata: {data}\n\n".encode()


def _sse(frames: AsyncIterator[bytes]) -> StreamingResponse:
    return StreamingResponse(
        frames,
        media_type="text/event-stream",
        headers={"cache-control": "no-store", "x-accel-buffering": "no"},
    )


def message_json(message: Message) -> dict[str, Any]:
    """Return one line of a conversation."""
    return {
        "id": str(message.id),
        "seq": message.seq,
        "role": message.role,
        "text": message.text,
        "spoken": message.spoken or message.text,
        "created_at": message.created_at.isoformat(),
        "request_id": str(message.request),
        "meta": dict(message.meta),
    }


def _conversation_json(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": str(row["id"]),
        "title": row["title"] or "",
        "last_message_at": row["last_message_at"].isoformat(),
    }
