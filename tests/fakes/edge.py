"""Approvals for devices, made without a store: people with keys, a trust file, signed commands."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4, uuid5

from fakes.world import Keyring
from safety.actions import Action, EnablePower, HeatedPart, SetTemperature, StartPrint, UnlockDoor
from safety.canonical import canonical, digest, event_document
from safety.edge import EdgeCommand, Verdict, verify
from safety.entities import (
    AccessPolicy,
    Device,
    DeviceId,
    DeviceKind,
    EventId,
    Hazard,
    HazardLevel,
    JobId,
    PolicyId,
    Role,
    User,
    UserId,
    Zone,
    ZoneId,
)
from safety.envelope import Envelope, Seal, command_for
from safety.nonces import Memory, VolatileMemory
from safety.policy import QUORUM
from safety.trust import TrustedKey, TrustedPerson, TrustedZone, TrustFile

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
_NAMES = UUID(int=7)
PEOPLE = {"olga": ("operator",), "emil": ("engineer", "operator"), "sara": ("safety",)}
ZONES = {
    "bay": (HazardLevel.HIGH, ("engineer", "safety")),
    "farm": (HazardLevel.MEDIUM, ("engineer", "operator", "safety")),
    "floor": (HazardLevel.LOW, ("engineer", "operator", "safety")),
}
DEVICES = {
    "bay-door": ("bay", DeviceKind.DOOR),
    "laser-door": ("bay", DeviceKind.DOOR),
    "welder": ("bay", DeviceKind.POWER),
    "mk4": ("farm", DeviceKind.PRINTER),
    "bay-light": ("bay", DeviceKind.LIGHT),
    "floor-light": ("floor", DeviceKind.LIGHT),
    "floor-door": ("floor", DeviceKind.DOOR),
}


def _id(name: str) -> UUID:
    return uuid5(_NAMES, name)


def unlock(device: str = "bay-door", seconds: int = 10) -> Action:
    return UnlockDoor(**_at(device), seconds=seconds)


def enable_power(device: str = "welder") -> Action:
    return EnablePower(**_at(device))


def start_print(device: str = "mk4", path: str = "gcode/a.gcode", sha: str = "a" * 64) -> Action:
    return StartPrint(**_at(device), job=JobId(_id("job")), gcode_path=path, gcode_sha256=sha)


def heat(device: str = "mk4", celsius: int = 210) -> Action:
    return SetTemperature(**_at(device), part=HeatedPart.NOZZLE, celsius=celsius)


def _at(device: str) -> dict[str, Any]:
    return {"device": DeviceId(_id(device)), "zone": ZoneId(_id(DEVICES[device][0]))}


@dataclass
class Signed:
    """An approved command as it travels."""

    command: EdgeCommand
    envelope: Any
    document: dict[str, Any]


@dataclass
class Bench:
    """People, keys and the trust file of a device."""

    keys: dict[str, Keyring] = field(
        default_factory=lambda: {
            "olga": Keyring(),
            "emil": Keyring(),
            "sara": Keyring("p256"),
        }
    )
    now: datetime = NOW
    memory: Memory = field(default_factory=VolatileMemory)

    def __post_init__(self) -> None:
        self.trust = TrustFile(
            site="north",
            issued_at=self.now,
            people={
                name: TrustedPerson(handle=name, roles=frozenset(roles))
                for name, roles in PEOPLE.items()
            },
            keys={
                key.id: TrustedKey(id=key.id, person=name, spki=key.spki)
                for name, key in self.keys.items()
            },
            zones={
                slug: TrustedZone(slug=slug, hazard=level.hazard, roles=frozenset(roles))
                for slug, (level, roles) in ZONES.items()
            },
            devices={name: zone for name, (zone, _) in DEVICES.items()},
        )

    def document(
        self,
        action: Action,
        *,
        hazard: Hazard = Hazard.HIGH,
        requester: str = "olga",
        **changes: Any,
    ) -> dict[str, Any]:
        name = next(name for name in DEVICES if _id(name) == action.device)
        slug, kind = DEVICES[name]
        level, roles = ZONES[slug]
        zone = Zone(id=action.zone, slug=slug, name=slug.title(), hazard_level=level)
        document = event_document(
            event=EventId(uuid4()),
            action=action,
            device=Device(
                id=action.device, external_id=name, name=name, kind=kind, zone=action.zone
            ),
            zone=zone,
            policy=AccessPolicy(
                id=PolicyId(_id("policy")),
                name="p",
                zone=zone.id,
                required_roles=frozenset(Role(each) for each in roles),
            ),
            requester=User(
                id=UserId(_id(requester)),
                display_name=requester,
                handle=requester,
                roles=frozenset({Role.OPERATOR}),
            ),
            hazard=hazard,
            quorum=QUORUM[hazard],
            state={},
            evidence={},
            nonce=uuid4().hex,
            not_before=self.now,
            expires_at=self.now + timedelta(minutes=5),
            tainted=False,
        )
        return document | {"site": "north"} | changes

    def seal(self, document: dict[str, Any], *people: str) -> dict[str, Any]:
        body = canonical(document)
        return Envelope(
            payload=body,
            signatures=tuple(
                Seal(key=self.keys[each].id, value=self.keys[each].sign(digest(body)))
                for each in people
            ),
        ).document()

    def signed(
        self,
        action: Action | None = None,
        *people: str,
        document: dict[str, Any] | None = None,
        **changes: Any,
    ) -> Signed:
        action = action or unlock()
        told = document or self.document(action)
        event = told["id"]
        command = EdgeCommand(
            id=str(command_for(EventId(UUID(event)))),
            device=told["device"]["external_id"],
            intent=told["action"]["intent"],
            arguments=told["action"]["arguments"],
            deadline=self.now + timedelta(seconds=5),
            event=event,
        )
        envelope = self.seal(told, *(people or ("emil", "sara")))
        return Signed(replace(command, **changes), envelope, told)

    def verify(self, signed: Signed, *, device: str = "", memory: Memory | None = None) -> Verdict:
        return verify(
            signed.command,
            signed.envelope,
            self.trust,
            device=device or signed.command.device,
            now=self.now,
            memory=memory or self.memory,
        )
