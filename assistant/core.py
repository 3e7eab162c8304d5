"""The conversation core: one `Utterance` in, typed events out, whatever the channel."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID, uuid5
from weakref import WeakValueDictionary

import structlog
from langchain_core.runnables import RunnableConfig
from langgraph.types import Command

from assistant.graph import Compiled, Turning
from assistant.turn import Event, Finished, Said, Utterance
from assistant.understanding.reading import Reading, Stop
from infra.checkpoints import PooledSaver
from infra.db import StoreError
from infra.store.conversations import Conversations, StoredRequest
from infra.store.routing_log import RoutingLog
from routing.decision import RoutingDecision, Tier
from routing.router import Thresholds
from safety.entities import ConversationId, EventId, RequestId, User
from safety.gate import Gate
from safety.records import Outcome, Pending
from tools.desk import Desk
from tools.run import CallResult, Origin, Runner

_DONE: Final = object()
_STOPPING: Final = ("stop", "halt", "kill", "emergency", "abort", "freeze", "shut", "quit", "cut")
"""A stop has at least one of these in it; only then it is worth reading the words twice."""
_FREE: Final = Decimal(0)
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
        self._locks: WeakValueDictionary[UUID, asyncio.Lock] = WeakValueDictionary()
        self._tasks: set[asyncio.Task[None]] = set()

    # -- turns ----------------------------------------------------------------------------

    async def converse(self, utterance: Utterance) -> AsyncIterator[Event]:
        """Answer one utterance.  Whoever stops listening does not stop the turn.

        Raises UnknownConversationError for somebody else's conversation, and
        StoreUnavailableError when the request could not even be stored.
        """
        accepted = await self._parts.conversations.accept(_stored(utterance), utterance.client_key)
        queue: asyncio.Queue[object] = asyncio.Queue()
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
            elif self._wants_stop(utterance):
                await self._run(utterance, queue)
            else:
                async with self._lock(accepted.conversation):
                    await self._run(utterance, queue)
        except Exception as error:  # noqa: BLE001  # the channel loop: a broken turn is told, not lost
            _log.exception("turn_failed", request_id=str(accepted.id))
            await queue.put(error)
        finally:
            await queue.put(_DONE)

    def _wants_stop(self, utterance: Utterance) -> bool:
        """Tell whether this must not wait for the turn before it; cheap for everything else."""
        words = utterance.text.lower()
        return any(each in words for each in _STOPPING) and isinstance(
            self._parts.peek(utterance), Stop
        )

    async def _repeat(self, accepted: StoredRequest, queue: "asyncio.Queue[object]") -> None:
        """Answer a repeated request with the first answer."""
        async with self._lock(accepted.conversation):
            stored = await self._parts.conversations.request(accepted.id)
        if stored is None or stored.result is None:
            raise StoreError("that request is still being worked on; ask again in a moment")
        for reply in stored.result["replies"]:
            await queue.put(Said(text=reply["text"], spoken=reply["spoken"]))
        await queue.put(Finished(body=stored.result))

    async def _run(self, utterance: Utterance, queue: "asyncio.Queue[object]") -> None:
        config = _config(utterance.request)
        state = await self._parts.graph.aget_state(config) if utterance.client_key else None
        start: Any = None if state is not None and state.next else {}
        async for event in self._parts.graph.astream(
            start, config, context=_turning(utterance), stream_mode="custom", durability="sync"
        ):
            await queue.put(event)

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
        rule = f"tool:{name[:60]}"
        digest = hashlib.sha256(f"{name}{sorted(arguments.items())!r}".encode()).hexdigest()
        decision = RoutingDecision(
            id=uuid5(request, "decision"),
            conversation=None,
            request=request,
            input_hash=digest,
            selected_tier=Tier.LOCAL,
            confidence=1.0,
            cost_estimate=_FREE,
            escalation_reason="",
            performed_by=user.id,
            created_at=at,
            features_hash=hashlib.sha256(rule.encode()).hexdigest(),
            threshold_version=parts.thresholds.version,
            model="direct",
            rule=rule,
            channel="rest",
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

    async def _resume(self, stored: StoredRequest) -> None:
        """Go on with a turn where it stands: after a crash, or when an approval has ended."""
        utterance = _utterance(stored)
        config = _config(stored.id)
        async with self._lock(stored.conversation):
            state = await self._parts.graph.aget_state(config)
            if state.created_at is None and stored.result is not None:
                return
            start: Any = None if state.next else {}
            if state.next and any(task.interrupts for task in state.tasks):
                start = Command(resume=True)
            elif not state.next and state.created_at is not None:
                return
            async for _ in self._parts.graph.astream(
                start,
                config,
                context=_turning(utterance),
                stream_mode="custom",
                durability="sync",
            ):
                pass

    async def recover(self) -> int:
        """After a start: finish turns that were cut off, then what was approved or under way.

        Returns how many turns were taken up again.
        """
        unfinished = await self._parts.conversations.unfinished()
        for stored in unfinished:
            _log.info("turn_resumed", request_id=str(stored.id))
            await self._resume(stored)
        await self._parts.gate.recover()
        for event in await self._parts.conversations.untold():
            await self._report(EventId(event))
        return len(unfinished)

    async def close(self) -> None:
        """Let running turns end."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    # -- small things ---------------------------------------------------------------------

    def _lock(self, conversation: UUID) -> asyncio.Lock:
        lock = self._locks.get(conversation)
        if lock is None:
            lock = self._locks[conversation] = asyncio.Lock()
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


def _config(request: UUID) -> RunnableConfig:
    """One thread a request: checkpoints stay small and turns never share one."""
    return {"configurable": {"thread_id": str(request)}}


def _turning(utterance: Utterance) -> Turning:
    digest = hashlib.sha256(utterance.text.encode("utf-8", "surrogatepass")).hexdigest()
    return Turning(utterance=utterance, input_hash=digest)


def _stored(utterance: Utterance) -> StoredRequest:
    return StoredRequest(
        id=utterance.request,
        conversation=utterance.conversation,
        user=utterance.speaker,
        channel=utterance.channel,
        text=utterance.text,
        correlation=utterance.correlation,
        created_at=utterance.at,
    )


def _utterance(stored: StoredRequest) -> Utterance:
    return Utterance(
        text=stored.text,
        speaker=stored.user,
        conversation=stored.conversation,
        request=stored.id,
        channel=stored.channel,
        correlation=stored.correlation,
        at=stored.created_at,
    )
