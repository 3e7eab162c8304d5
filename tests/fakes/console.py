"""Scripted parts for the console: they speak the ports of `Services` and remember what was asked."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4, uuid5

from assistant.feed import Feed
from assistant.services import Services
from assistant.turn import Event, Finished, Said, Utterance
from infra.settings import Settings
from infra.snapshots import Snapshot
from infra.store.conversations import Message
from infra.store.credentials import ListedKey
from routing.decision import RoutingDecision, Tier
from safety.entities import (
    ConversationId,
    Device,
    DeviceId,
    DeviceKind,
    EventId,
    Hazard,
    HazardLevel,
    OnlineState,
    RequestId,
    Role,
    User,
    UserId,
    Zone,
    ZoneId,
)
from safety.records import Refused
from tools.desk import ApprovalView, DeviceView, ZoneView

NAMES = UUID("5d2f3a4e-0000-4000-8000-000000000000")


def named(name: str) -> UUID:
    return uuid5(NAMES, name)


def person(handle: str, *roles: Role) -> User:
    return User(
        id=UserId(named(handle)),
        display_name=f"{handle.capitalize()} Person",
        handle=handle,
        roles=frozenset(roles),
    )


OPERATOR = person("operator", Role.OPERATOR)
SAFETY = person("safety", Role.SAFETY)
BAY = Zone(
    id=ZoneId(named("bay")),
    slug="welding-bay",
    name="Welding bay",
    hazard_level=HazardLevel.HIGH,
    requires_ppe=True,
)
FARM = Zone(
    id=ZoneId(named("farm")), slug="print-farm", name="Print farm", hazard_level=HazardLevel.MEDIUM
)


def device(name: str, kind: DeviceKind, zone: Zone, *intents: str, **state: Any) -> DeviceView:
    return DeviceView(
        device=Device(
            id=DeviceId(named(name)),
            external_id=name.lower().replace(" ", "-"),
            name=name,
            kind=kind,
            zone=zone.id,
            capabilities={"intents": list(intents)},
            online_state=OnlineState.ONLINE,
            last_seen=datetime(2026, 3, 2, 9, 12, tzinfo=UTC),
        ),
        zone=zone,
        state=state,
    )


LIGHTS = device("Bay lights", DeviceKind.LIGHT, BAY, "switch", on=False)
DOOR = device("Bay door", DeviceKind.DOOR, BAY, "lock", "unlock", locked=True, open=False)
PRINTER = device(
    "Bamboo",
    DeviceKind.PRINTER,
    FARM,
    "pause_print",
    status="printing",
    progress=0.42,
    eta_seconds=600,
    file="/gcode/cable clips.gcode",
    nozzle_c=214.6,
    nozzle_target_c=215,
    bed_c=60.2,
    bed_target_c=60,
)


class Lab:
    def __init__(self, views: Sequence[DeviceView]) -> None:
        self.views = {view.device.id: view for view in views}
        self.reads: list[str] = []

    def put(self, view: DeviceView) -> None:
        self.views[view.device.id] = view

    def change(self, view: DeviceView, **state: Any) -> DeviceView:
        changed = replace(view, state={**self.views[view.device.id].state, **state})
        self.put(changed)
        return changed

    async def devices(self, **_: Any) -> Sequence[DeviceView]:
        self.reads.append("all")
        return list(self.views.values())

    async def device(self, wanted: DeviceId) -> DeviceView | None:
        self.reads.append(str(wanted))
        return self.views.get(wanted)

    async def zones(self) -> Sequence[ZoneView]:
        zones = {view.zone.id: view.zone for view in self.views.values()}
        return [ZoneView(zone=zone) for zone in sorted(zones.values(), key=lambda each: each.name)]


@dataclass
class Hold:
    """A place in a script where the answer waits until the test goes on."""

    opened: asyncio.Event = field(default_factory=asyncio.Event)


class Core:
    """Answers by script: the events of each sentence, then the whole body."""

    def __init__(self) -> None:
        self.heard: list[Utterance] = []
        self.scripts: dict[str, Sequence[Event | Hold]] = {}
        self.bodies: dict[str, Mapping[str, Any]] = {}

    async def converse(self, utterance: Utterance) -> AsyncIterator[Event]:
        self.heard.append(utterance)
        said = []
        for each in self.scripts.get(utterance.text, (Said(text=f"I heard: {utterance.text}"),)):
            if isinstance(each, Hold):
                await each.opened.wait()
                continue
            if isinstance(each, Said):
                said.append({"role": "assistant", "text": each.text, "spoken": each.text})
            yield each
        yield Finished(body=_body(utterance, said) | dict(self.bodies.get(utterance.text, {})))

    async def answer(self, utterance: Utterance) -> Mapping[str, Any]:
        async for event in self.converse(utterance):
            if isinstance(event, Finished):
                return event.body
        raise AssertionError("the script has no end")


def _body(utterance: Utterance, said: list[dict[str, str]]) -> dict[str, Any]:
    return {
        "conversation_id": str(utterance.conversation),
        "request_id": str(utterance.request),
        "replies": said,
        "calls": [],
        "routing": {},
        "pending_hazard": None,
        "question": None,
        "artifacts": [],
        "citations": [],
    }


class Conversations:
    def __init__(self) -> None:
        self.stored: list[Message] = []
        self.owners: dict[UUID, UserId] = {}

    def add(self, conversation: UUID, role: str, text: str, at: datetime, **meta: Any) -> Message:
        self.owners.setdefault(conversation, OPERATOR.id)
        message = Message(
            id=uuid4(),
            conversation=ConversationId(conversation),
            request=RequestId(uuid4()),
            role=role,
            text=text,
            meta=meta,
            created_at=at,
            seq=len(self.stored) + 1,
        )
        self.stored.append(message)
        return message

    async def messages(
        self, conversation: UUID, *, after: int = 0, limit: int = 200
    ) -> Sequence[Message]:
        found = [m for m in self.stored if m.conversation == conversation and m.seq > after]
        return found[-limit:]

    async def exists(self, conversation: UUID, user: UserId) -> bool:
        return self.owners.get(conversation) == user

    async def of_user(self, user: UserId, *, limit: int = 20) -> Sequence[Mapping[str, Any]]:
        mine = [each for each, owner in self.owners.items() if owner == user]
        rows = [self._row(each) for each in mine]
        return sorted(rows, key=lambda row: row["last_message_at"], reverse=True)[:limit]

    def _row(self, conversation: UUID) -> dict[str, Any]:
        messages = [each for each in self.stored if each.conversation == conversation]
        last = messages[-1].created_at
        return {"id": conversation, "last_message_at": last, "title": messages[0].text}


class People:
    def __init__(self) -> None:
        self.tokens = {"operator-token": OPERATOR, "safety-token": SAFETY}
        self.links: dict[str, User] = {}
        self.sessions: dict[str, User] = {}
        self.by_link: dict[str, bool] = {}
        self.keys: list[ListedKey] = []

    async def by_token(self, token: str, _now: datetime) -> User | None:
        return self.tokens.get(token)

    async def by_session(self, token: str, _now: datetime) -> User | None:
        return self.sessions.get(token)

    async def open_session(self, user: UserId, _now: datetime, *, by_link: bool = False) -> str:
        token = f"session-{uuid4()}"
        self.sessions[token] = next(each for each in (OPERATOR, SAFETY) if each.id == user)
        self.by_link[token] = by_link
        return token

    async def listed_keys(self, user: UserId | None = None) -> list[ListedKey]:
        return [key for key in self.keys if user in {None, key.user}]

    async def close_session(self, token: str, _now: datetime) -> bool:
        return self.sessions.pop(token, None) is not None

    async def redeem(self, code: str, _now: datetime) -> User | None:
        return self.links.pop(code, None)


class Approvals:
    """The waiting room and the gate's no in one."""

    def __init__(self) -> None:
        self.views: dict[EventId, ApprovalView] = {}
        self.denied: list[tuple[EventId, UserId, str]] = []

    def wait(self, what: str, *, seconds: int = 300, by: User = OPERATOR) -> ApprovalView:
        now = datetime.now(UTC)
        view = ApprovalView(
            event=EventId(uuid4()),
            what=what,
            hazard=Hazard.HIGH.word,
            status="pending",
            outcome=None,
            requested_by=by,
            signed_by=(),
            needs=("the signature of an authorised person",),
            reason=None,
            created_at=now,
            expires_at=now + timedelta(seconds=seconds),
        )
        self.views[view.event] = view
        return view

    async def pending(self) -> Sequence[ApprovalView]:
        return [view for view in self.views.values() if view.status == "pending"]

    async def recent(self, *, limit: int = 20) -> Sequence[ApprovalView]:
        return list(self.views.values())[-limit:]

    async def get(self, event: EventId) -> ApprovalView | None:
        return self.views.get(event)

    async def deny(self, event: EventId, user: User, reason: str) -> Refused:
        if user.id == OPERATOR.id and self.views[event].requested_by.id != user.id:
            return Refused(code="not_authorised", reason="You may not deny this request.")
        self.denied.append((event, user.id, reason))
        self.views[event] = replace(self.views[event], status="denied", reason=reason, needs=())
        return Refused(code="denied", reason=reason)

    async def details(self, event: UUID) -> Mapping[str, Any] | None:
        if EventId(event) not in self.views:
            return None
        document = {
            "zone": {"name": "Welding bay"},
            "device": {"name": "Bay door"},
            "ppe": ["welding helmet"],
            "policy": {"roles": ["engineer", "safety"]},
        }
        return {"canonical": base64.b64encode(json.dumps(document).encode()).decode()}


class RoutingLog:
    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.asked: list[Any] = []

    def add(self, latency: int, outcome: str, tier: str = "local") -> None:
        self.rows.append(
            {
                "id": uuid4(),
                "created_at": datetime.now(UTC) - timedelta(minutes=len(self.rows)),
                "selected_tier": tier,
                "confidence": 0.97,
                "rule": "lights_on",
                "latency_ms": latency,
                "cost_estimate": 0,
                "outcome": outcome,
                "escalation_reason": "",
            }
        )

    async def page(
        self, wanted: Any, *, limit: int, cursor: str | None
    ) -> tuple[Sequence[Mapping[str, Any]], str | None]:
        self.asked.append((wanted, cursor))
        rows = [
            row
            for row in self.rows
            if wanted.outcome in {None, row["outcome"]}
            and wanted.tier in {None, row["selected_tier"]}
        ]
        return rows[:limit], None


def decision(rule: str) -> RoutingDecision:
    return RoutingDecision(
        id=uuid4(),
        conversation=None,
        request=RequestId(uuid4()),
        input_hash="",
        selected_tier=Tier.LOCAL,
        confidence=1.0,
        cost_estimate=0,
        escalation_reason="",
        performed_by=None,
        created_at=datetime.now(UTC),
        features_hash="",
        threshold_version="1",
        model="grammar/1",
        rule=rule,
        channel="web",
    )


class House:
    """All parts of one scripted KITTY."""

    def __init__(self, views: Sequence[DeviceView] = (LIGHTS, DOOR, PRINTER)) -> None:
        self.feed = Feed()
        self.lab = Lab(views)
        self.core = Core()
        self.conversations = Conversations()
        self.people = People()
        self.approvals = Approvals()
        self.routing = RoutingLog()
        self.pictures: dict[DeviceId, Snapshot] = {}

    def services(self) -> Services:
        nothing: Any = None
        return Services(
            settings=Settings(),
            core=self.core,  # type: ignore[arg-type]
            gate=self.approvals,  # type: ignore[arg-type]
            catalog=nothing,
            feed=self.feed,
            lab=self.lab,  # type: ignore[arg-type]
            printing=nothing,
            approvals=self.approvals,  # type: ignore[arg-type]
            record=nothing,
            routing=self.routing,  # type: ignore[arg-type]
            conversations=self.conversations,  # type: ignore[arg-type]
            people=self.people,  # type: ignore[arg-type]
            snapshot=self.pictures.get,
            event_details=self.approvals.details,
            metrics=nothing,
            readiness=nothing,
            trust=nothing,
            policies=nothing,
            now=lambda: datetime.now(UTC),
            public_url="http://localhost",
        )
