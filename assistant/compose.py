"""Build the application: the one place where drivers, gate and channels meet."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import ClassVar, Final
from uuid import UUID

import structlog
from fastapi import FastAPI

from assistant.act import Actor
from assistant.announcer import Announcer
from assistant.channels.console.mount import mount
from assistant.channels.http.app import build as build_http
from assistant.core import Core, CoreParts
from assistant.event_details import Details
from assistant.feed import Feed
from assistant.graph import Parts
from assistant.graph import build as build_graph
from assistant.names_source import NamesSource
from assistant.news import News
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
from assistant.upkeep import Upkeep
from infra import clock, ids
from infra.audit_checkpoints import Checkpoints
from infra.audit_files import AuditFiles
from infra.broker_files import write_private
from infra.checkpoints import PooledSaver
from infra.drivers.devices import MqttDriver
from infra.drivers.mqtt_devices import CommandLink
from infra.ingest import Ingest
from infra.lab_file import read_lab
from infra.metrics import Metrics
from infra.settings import Settings, SyncedKeys
from infra.store.approval_log import ApprovalLog
from infra.store.audit import AuditLog
from infra.store.conversations import Conversations
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
from infra.store.routing_log import RoutingLog
from infra.store.trust import trust_of
from infra.supervise import Supervisor
from infra.wire import AckMessage
from routing.decision import Tier
from routing.router import Thresholds
from safety.actions import KINDS
from safety.entities import CommandId, DeviceId, EventId, User
from safety.gate import Gate, Times
from safety.permit import Drivers
from safety.records import Outcome, Refused, Result, Sources
from safety.trust import TrustFile
from safety.webauthn import Rules
from tools.catalog import build_catalog
from tools.desk import Desk
from tools.run import Runner

_log = structlog.get_logger("kitty")
_CONNECT_WITHIN: Final = timedelta(seconds=10)


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
        house.care.supervise(supervisor)
        stack.callback((await house.care.take_up()).cancel)
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
        self.feed = Feed()
        self.metrics = Metrics()
        self.announcer = Announcer(places.bus)
        self.news = News(
            feed=self.feed, metrics=self.metrics, announcer=self.announcer, now=clock.now
        )
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
        self.care = self.upkeep()
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
            told=self.news.told,
            decided=self.news.decided,
            closed=self.news.closed,
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
                decided=self.news.decided,
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
        self.news.settled(event, outcome)
        self.core.settled(event, outcome)

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

    def upkeep(self) -> Upkeep:
        """Return the work that goes on beside the requests."""
        return Upkeep(
            settings=self.settings,
            places=self.places,
            gate=self.gate,
            core=self.core,
            saver=self.saver,
            conversations=self.conversations,
            ingest=self.ingest,
            names=self.names,
            audit=self.audit,
            announcer=self.announcer,
            metrics=self.metrics,
            lab=self.lab,
            approvals=self.approvals,
        )

    async def readiness(self) -> Readiness:
        """Look whether every part answers now."""
        return Readiness(
            store=await self.places.store_answers(),
            broker=self.places.bus.connected,
            recovered=self.care.recovered,
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
