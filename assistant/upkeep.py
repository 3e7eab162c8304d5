"""What goes on beside the requests: expiry, recovery, gauges, housekeeping."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from assistant.announcer import Announcer
from assistant.core import Core
from assistant.names_source import NamesSource
from assistant.places import Places
from infra import clock
from infra.audit_checkpoints import EVERY, Checkpoints
from infra.checkpoints import PooledSaver
from infra.ingest import Ingest
from infra.metrics import Metrics
from infra.retention import clean
from infra.settings import Settings
from infra.store.conversations import Conversations
from infra.store.returning import settle_seen, until_back
from infra.supervise import Supervisor
from safety.entities import ConversationId
from safety.gate import Gate
from tools.desk import Approvals, Lab

_SOON: Final = timedelta(seconds=1)
_OFTEN: Final = timedelta(seconds=3)
_GAUGES: Final = timedelta(seconds=15)
_PRUNE: Final = timedelta(minutes=1)
_HOURLY: Final = timedelta(hours=1)
_BACK_WITHIN: Final = timedelta(seconds=5)
"""How long a start waits for devices before it goes on with what was cut off."""
_CUT: Final = timedelta(seconds=5)
"""A request of this age that nobody works on was cut off."""


@dataclass(slots=True, kw_only=True)
class Upkeep:
    """Keeps the house in order."""

    settings: Settings
    places: Places
    gate: Gate
    core: Core
    saver: PooledSaver
    conversations: Conversations
    ingest: Ingest
    names: NamesSource
    audit: Checkpoints
    announcer: Announcer
    metrics: Metrics
    lab: Lab
    approvals: Approvals
    recovered: bool = False
    """What an earlier process left is settled."""
    _mending: bool = False
    _lost: int = 0

    def supervise(self, supervisor: Supervisor) -> None:
        """Begin the background work."""
        supervisor.every(_SOON, "expire", self.gate.expire)
        supervisor.every(_OFTEN, "mend", self._mend)
        supervisor.every(_OFTEN, "names", self.names.refresh)
        supervisor.every(_OFTEN, "sweep", lambda: self.ingest.sweep(clock.now()))
        supervisor.every(_GAUGES, "gauges", self._gauges)
        supervisor.every(_PRUNE, "prune", self._prune)
        supervisor.every(_HOURLY, "retention", self._retention)
        supervisor.every(EVERY, "audit", self.audit.tick)

    async def take_up(self) -> "asyncio.Task[None]":
        """Take up what an earlier process left, before anything new; return the work of it."""
        ready = asyncio.create_task(self._ready_again())
        turns = await self.core.take_up(after=ready)
        return asyncio.create_task(self._taken_up(ready, turns))

    async def _ready_again(self) -> None:
        """Wait, for a short while, until devices are back; then settle what the gate has open."""
        own = self.places.device_login is not None
        await until_back(self.places.pool, clock.now(), own_broker=own, within=_BACK_WITHIN)
        await self.gate.recover()

    async def _taken_up(
        self, ready: "asyncio.Task[None]", turns: "Sequence[asyncio.Task[None]]"
    ) -> None:
        try:
            first, *_ = await asyncio.gather(ready, *turns, return_exceptions=True)
        finally:
            ready.cancel()
        self.recovered = first is None
        self._mending = True

    async def _mend(self) -> None:
        """Finish what an absence of the store has cut off."""
        if not self._mending:  # the start still does
            return
        lost = self.places.pool.lost
        if not self.recovered or lost != self._lost:
            await self.gate.recover()
        self.recovered, self._lost = True, lost
        cut = await self.core.take_up(before=clock.now() - _CUT)
        await asyncio.gather(*cut, return_exceptions=True)
        await settle_seen(self.places.pool, clock.now())

    async def _gauges(self) -> None:
        counts: dict[tuple[str, str], int] = {}
        for view in await self.lab.devices():
            key = (view.device.kind.value, view.device.online_state.value)
            counts[key] = counts.get(key, 0) + 1
        self.metrics.devices(counts)
        self.metrics.approvals_pending(len(await self.approvals.pending()))
        self.metrics.queue("mqtt", self.places.bus.backlog)

    async def _prune(self) -> None:
        await self.saver.forget(await self.conversations.over())

    async def _retention(self) -> None:
        store = self.settings.store
        cleaned = await clean(
            self.places.pool,
            now=clock.now(),
            conversation_ttl=store.conversation_ttl,
            telemetry_ttl=store.telemetry_ttl,
        )
        for conversation in cleaned.conversations:
            self.announcer.forget(ConversationId(conversation))
