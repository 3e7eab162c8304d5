"""The conversation core: one `Utterance` in, typed events out, whatever the channel."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID
from weakref import WeakValueDictionary

import structlog
from langgraph.types import Command

from assistant.graph import Compiled
from assistant.requests import (
    config_of,
    direct_decision,
    stored_of,
    turning_of,
    utterance_of,
)
from assistant.turn import Event, Finished, Said, Utterance
from assistant.understanding.reading import Reading, Stop
from infra.checkpoints import PooledSaver
from infra.db import StoreError
from infra.store.conversations import Conversations, StoredRequest
from infra.store.routing_log import RoutingLog
from routing.decision import RoutingDecision
from routing.router import Thresholds
from safety.entities import ConversationId, EventId, RequestId, User
from safety.gate import Gate
from safety.records import Outcome, Pending
from tools.desk import Desk
from tools.run import CallResult, Origin, Runner

_DONE: Final = object()
_STOPPING: Final = ("stop", "halt", "kill", "emergency", "abort", "freeze", "shut", "quit", "cut")
"""A stop has at least one of these in it; only then it is worth reading the words twice."""
_NOWHERE: Final = ConversationId(UUID(int=0))
"""Stands for "no conversation" in a direct call; it is never stored."""
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreParts:
    """What the core is made of."""

    graph: Compiled
    saver: PooledSaver
    conversations: Conversations
    routing: RoutingLog
    runner: Runner
    gate: Gate
    desk: Callable[[Utterance, datetime], Desk]
    peek: Callable[[Utterance], Reading]
    """Reads the words without any conversation: only used to recognise a stop."""
    decided: Callable[[RoutingDecision], None]
    thresholds: Thresholds
    now: Callable[[], datetime]


class Core:
    """Runs turns.  Turns of one conversation run one after the other; a stop does not wait."""

    def __init__(self, parts: CoreParts) -> None:
        self._parts = parts
        self._locks: WeakValueDictionary[tuple[str, UUID], asyncio.Lock] = WeakValueDictionary()
        self._tasks: set[asyncio.Task[None]] = set()

    # -- turns ----------------------------------------------------------------------------

    async def converse(self, utterance: Utterance) -> AsyncIterator[Event]:
        """Answer one utterance.  Whoever stops listening does not stop the turn.

        Raises UnknownConversationError for somebody else's conversation, and
        StoreUnavailableError when the request could not even be stored.
        """
        queue: asyncio.Queue[object] = asyncio.Queue()
        # Turns begin in the order in which they are stored, so that the history reads right.
        async with self._lock("order", utterance.conversation):
            accepted = await self._parts.conversations.accept(
                stored_of(utterance), utterance.client_key
            )
            task = self._spawn(self._turn(accepted, utterance, queue))
        while (item := await queue.get()) is not _DONE:
            if isinstance(item, BaseException):
                raise item
            yield item  # type: ignore[misc]  # only events are put there
        await task

    async def answer(self, utterance: Utterance) -> Mapping[str, Any]:
        """Answer one utterance and return the whole body."""
        async with aclosing(self.converse(utterance)) as events:  # type: ignore[type-var]
            async for event in events:
                if isinstance(event, Finished):
                    return event.body
        raise StoreError("the turn ended without an answer")

    async def _turn(
        self, accepted: StoredRequest, utterance: Utterance, queue: "asyncio.Queue[object]"
    ) -> None:
        try:
            if accepted.id != utterance.request or accepted.result is not None:
                await self._repeat(accepted, queue)
            else:
                await self._take(accepted, utterance, queue)
        except Exception as error:  # noqa: BLE001  # the channel loop: a broken turn is told, not lost
            _log.exception("turn_failed", request_id=str(accepted.id))
            await queue.put(error)
        finally:
            await queue.put(_DONE)

    async def _take(
        self, accepted: StoredRequest, utterance: Utterance, queue: "asyncio.Queue[object]"
    ) -> None:
        """Run a new turn; if a repetition of the request was faster, say what came of it."""
        async with self._lock("request", accepted.id):
            if utterance.client_key and await self._answered(accepted.id, queue):
                return
            async with self._turn_of(utterance):
                async for event in self._run(utterance, {}):
                    await queue.put(event)

    @asynccontextmanager
    async def _turn_of(self, utterance: Utterance) -> AsyncIterator[None]:
        """Wait for the turns before this one, unless this is a stop."""
        if self._wants_stop(utterance):
            yield
            return
        async with self._lock("conversation", utterance.conversation):
            yield

    def _wants_stop(self, utterance: Utterance) -> bool:
        """Tell whether this must not wait for the turn before it; cheap for everything else."""
        words = utterance.text.lower()
        return any(each in words for each in _STOPPING) and isinstance(
            self._parts.peek(utterance), Stop
        )

    async def _repeat(self, accepted: StoredRequest, queue: "asyncio.Queue[object]") -> None:
        """Answer a repeated request with the first answer, taking it up if it was cut off."""
        async with self._lock("request", accepted.id):
            if await self._answered(accepted.id, queue):
                return
            async with self._turn_of(utterance_of(accepted)):
                await self._go_on(accepted)
            if not await self._answered(accepted.id, queue):
                raise StoreError("that request could not be finished; ask again")

    async def _answered(self, request: RequestId, queue: "asyncio.Queue[object]") -> bool:
        """Give the stored answer of a request; False if there is none yet."""
        stored = await self._parts.conversations.request(request)
        if stored is None or stored.result is None:
            return False
        for reply in stored.result["replies"]:
            await queue.put(Said(text=reply["text"], spoken=reply["spoken"]))
        await queue.put(Finished(body=stored.result))
        return True

    def _run(self, utterance: Utterance, start: Any) -> AsyncIterator[Any]:
        """Run the graph from a start: {} is the beginning, None is where it was cut off."""
        return self._parts.graph.astream(
            start,
            config_of(utterance.request, new=start == {}),
            context=turning_of(utterance),
            stream_mode="custom",
            durability="sync",
        )

    # -- direct tool calls ----------------------------------------------------------------

    async def call_tool(
        self,
        name: str,
        arguments: Mapping[str, Any],
        user: User,
        request: RequestId,
        at: datetime,
        *,
        correlation: str,
    ) -> CallResult:
        """Call one tool for a program, with a RoutingDecision like every request."""
        parts = self._parts
        decision = direct_decision(
            name, arguments, user, request, at, version=parts.thresholds.version
        )
        await parts.routing.write(decision)
        parts.decided(decision)
        utterance = Utterance(
            text="",
            speaker=user,
            conversation=_NOWHERE,
            request=request,
            channel="rest",
            correlation=correlation,
            at=at,
        )
        result = await parts.runner.call(
            name,
            arguments,
            parts.desk(utterance, parts.now()),
            Origin(step=0, correlation=correlation),
        )
        latency = max(0, round((parts.now() - at).total_seconds() * 1000))
        await parts.routing.complete(
            request, latency_ms=latency, outcome=result.outcome.value, at=parts.now()
        )
        return result

    # -- what happens later ---------------------------------------------------------------

    def settled(self, event: EventId, outcome: Outcome) -> None:
        """Take the gate's news of a waiting event; resume the turn that asked for it."""
        if not isinstance(outcome, Pending):
            _ = self._spawn(self._report(event))

    async def _report(self, event: EventId) -> None:
        proposal = await self._parts.gate.proposal(event)
        if proposal is None or proposal.conversation is None:
            return
        stored = await self._parts.conversations.request(proposal.request)
        if stored is not None:
            await self._resume(stored)

    async def _resume(
        self, stored: StoredRequest, after: "asyncio.Future[None] | None" = None
    ) -> None:
        """Go on with a turn where it stands: after a crash, or when an approval has ended."""
        async with self._lock("request", stored.id), self._turn_of(utterance_of(stored)):
            if after is not None:
                await asyncio.shield(after)
            await self._go_on(stored)

    async def _go_on(self, stored: StoredRequest) -> None:
        state = await self._parts.graph.aget_state(config_of(stored.id))
        begun = state.created_at is not None
        if (begun and not state.next) or (not begun and stored.result is not None):
            return
        start: Any = None if begun else {}
        if any(task.interrupts for task in state.tasks):
            start = Command(resume=True)
        async for _ in self._run(utterance_of(stored), start):
            pass

    async def take_up(
        self, *, before: datetime | None = None, after: "asyncio.Future[None] | None" = None
    ) -> "Sequence[asyncio.Task[None]]":
        """Begin to finish what was cut off and to tell what was not told.

        It goes on when `after` is over; from now on new turns wait behind it.  What was said
        after `before`, and what somebody works on already, is left alone.
        """
        parts = self._parts
        works: list[asyncio.Task[None]] = []
        for stored in await parts.conversations.unfinished():
            recent = before is not None and stored.created_at > before
            if not recent and not self._lock("request", stored.id).locked():
                _log.info("turn_resumed", request_id=str(stored.id))
                works.append(self._spawn(self._resume(stored, after)))
        untold = await parts.conversations.untold()
        works += [self._spawn(self._report(EventId(event))) for event in untold]
        return works

    async def close(self) -> None:
        """Let running turns end."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    # -- small things ---------------------------------------------------------------------

    def _lock(self, what: str, identity: UUID) -> asyncio.Lock:
        """Return the lock of a thing; whoever needs both takes the request's before the talk's."""
        lock = self._locks.get((what, identity))
        if lock is None:
            lock = self._locks[what, identity] = asyncio.Lock()
        return lock

    def _spawn(self, work: Any) -> "asyncio.Task[None]":
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("background_task_failed", error=repr(error))
