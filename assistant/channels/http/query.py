"""POST /api/query and its stream; conversations and their later messages."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from assistant.access import Problem
from assistant.channels.http.people import CurrentUser
from assistant.channels.http.shell import correlation_of, problem_of
from assistant.codec import event_json
from assistant.services import Services
from assistant.turn import MAX_TEXT, Finished, Utterance
from infra import ids
from infra.store.conversations import Message
from routing.decision import Tier
from safety.entities import ConversationId, RequestId, User

_KEEP_ALIVE: Final = timedelta(seconds=15)
MAX_ATTACHMENTS: Final = 8


class Input(BaseModel):
    """What the person said."""

    model_config = ConfigDict(extra="forbid")
    text: str = Field(max_length=MAX_TEXT)
    attachments: list[dict[str, Any]] = Field(default_factory=list, max_length=MAX_ATTACHMENTS)


class QueryBody(BaseModel):
    """One utterance."""

    model_config = ConfigDict(extra="forbid")
    conversation_id: UUID | None = None
    input: Input
    channel: str = Field(default="rest", pattern=r"^[a-z0-9_-]{1,64}$")
    force_tier: Tier | None = None
    client_key: str | None = Field(default=None, min_length=1, max_length=200)


def router(services: Services, user_of: CurrentUser) -> APIRouter:
    """Build the routes."""
    routes = APIRouter(tags=["conversation"])
    who = Depends(user_of)

    @routes.post("/api/query", summary="Say something and get the whole answer")
    async def query(body: QueryBody, request: Request, user: Annotated[User, who]) -> JSONResponse:
        utterance = await _utterance(services, body, request, user)
        answer = await services.core.answer(utterance)
        return JSONResponse(dict(answer), status_code=202 if answer["pending_hazard"] else 200)

    @routes.post("/api/query/stream", summary="Say something and get the answer as it comes")
    async def stream(
        body: QueryBody, request: Request, user: Annotated[User, who]
    ) -> StreamingResponse:
        utterance = await _utterance(services, body, request, user)
        return _sse(_turn_events(services, utterance, correlation_of(request)))

    @routes.get("/api/conversations", summary="Your conversations, newest first")
    async def conversations(user: Annotated[User, who]) -> dict[str, Any]:
        items = await services.conversations.of_user(user.id)
        return {"items": [_jsonable(each) for each in items], "next_cursor": None}

    @routes.get("/api/conversations/{conversation}/messages", summary="What was said")
    async def messages(
        conversation: UUID,
        user: Annotated[User, who],
        after: Annotated[int, Query(ge=0)] = 0,
        limit: Annotated[int, Query(ge=1, le=500)] = 200,
    ) -> dict[str, Any]:
        await _own(services, conversation, user)
        found = await services.conversations.messages(
            ConversationId(conversation), after=after, limit=limit
        )
        return {"items": [message_json(each) for each in found], "next_cursor": None}

    @routes.get("/api/conversations/{conversation}/events", summary="Later messages as they come")
    async def later(conversation: UUID, user: Annotated[User, who]) -> StreamingResponse:
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
    if body.input.attachments:
        raise Problem(
            422, "attachments_not_supported", "Attachments cannot be read yet. Send text only."
        )
    text = _clean(body.input.text)
    return Utterance(
        text=text,
        speaker=user,
        conversation=ConversationId(body.conversation_id or ids.uuid7()),
        request=RequestId(ids.uuid7()),
        channel=body.channel,
        correlation=correlation_of(request),
        at=services.now(),
        force_tier=body.force_tier,
        client_key=body.client_key,
    )


def _clean(text: str) -> str:
    """Refuse nothing that a person could have typed; drop what no store can hold."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()


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
        yield frame(
            "error",
            {
                "code": problem.code,
                "message": problem.message,
                "retryable": problem.retryable,
                "correlation_id": correlation,
            },
        )


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


def _jsonable(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value if isinstance(value, str) else str(value) for key, value in row.items()}
