"""Scripted fakes of the ports in `tools.desk`, and a small lab to stand in them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4, uuid5

from safety.entities import (
    ConversationId,
    Device,
    DeviceId,
    DeviceKind,
    EventId,
    HazardLevel,
    JobId,
    OnlineState,
    RequestId,
    Role,
    User,
    UserId,
    Zone,
    ZoneId,
)
from tools.desk import (
    ApprovalView,
    DecisionView,
    Desk,
    DeviceView,
    Memory,
    PrintJob,
    RecordEntry,
    Sighting,
    ZoneView,
)

NOW = datetime(2026, 3, 2, 10, 3, tzinfo=UTC)
_SPACE = UUID("a6b5f0ee-6c2c-4c6b-9d25-9b6c8a5e8a11")
INTENTS = {
    DeviceKind.LIGHT: ("switch", "set_scene"),
    DeviceKind.DOOR: ("lock", "unlock"),
    DeviceKind.POWER: ("cut_power", "enable_power"),
    DeviceKind.PRINTER: (
        "start_print",
        "pause_print",
        "resume_print",
        "abort_print",
        "set_temperature",
        "send_gcode",
    ),
    DeviceKind.CAMERA: (),
    DeviceKind.SENSOR: (),
}


def make_id(text: str) -> UUID:
    return uuid5(_SPACE, text)


def make_user(handle: str, *roles: Role) -> User:
    return User(
        id=UserId(make_id(handle)),
        display_name=handle.title(),
        handle=handle,
        roles=frozenset(roles or {Role.OPERATOR}),
    )


def make_zone(name: str, *aliases: str) -> ZoneView:
    zone = Zone(
        id=ZoneId(make_id(name)),
        slug=name.lower().replace(" ", "-"),
        name=name,
        hazard_level=HazardLevel.LOW,
    )
    return ZoneView(zone=zone, aliases=aliases)


def make_device(
    name: str,
    kind: DeviceKind,
    place: ZoneView,
    *,
    aliases: Sequence[str] = (),
    online: OnlineState = OnlineState.ONLINE,
    state: Mapping[str, Any] | None = None,
    capabilities: Mapping[str, Any] | None = None,
    state_at: datetime | None = NOW,
    fault: str | None = None,
) -> DeviceView:
    device = Device(
        id=DeviceId(make_id(f"{place.zone.name}/{name}")),
        external_id=f"{name.lower().replace(' ', '-')}",
        name=name,
        kind=kind,
        zone=place.zone.id,
        capabilities={"intents": INTENTS[kind]} | dict(capabilities or {}),
        online_state=online,
        last_seen=NOW - timedelta(seconds=5),
    )
    return DeviceView(
        device=device,
        zone=place.zone,
        aliases=tuple(aliases),
        state=state or {},
        state_at=state_at,
        fault=fault,
    )


def make_job(name: str, **over: Any) -> PrintJob:
    job = PrintJob(
        id=JobId(make_id(f"job {name}")),
        name=name,
        status="preparing",
        gcode_path=f"jobs/{name}.gcode",
        gcode_sha256="ab" * 32,
        device=None,
        estimated_seconds=2_520,
        material="PLA",
        started_at=None,
        completed_at=None,
    )
    return replace(job, **over)


def make_approval(what: str, by: User, **over: Any) -> ApprovalView:
    view = ApprovalView(
        event=EventId(make_id(f"event {what}")),
        what=what,
        hazard="high",
        status="pending",
        outcome=None,
        requested_by=by,
        signed_by=(),
        needs=("the signature of an authorised person", "the signature of a second person"),
        reason=None,
        created_at=NOW - timedelta(seconds=60),
        expires_at=NOW + timedelta(seconds=240),
    )
    return replace(view, **over)


@dataclass
class FakeLab:
    views: list[DeviceView] = field(default_factory=list)
    places: list[ZoneView] = field(default_factory=list)
    sightings: dict[ZoneId, list[Sighting]] = field(default_factory=dict)
    pictures: dict[UUID, datetime] = field(default_factory=dict)

    async def devices(
        self, *, kind: DeviceKind | None = None, zone: ZoneId | None = None
    ) -> Sequence[DeviceView]:
        return [
            view
            for view in self.views
            if kind in {None, view.device.kind} and zone in {None, view.zone.id}
        ]

    async def device(self, device: DeviceId) -> DeviceView | None:
        return next((view for view in self.views if view.device.id == device), None)

    async def zones(self) -> Sequence[ZoneView]:
        return self.places

    async def present(self, zone: ZoneId, *, now: datetime) -> Sequence[Sighting]:
        assert now == NOW
        return self.sightings.get(zone, [])

    async def snapshot_at(self, device: UUID) -> datetime | None:
        return self.pictures.get(device)


@dataclass
class FakePrinting:
    all_jobs: list[PrintJob] = field(default_factory=list)

    async def jobs(self, *, status: str | None = None, limit: int = 50) -> Sequence[PrintJob]:
        return [job for job in self.all_jobs if status in {None, job.status}][:limit]

    async def again(self, ended: PrintJob, new: JobId, asker: User, *, now: datetime) -> PrintJob:
        job = replace(ended, id=new, status="preparing", device=None, completed_at=None)
        if job not in self.all_jobs:
            self.all_jobs.insert(0, job)
        return job


@dataclass
class FakeApprovals:
    """Newest last, as in the order of asking."""

    views: list[ApprovalView] = field(default_factory=list)
    refusal: str | None = None
    withdrawn: list[EventId] = field(default_factory=list)

    async def pending(self) -> Sequence[ApprovalView]:
        return [view for view in self.views if view.status == "pending"]

    async def recent(self, *, limit: int = 20) -> Sequence[ApprovalView]:
        return self.views[::-1][:limit]

    async def get(self, event: EventId) -> ApprovalView | None:
        return next((view for view in self.views if view.event == event), None)

    async def withdraw(self, event: EventId, user: User) -> str | None:
        self.withdrawn.append(event)
        return self.refusal


@dataclass
class FakeRecord:
    kept: list[RecordEntry] = field(default_factory=list)
    answer: DecisionView | None = None
    asked: list[dict[str, Any]] = field(default_factory=list)

    async def entries(
        self, *, since: datetime, until: datetime, about: str | None, limit: int = 100
    ) -> Sequence[RecordEntry]:
        self.asked.append({"since": since, "until": until, "about": about})
        return self.kept[:limit]

    async def decision(
        self, *, request: UUID | None, conversation: ConversationId | None, before: RequestId | None
    ) -> DecisionView | None:
        self.asked.append({"request": request, "conversation": conversation, "before": before})
        return self.answer


@dataclass
class FakeMemories:
    notes: list[tuple[UserId, Memory]] = field(default_factory=list)

    async def add(self, user: User, text: str, *, now: datetime) -> Memory:
        memory = Memory(id=uuid4(), text=text, created_at=now)
        self.notes.insert(0, (user.id, memory))
        return memory

    async def search(self, user: User, about: str | None, *, limit: int = 10) -> Sequence[Memory]:
        mine = [memory for owner, memory in self.notes if owner == user.id]
        word = (about or "").lower()
        return [memory for memory in mine if word in memory.text.lower()][:limit]

    async def remove(self, user: User, ids: Sequence[UUID]) -> int:
        before = len(self.notes)
        self.notes = [(o, m) for o, m in self.notes if o != user.id or m.id not in ids]
        return before - len(self.notes)


OPERATOR = make_user("operator")
SAFETY = make_user("safety", Role.SAFETY)


def small_lab() -> FakeLab:
    """Return a lab of a few zones with everything that tools talk about."""
    bay = make_zone("Welding bay", "the bay")
    farm = make_zone("Print farm", "farm")
    laser = make_zone("Laser room")
    store = make_zone("Store room")
    light, door = DeviceKind.LIGHT, DeviceKind.DOOR
    power, printer = DeviceKind.POWER, DeviceKind.PRINTER
    scenes = {"scenes": ["work", "evening"]}
    heat = {"nozzle_max_c": 300, "bed_max_c": 110, "technologies": ["fdm"]}
    views = [
        make_device("Welding bay lights", light, bay, state={"on": True}, capabilities=scenes),
        make_device("Bench lamp", light, bay, state={"on": False}),
        make_device("Laser room lights", light, laser, state={"on": False}, capabilities=scenes),
        make_device("Welding bay door", door, bay, state={"locked": True, "open": False}),
        make_device("Laser room door", door, laser, state={"locked": False, "open": True}),
        make_device("Laser cutter", power, laser, aliases=["the cutter"], state={"on": False}),
        make_device("Welder", power, bay, state={"on": True}),
        make_device(
            "Giga",
            printer,
            farm,
            aliases=["big printer"],
            capabilities=heat,
            state={
                "status": "printing",
                "progress": 0.426,
                "eta_seconds": 1_080,
                "job_id": str(make_id("job hinge")),
                "nozzle_c": 214.6,
                "nozzle_target_c": 215,
                "bed_c": 60.0,
                "bed_target_c": 60,
            },
        ),
        make_device("MK4", printer, farm, capabilities=heat, state={"status": "idle"}),
        make_device(
            "Snapmaker",
            printer,
            laser,
            capabilities={"technologies": ["cnc", "laser"]},
            state={"status": "idle"},
        ),
        make_device("Bay camera", DeviceKind.CAMERA, bay, state={"recording": True}),
        make_device(
            "Bay sensor", DeviceKind.SENSOR, bay, state={"temperature_c": 24.5, "smoke": False}
        ),
    ]
    return FakeLab(views=views, places=[bay, farm, laser, store])


@dataclass
class Room:
    """A desk whose ports a test can look into."""

    lab: FakeLab = field(default_factory=small_lab)
    printing: FakePrinting = field(default_factory=FakePrinting)
    approvals: FakeApprovals = field(default_factory=FakeApprovals)
    record: FakeRecord = field(default_factory=FakeRecord)
    memories: FakeMemories = field(default_factory=FakeMemories)

    def desk(self, asker: User = OPERATOR) -> Desk:
        return Desk(
            lab=self.lab,
            printing=self.printing,
            approvals=self.approvals,
            record=self.record,
            memories=self.memories,
            asker=asker,
            conversation=ConversationId(make_id("conversation")),
            request=RequestId(make_id("request")),
            now=NOW,
        )

    def view(self, name: str) -> DeviceView:
        return next(view for view in self.lab.views if view.device.name == name)

    def change(self, name: str, *, online: OnlineState | None = None, **over: Any) -> DeviceView:
        """Replace fields of a device's view, and whether it is online."""
        old = self.view(name)
        device = old.device if online is None else replace(old.device, online_state=online)
        new = replace(old, device=device, **over)
        self.lab.views[self.lab.views.index(old)] = new
        return new

    def only(self, views: Iterable[DeviceView]) -> None:
        self.lab.views = list(views)
