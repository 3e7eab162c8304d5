"""Conversations, requests and messages in PostgreSQL.

A request is stored before anything is done for it and closed in the same transaction that
stores its answer, so that nothing accepted is lost and nothing is answered twice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, LiteralString
from uuid import UUID, uuid5

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from infra.db import StoreError, StorePool
from infra.store.rows import USER_COLUMNS, Row, user_of
from safety.entities import ConversationId, RequestId, User, UserId


class UnknownConversationError(StoreError):
    """There is no such conversation, or it is somebody else's."""

    code = "unknown_conversation"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRequest:
    """A request as it was accepted."""

    id: RequestId
    conversation: ConversationId
    user: User
    channel: str
    text: str
    correlation: str
    created_at: datetime
    result: Mapping[str, Any] | None = None
    """The whole answer, once there is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One line of a conversation."""

    id: UUID
    conversation: ConversationId
    request: RequestId
    role: str
    """`user` or `assistant`."""
    text: str
    spoken: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict)
    user: UserId | None = None
    created_at: datetime
    seq: int = 0
    """Order within the conversation; given by the store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """Everything that ends a request, stored at once."""

    request: RequestId
    conversation: ConversationId
    result: Mapping[str, Any]
    reply: Message
    state: Mapping[str, Any]
    """The conversation's state from now on."""
    outcome: str
    latency_ms: int
    at: datetime


_LAST: Final = 2**62
"""Above the place of any message."""
_REQUEST: Final[LiteralString] = (
    """
select r.id, r.conversation_id, r.channel, r.text, r.correlation_id, r.created_at, r.result, """
    + USER_COLUMNS
    + """
from conversation_requests r join users u on u.id = r.user_id
"""
)


class Conversations:
    """The store's view of what is being said."""

    def __init__(self, pool: StorePool) -> None:
        self._pool = pool

    async def accept(self, request: StoredRequest, client_key: str | None) -> StoredRequest:
        """Store a request and the person's message, and open the conversation if it is new.

        Returns the earlier request when the id or the client's key is known.  Raises
        UnknownConversationError when the conversation is somebody else's.
        """
        row = await self._one(
            """
            with session as (
                insert into conversation_sessions (id, context_key, owner_id, active_participants,
                    created_at, last_message_at)
                select %(conversation)s::uuid, %(key)s, %(user)s::uuid, array[%(user)s::uuid],
                    %(at)s::timestamptz, %(at)s::timestamptz
                where not exists (
                    select from conversation_requests
                    where user_id = %(user)s and client_key = %(client_key)s)
                on conflict (id) do update set last_message_at = excluded.last_message_at
                where conversation_sessions.owner_id = excluded.owner_id
                returning id),
            request as (
                insert into conversation_requests (id, conversation_id, user_id, channel, text,
                    correlation_id, client_key, created_at)
                select %(id)s, session.id, %(user)s, %(channel)s, %(text)s, %(correlation)s,
                    %(client_key)s, %(at)s
                from session
                on conflict do nothing
                returning id),
            message as (
                insert into conversation_messages (id, conversation_id, request_id, role, text,
                    user_id, created_at)
                select %(message)s, %(conversation)s, request.id, 'user', %(text)s, %(user)s, %(at)s
                from request)
            select count(*) as new from request
            """,
            {
                "conversation": request.conversation,
                "key": str(request.conversation),
                "user": request.user.id,
                "at": request.created_at,
                "id": request.id,
                "channel": request.channel,
                "text": request.text,
                "correlation": request.correlation,
                "client_key": client_key,
                "message": uuid5(request.id, "user"),
            },
        )
        assert row is not None
        if row["new"]:
            return request
        earlier = await self._earlier(request, client_key)
        if earlier is None:
            raise UnknownConversationError(
                f"there is no conversation {request.conversation} of yours; leave"
                " conversation_id out to begin a new one"
            )
        return earlier

    async def _earlier(
        self, request: StoredRequest, client_key: str | None
    ) -> StoredRequest | None:
        row = await self._one(
            _REQUEST
            + "where r.user_id = %(user)s and (r.id = %(id)s or r.client_key = %(client_key)s)",
            {"user": request.user.id, "id": request.id, "client_key": client_key},
        )
        return None if row is None else _request(row)

    async def exists(self, conversation: ConversationId, user: UserId) -> bool:
        """Tell whether this is a conversation of this person."""
        row = await self._one(
            "select 1 as one from conversation_sessions where id = %(id)s and owner_id = %(user)s",
            {"id": conversation, "user": user},
        )
        return row is not None

    async def state(self, conversation: ConversationId) -> Mapping[str, Any]:
        """Return what the conversation remembers; empty when it is new."""
        row = await self._one(
            "select state from conversation_sessions where id = %(id)s", {"id": conversation}
        )
        return {} if row is None else dict(row["state"])

    async def request(self, request: RequestId) -> StoredRequest | None:
        """Return one request."""
        row = await self._one(_REQUEST + "where r.id = %(id)s", {"id": request})
        return None if row is None else _request(row)

    async def unfinished(self) -> Sequence[StoredRequest]:
        """Return requests that were accepted and not answered, oldest first."""
        rows = await self._all(_REQUEST + "where r.status = 'accepted' order by r.created_at", {})
        return [_request(row) for row in rows]

    async def begun(self, request: RequestId) -> bool:
        """Tell whether anything was done or asked for on behalf of a request."""
        row = await self._one(
            """select exists (select from device_commands where request_id = %(id)s)
                   or exists (select from safety_events where request_id = %(id)s) as begun""",
            {"id": request},
        )
        return row is not None and bool(row["begun"])

    async def close(self, closing: Closing) -> bool:
        """Store the answer, the state and the decision's end; False if it was closed before."""
        row = await self._one(
            """
            with closed as (
                update conversation_requests
                set status = 'finished', finished_at = %(at)s, result = %(result)s
                where id = %(request)s and status = 'accepted' returning id),
            session as (
                update conversation_sessions
                set state = %(state)s, last_message_at = %(at)s
                where id = %(conversation)s and exists (select from closed)),
            decision as (
                update routing_decisions
                set completed_at = %(at)s, latency_ms = %(latency)s, outcome = %(outcome)s
                where request_id = %(request)s and completed_at is null
                  and exists (select from closed)),
            message as ("""
            + _INSERT_MESSAGE
            + """ where exists (select from closed))
            select id from closed
            """,
            _message_values(closing.reply)
            | {
                "at": closing.at,
                "result": Jsonb(dict(closing.result)),
                "state": Jsonb(dict(closing.state)),
                "latency": closing.latency_ms,
                "outcome": closing.outcome,
            },
        )
        return row is not None

    async def report(self, message: Message, outcome: str, state: Mapping[str, Any] | None) -> bool:
        """Add a later message about a request, once; also note the request's outcome."""
        row = await self._one(
            "with added as ("
            + _INSERT_MESSAGE
            + """ on conflict (id) do nothing returning conversation_id, request_id),
            session as (
                update conversation_sessions s
                set last_message_at = %(at)s, state = coalesce(%(state)s::jsonb, s.state)
                from added where s.id = added.conversation_id),
            decision as (
                update routing_decisions d set outcome = %(outcome)s
                from added where d.request_id = added.request_id
                  and d.outcome in ('pending', 'unknown'))
            select request_id from added
            """,
            _message_values(message)
            | {"outcome": outcome, "state": None if state is None else Jsonb(dict(state))},
        )
        return row is not None

    async def untold(self) -> Sequence[UUID]:
        """Return settled SafetyEvents of conversations whose end was not reported yet."""
        rows = await self._all(
            """select e.id from safety_events e
               join conversation_requests r on r.id = e.request_id and r.status = 'finished'
               where e.hazard in ('medium', 'high') and e.resolved_at > now() - interval '7 days'
                 and not exists (
                     select from conversation_messages m
                     where m.request_id = r.id and m.meta ->> 'event_id' = e.id::text)
               order by e.resolved_at""",
            {},
        )
        return [row["id"] for row in rows]

    async def over(self) -> Sequence[UUID]:
        """Return finished requests that still have checkpoints and nothing that waits."""
        rows = await self._all(
            """select r.id from conversation_requests r
               where r.status = 'finished' and r.finished_at < now() - interval '10 seconds'
                 and exists (select from checkpoints c where c.thread_id = r.id::text)
                 and not exists (
                     select from safety_events e
                     where e.request_id = r.id and e.hazard in ('medium', 'high')
                       and (e.resolved_at is null
                            or e.resolved_at > now() - interval '1 minute'))
               limit 1000""",
            {},
        )
        return [row["id"] for row in rows]

    async def messages(
        self,
        conversation: ConversationId,
        *,
        after: int = 0,
        before: int = _LAST,
        limit: int = 200,
    ) -> Sequence[Message]:
        """Return the newest messages between two places in the order, oldest first."""
        rows = await self._all(
            """select * from (
                 select id, conversation_id, request_id, role, text, spoken, meta, user_id,
                        created_at, seq
                 from conversation_messages
                 where conversation_id = %(id)s and seq > %(after)s and seq < %(before)s
                 order by seq desc limit %(limit)s) newest
               order by seq""",
            {"id": conversation, "after": after, "before": before, "limit": limit},
        )
        return [_message(row) for row in rows]

    async def of_user(
        self,
        user: UserId,
        *,
        limit: int = 20,
        before_at: datetime | None = None,
        before_id: UUID | None = None,
    ) -> Sequence[Mapping[str, Any]]:
        """Return a person's conversations, newest first: id, last_message_at, first words."""
        rows = await self._all(
            """select s.id, s.last_message_at,
                      (select left(m.text, 80) from conversation_messages m
                       where m.conversation_id = s.id order by m.seq limit 1) as title
               from conversation_sessions s
               where s.owner_id = %(user)s
                 and (%(at)s::timestamptz is null
                      or (s.last_message_at, s.id) < (%(at)s::timestamptz, %(id)s::uuid))
               order by s.last_message_at desc, s.id desc limit %(limit)s""",
            {"user": user, "limit": limit, "at": before_at, "id": before_id},
        )
        return [dict(row) for row in rows]

    async def _one(self, query: LiteralString, values: dict[str, Any]) -> Row | None:
        async with (
            self._pool.connection() as connection,
            connection.cursor(row_factory=dict_row) as cursor,
        ):
            await cursor.execute(query, values)
            return await cursor.fetchone()

    async def _all(self, query: LiteralString, values: dict[str, Any]) -> Sequence[Row]:
        async with (
            self._pool.connection() as connection,
            connection.cursor(row_factory=dict_row) as cursor,
        ):
            await cursor.execute(query, values)
            return await cursor.fetchall()


_INSERT_MESSAGE: Final[LiteralString] = """
insert into conversation_messages (id, conversation_id, request_id, role, text, spoken, meta,
    user_id, created_at)
select %(message)s, %(conversation)s, %(request)s, %(role)s, %(text)s, %(spoken)s, %(meta)s,
    %(user)s::uuid, %(at)s
"""


def _message_values(message: Message) -> dict[str, Any]:
    return {
        "message": message.id,
        "conversation": message.conversation,
        "request": message.request,
        "role": message.role,
        "text": message.text,
        "spoken": message.spoken,
        "meta": Jsonb(dict(message.meta)),
        "user": message.user,
        "at": message.created_at,
    }


def _message(row: Row) -> Message:
    return Message(
        id=row["id"],
        conversation=ConversationId(row["conversation_id"]),
        request=RequestId(row["request_id"]),
        role=row["role"],
        text=row["text"],
        spoken=row["spoken"],
        meta=row["meta"],
        user=None if row["user_id"] is None else UserId(row["user_id"]),
        created_at=row["created_at"],
        seq=row["seq"],
    )


def _request(row: Row) -> StoredRequest:
    return StoredRequest(
        id=RequestId(row["id"]),
        conversation=ConversationId(row["conversation_id"]),
        user=user_of(row),
        channel=row["channel"],
        text=row["text"],
        correlation=row["correlation_id"],
        created_at=row["created_at"],
        result=row["result"],
    )
