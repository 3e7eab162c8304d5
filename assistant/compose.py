"""Build the application: the one place where drivers, gate and channels meet."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Final
from uuid import UUID

import structlog
from fastapi import FastAPI

from assistant.act import Actor
from assistant.announcer import Announcer
from assistant.channels.console.mount import mount
from assistant.channels.http.app import build as build_http
from assistant.codec import decision_json
from assistant.core import Core, CoreParts
from assistant.event_details import Details
from assistant.feed import Feed
from assistant.graph import Parts
from assistant.graph import build as build_graph
from assistant.names_source import NamesSource
from assistant.places import Places, open_places
from assistant.policies import Policies
from assistant.relying import relying_party
from assistant.services import Readiness, Services
from assistant.turn import Utterance
from assistant.understanding.dialogue import Dialogue
from assistant.understanding.memory import after, dump, load
from assistant.understanding.reading import Reading
from assistant.understanding.sentences import Intents
from assistant.understanding.understanding import Understanding
from infra import clock, ids
from infra.audit_checkpoints import EVERY, Checkpoints
from infra.audit_files import AuditFiles
from infra.broker_files import write_private
from infra.checkpoints import PooledSaver
from infra.drivers.devices import MqttDriver
from infra.drivers.mqtt_devices import CommandLink
from infra.ingest import Ingest
from infra.lab_file import read_lab
from infra.metrics import Metrics
from infra.retention import clean
from infra.settings import Settings, SyncedKeys
from infra.store.approval_log import ApprovalLog
from infra.store.audit import AuditLog
from infra.store.conversations import Conversations, Message
from infra.store.desk_approvals import PostgresApprovals
from infra.store.desk_lab import PostgresLab
from infra.store.desk_memories import PostgresMemories
from infra.store.desk_printing import PostgresPrinting
from infra.store.desk_record import PostgresRecord
from infra.store.facts import PostgresFacts
from infra.store.fingerprint import names_fingerprint
from infra.store.lab_import import import_lab
from infra.store.ledger import PostgresLedger
from infra.store.people import People
from infra.store.policies import PolicyBook
from infra.store.returning import settle_seen, until_back
from infra.store.routing_log import RoutingLog
from infra.store.trust import trust_of
from infra.supervise import Supervisor
from infra.wire import AckMessage
from routing.decision import RoutingDecision, Tier
from routing.router import Thresholds
from safety.actions import KINDS
from safety.entities import CommandId, ConversationId, DeviceId, EventId, User
from safety.gate import Gate, Times
from safety.permit import Drivers
from safety.records import Outcome, Pending, Refused, Result, Sources
from safety.trust import TrustFile
from safety.webauthn import Rules
from tools.catalog import build_catalog
from tools.desk import Desk
from tools.run import Runner

_log = structlog.get_logger("kitty")
_CONNECT_WITHIN: Final = timedelta(seconds=10)
_SOON: Final = timedelta(seconds=1)
_OFTEN: Final = timedelta(seconds=3)
_HOURLY: Final = timedelta(hours=1)
_BACK_WITHIN: Final = timedelta(seconds=5)
"""How long a start waits for devices before it goes on with what was cut off."""
_CUT: Final = timedelta(seconds=5)
"""A request of this age that nobody works on was cut off."""
_PRUNE: Final = timedelta(minutes=1)


def first_token_file(settings: Settings) -> Path:
    """Return where the first administrator's token is written, readable by its owner only."""
    return settings.store.home / "tokens" / "admin.token"


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """A running KITTY."""

    services: Services
    asgi: FastAPI
    places: Places
    enrolment: str | None
    """Path of the one-time link of a first start."""


@asynccontextmanager
async def application(
    settings: Settings, make: "type[House] | None" = None
) -> AsyncIterator[Application]:
    """Open every connection, wire the parts, and close all of it on the way out.

    `make` is another wiring than the usual one.
    """
    async with AsyncExitStack() as stack:
        supervisor = Supervisor()
        places = await stack.enter_async_context(open_places(settings, supervisor))
        people = People(places.pool)
        if settings.lab.file is not None:
            imported = await import_lab(places.pool, read_lab(settings.lab.file), now=clock.now())
            _log.info(
                "lab_read",
                file=str(settings.lab.file),
                devices=imported.devices.added + imported.devices.changed,
                people=imported.people.added + imported.people.changed,
                vanished=imported.vanished,
            )
        offer = await people.first_start(clock.now())
        if offer is not None:
            token = await people.create_token(offer.user.id, "first start", clock.now())
            file = first_token_file(settings)
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_private(file, token.text)
        house = (make or House)(settings, places, people)
        await stack.enter_async_context(places.bus)
        stack.push_async_callback(house.audit.close)
        if not await places.bus.ready(_CONNECT_WITHIN):
            _log.warning("broker_not_ready", host=places.bus_host, port=places.bus_port)
        await house.names.refresh()
        stack.push_async_callback(house.core.close)
        announcing = asyncio.create_task(house.announcer.run())
        stack.callback(announcing.cancel)
        house.supervise(supervisor)
        stack.callback((await house.take_up()).cancel)
        yield Application(
            services=house.services,
            asgi=house.asgi,
            places=places,
            enrolment=None if offer is None else f"/sign-in?code={offer.token}",
        )


class House:
    """The parts, wired.  Exists once, made by `application`."""

    ledger_kind: ClassVar[type[PostgresLedger]] = PostgresLedger
    routing_kind: ClassVar[type[RoutingLog]] = RoutingLog
    conversations_kind: ClassVar[type[Conversations]] = Conversations
    saver_kind: ClassVar[type[PooledSaver]] = PooledSaver

    def __init__(self, settings: Settings, places: Places, people: People) -> None:
        self.settings = settings
        self.places = places
        self.recovered = False
        self.mending = False
        self._lost = 0
        self.feed = Feed()
        self.metrics = Metrics()
        self.announcer = Announcer(places.bus)
        places.bus.on_connection(self.announcer.connected)
        pool = places.pool
        self.ledger = self.ledger_kind(pool)
        self.facts = PostgresFacts(pool)
        self.ingest = Ingest(bus=places.bus, pool=pool, now=clock.now)
        self.link = CommandLink(places.bus, now=clock.now, on_late_ack=self._late)
        self.gate = Gate(
            facts=self.facts,
            ledger=self.ledger,
            drivers=self._drivers(),
            sources=Sources(now=clock.now, new_id=ids.uuid7, nonce=ids.nonce),
            times=Times(approval=settings.gate.approval, command=settings.gate.command),
            announce=self._settled,
            site=settings.gate.site or "",
            passkeys=_passkey_rules(settings),
        )
        self.lab = PostgresLab(pool, self._snapshot_at)
        self.printing = PostgresPrinting(pool)
        self.approvals = PostgresApprovals(pool, self._withdraw)
        self.record = PostgresRecord(pool)
        self.memories = PostgresMemories(pool, ids.uuid7)
        self.routing = self.routing_kind(pool)
        self.conversations = self.conversations_kind(pool)
        self.saver = self.saver_kind(pool)
        self.names = NamesSource(
            lab=self.lab,
            printing=self.printing,
            people=partial(_active, people),
            fingerprint=partial(names_fingerprint, pool),
        )
        self.catalog = build_catalog()
        self.understanding = Understanding(Intents.load())
        self.audit = Checkpoints(
            log=AuditLog(pool),
            files=AuditFiles(settings.store.home),
            now=clock.now,
            carrier=places.bus,
        )
        self.core = self._core()
        self.services = self._services(people)
        self.asgi = build_http(self.services)
        mount(self.asgi, self.services)
        self.ingest.on_device_change(lambda device: self.feed.tell("device", {"id": str(device)}))
        self.ingest.on_job_change(lambda job: self.feed.tell("job", {"id": str(job)}))

    # -- wiring ---------------------------------------------------------------------------

    def _drivers(self) -> Drivers:
        drivers, driver = Drivers(), MqttDriver(self.link)
        for kind in KINDS:
            drivers.add(kind, driver)
        return drivers

    def _core(self) -> Core:
        thresholds = Thresholds(local=self.settings.routing.local_threshold)
        runner = Runner(catalog=self.catalog, gate=self.gate)
        actor = Actor(
            runner=runner,
            gate=self.gate,
            desk=self._desk,
            name_of=self.names.name_of,
            begun=self.conversations.begun,
            now=clock.now,
        )
        parts = Parts(
            read=self.understanding.read,
            after=after,
            load=load,
            dump=dump,
            names=self.names.current,
            actor=actor,
            gate=self.gate,
            conversations=self.conversations,
            routing=self.routing,
            thresholds=thresholds,
            tiers=(Tier.LOCAL,),
            now=clock.now,
            told=self._told,
            decided=self._decided,
            closed=self._closed,
        )
        return Core(
            CoreParts(
                graph=build_graph(parts, self.saver),
                saver=self.saver,
                conversations=self.conversations,
                routing=self.routing,
                runner=runner,
                gate=self.gate,
                desk=self._desk,
                peek=self._read,
                decided=self._decided,
                thresholds=thresholds,
                now=clock.now,
            )
        )

    def _services(self, people: People) -> Services:
        return Services(
            settings=self.settings,
            core=self.core,
            gate=self.gate,
            catalog=self.catalog,
            feed=self.feed,
            lab=self.lab,
            printing=self.printing,
            approvals=self.approvals,
            record=self.record,
            routing=self.routing,
            conversations=self.conversations,
            people=people,
            snapshot=self.ingest.snapshot,
            event_details=Details(
                ledger=self.ledger,
                facts=self.facts,
                name_of=self.names.name_of,
                now=clock.now,
                log=ApprovalLog(self.places.pool),
            ),
            metrics=self.metrics,
            readiness=self.readiness,
            policies=Policies(
                book=PolicyBook(self.places.pool),
                runner=Runner(catalog=self.catalog, gate=self.gate),
                desk=self._desk,
                read=self._read,
                name_of=self.names.name_of,
                synced_for_high=_passkey_rules(self.settings).synced_for_high,
            ),
            trust=self._trust,
            now=clock.now,
            public_url=_public_url(self.settings),
        )

    def _read(self, utterance: Utterance) -> Reading:
        """Read words by themselves, without what was said before."""
        return self.understanding.read(
            utterance.text, self.names.current(), Dialogue(), utterance.at
        )

    def _desk(self, utterance: Utterance, now: datetime) -> Desk:
        return Desk(
            lab=self.lab,
            printing=self.printing,
            approvals=self.approvals,
            record=self.record,
            memories=self.memories,
            asker=utterance.speaker,
            conversation=utterance.conversation if utterance.conversation.int else None,
            request=utterance.request,
            now=now,
        )

    # -- what the parts tell one another --------------------------------------------------

    def _settled(self, event: EventId, outcome: Outcome) -> None:
        verdict = type(outcome).__name__.lower()
        code = outcome.code if isinstance(outcome, Refused) else ""
        self.metrics.gate(verdict, code)
        body = {"id": str(event), "outcome": verdict}
        if isinstance(outcome, Pending):
            body["needs"] = ",".join(sorted(outcome.needs))
        self.feed.tell("approval", body)
        self.announcer.safety(body)
        self.core.settled(event, outcome)

    def _decided(self, decision: RoutingDecision) -> None:
        body = decision_json(decision)
        self.feed.tell("routing", body)
        self.announcer.routing(body)

    def _closed(
        self,
        utterance: Utterance,
        body: Mapping[str, Any],
        state: Mapping[str, Any],
        latency_ms: int,
    ) -> None:
        routing = body["routing"]
        outcome = body["calls"][-1]["outcome"] if body["calls"] else "answered"
        self.metrics.routed(
            routing["selected_tier"],
            outcome,
            latency_ms=latency_ms,
            cost=Decimal(str(routing["cost_estimate"])),
        )
        for call in body["calls"]:
            self.metrics.command(call["tool"], call["outcome"])
        self.announcer.context(
            utterance.conversation,
            {
                "conversation_id": str(utterance.conversation),
                "channel": utterance.channel,
                "request_id": str(utterance.request),
                "last_message_at": clock.now().isoformat(),
                "state": dict(state),
            },
        )
        self.feed.tell(
            f"turn/{utterance.conversation}",
            {"request_id": str(utterance.request), "channel": utterance.channel},
        )

    def _told(self, message: Message, meta: Mapping[str, Any]) -> None:
        self.feed.tell(
            f"conversation/{message.conversation}",
            {
                "id": str(message.id),
                "role": message.role,
                "text": message.text,
                "spoken": message.spoken or message.text,
                "created_at": message.created_at.isoformat(),
                "request_id": str(message.request),
                "meta": dict(meta),
            },
        )

    async def _late(self, ack: AckMessage, external_id: str) -> None:
        """Settle what was unknown by an answer that came after all."""
        result = Result.DONE if ack.ok else Result.FAILED
        command = CommandId(ack.command_id)
        told = await self.ledger.command(command)
        view = None if told is None else await self.lab.device(told.proposal.action.device)
        if view is None or view.device.external_id != external_id:
            _log.warning("late_answer_misplaced", device=external_id, command_id=str(command))
            return
        if await self.ledger.reconcile(command, result, clock.now()):
            _log.info("late_answer", device=external_id, command_id=str(command), ok=ack.ok)

    async def _snapshot_at(self, device: UUID) -> datetime | None:
        picture = self.ingest.snapshot(DeviceId(device))
        return None if picture is None else picture.taken_at

    async def _withdraw(self, event: EventId, user: User) -> str | None:
        outcome = await self.gate.deny(event, user, "")
        if isinstance(outcome, Refused) and outcome.code not in {"withdrawn", "denied"}:
            return outcome.reason
        return None

    async def _trust(self) -> TrustFile:
        site = self.settings.gate.site or ""
        return await trust_of(self.places.pool, site=site, now=clock.now())

    # -- what goes on beside the requests -------------------------------------------------

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
        self.mending = True

    async def _mend(self) -> None:
        """Finish what an absence of the store has cut off."""
        if not self.mending:  # the start still does
            return
        lost = self.places.pool.lost
        if not self.recovered or lost != self._lost:
            await self.gate.recover()
        self.recovered, self._lost = True, lost
        cut = await self.core.take_up(before=clock.now() - _CUT)
        await asyncio.gather(*cut, return_exceptions=True)
        await settle_seen(self.places.pool, clock.now())

    def supervise(self, supervisor: Supervisor) -> None:
        """Begin the background work."""
        supervisor.every(_SOON, "expire", self.gate.expire)
        supervisor.every(_OFTEN, "mend", self._mend)
        supervisor.every(_OFTEN, "names", self.names.refresh)
        supervisor.every(_OFTEN, "sweep", lambda: self.ingest.sweep(clock.now()))
        supervisor.every(_OFTEN, "gauges", self._gauges)
        supervisor.every(_PRUNE, "prune", self._prune)
        supervisor.every(_HOURLY, "retention", self._retention)
        supervisor.every(EVERY, "audit", self.audit.tick)

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

    async def readiness(self) -> Readiness:
        """Look whether every part answers now."""
        return Readiness(
            store=await self.places.store_answers(),
            broker=self.places.bus.connected,
            recovered=self.recovered,
        )


async def _active(people: People) -> list[User]:
    """Return everybody who may still come in."""
    return [each.user for each in await people.users() if each.disabled_at is None]


def _public_url(settings: Settings) -> str:
    """Return where people reach this server: no slash at the end."""
    return settings.http.public_url or f"http://localhost:{settings.http.port}"


def _passkey_rules(settings: Settings) -> Rules:
    site = relying_party(_public_url(settings))
    return Rules(
        origins=frozenset({site.origin} if site else ()),
        synced_for_high=settings.gate.synced_keys is SyncedKeys.ACCEPT,
    )
