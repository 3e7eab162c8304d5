"""Who asks, where, with what, and what the rules of the place are.

The fields follow the user's canonical data model (seed 004); what the gate adds
to it is said at the field.  Values here are already valid: an object that breaks
a rule of the data model cannot be built.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from typing import Any, Final, NewType
from uuid import UUID

from safety.hours import Hours
from safety.limits import DEFAULT_PENDING, MAX_PENDING, RequestLimit, TaintRule

UserId = NewType("UserId", UUID)
ZoneId = NewType("ZoneId", UUID)
DeviceId = NewType("DeviceId", UUID)
EventId = NewType("EventId", UUID)
"""A SafetyEvent."""
CommandId = NewType("CommandId", UUID)
"""A DeviceCommand; also the idempotency key that travels to the device."""
PolicyId = NewType("PolicyId", UUID)
ConversationId = NewType("ConversationId", UUID)
RequestId = NewType("RequestId", UUID)
JobId = NewType("JobId", UUID)
"""A FabricationJob."""
KeyId = NewType("KeyId", str)
"""Fingerprint of a public key, for example `SHA256:3q2...` (see safety.signatures)."""

MAX_NAME: Final = 200
"""Characters in any name that people give."""


class InvalidEntityError(ValueError):
    """A value breaks a rule of the data model."""


class Hazard(IntEnum):
    """How badly an action can hurt someone."""

    NONE = 0
    LOW = 1
    MEDIUM = 2
    HIGH = 3

    @property
    def word(self) -> str:
        """The level as people and the database write it: none, low, medium, high."""
        return self.name.lower()


class Role(StrEnum):
    """What a person is trusted with."""

    OPERATOR = "operator"
    ENGINEER = "engineer"
    SAFETY = "safety"
    ADMIN = "admin"


class HazardLevel(StrEnum):
    """How dangerous a zone is."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"

    @property
    def hazard(self) -> Hazard:
        """The same level on the scale that actions use."""
        return Hazard[self.name]


class DeviceKind(StrEnum):
    """What a device is."""

    PRINTER = "printer"
    CAMERA = "camera"
    LIGHT = "light"
    DOOR = "door"
    POWER = "power"
    SENSOR = "sensor"


class OnlineState(StrEnum):
    """Whether a device can be reached."""

    ONLINE = "online"
    OFFLINE = "offline"
    FAULT = "fault"


class PresenceSource(StrEnum):
    """Who says that somebody is in a zone."""

    UNIFI = "unifi"
    MANUAL = "manual"
    OVERRIDE = "override"


class PresenceStatus(StrEnum):
    """What is known of somebody's whereabouts."""

    PRESENT = "present"
    UNKNOWN = "unknown"
    VACATED = "vacated"


class SafetyEventType(StrEnum):
    """What kind of hazard a SafetyEvent is about."""

    HAZARD_REQUEST = "hazard_request"
    UNLOCK = "unlock"
    POWER_ENABLE = "power_enable"
    OVERRIDE = "override"


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person."""

    id: UserId
    display_name: str
    handle: str
    """Short unique name used in commands and settings, for example `operator`."""
    roles: frozenset[Role]
    email: str | None = None
    tailscale_id: str | None = None

    def __post_init__(self) -> None:
        if not self.display_name.strip() or len(self.display_name) > MAX_NAME:
            raise InvalidEntityError(f"a user needs a display name of 1 to {MAX_NAME} characters")
        if not self.roles:
            raise InvalidEntityError(f"user {self.display_name!r} needs at least one role")


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """A part of the building."""

    id: ZoneId
    slug: str
    """The name on the wire and in settings, for example `welding-bay`."""
    name: str
    hazard_level: HazardLevel
    requires_ppe: bool = False
    unifi_door_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ZonePresence:
    """One sighting of a person in a zone."""

    user: UserId
    zone: ZoneId
    source: PresenceSource
    status: PresenceStatus
    observed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A machine, a light, a door, a camera, a sensor."""

    id: DeviceId
    external_id: str
    """The name on the wire: `kitty/devices/{external_id}/cmd`."""
    name: str
    kind: DeviceKind
    zone: ZoneId
    capabilities: Mapping[str, Any] = field(default_factory=dict)
    """`intents` lists what the device can be told; limits such as `nozzle_max_c` beside it."""
    online_state: OnlineState = OnlineState.OFFLINE
    last_seen: datetime | None = None

    @property
    def intents(self) -> frozenset[str]:
        """What the device can be told."""
        return frozenset(self.capabilities.get("intents", ()))


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessPolicy:
    """What a zone demands before anything hazardous happens in it."""

    id: PolicyId
    name: str
    zone: ZoneId
    required_roles: frozenset[Role]
    """A person needs one of these to authorise; asking is open to every user."""
    requires_dual_confirm: bool = False
    requires_presence: bool = False
    pqe_checks: Mapping[str, Any] = field(default_factory=dict)
    """Protective equipment (the seed's spelling): `items` lists what signers vouch for."""
    version: int = 1
    """Rises with every change; a signature binds to it."""
    presence_ttl: timedelta = timedelta(minutes=15)
    """How recent the requester's presence must be.  Settable per zone; 15 minutes is ours."""
    time_windows: Hours | None = None
    """When something hazardous may happen; None is always."""
    max_requests: RequestLimit | None = None
    """How often one person may ask for something hazardous in the zone; None is without limit."""
    max_pending: int = DEFAULT_PENDING
    """So many of one person's requests may wait for people at a time."""
    taint: TaintRule = TaintRule.RAISE

    def __post_init__(self) -> None:
        if not self.required_roles:
            raise InvalidEntityError(f"access policy {self.name!r} must name at least one role")
        if type(self.max_pending) is not int or not 1 <= self.max_pending <= MAX_PENDING:
            raise InvalidEntityError(f"access policy {self.name!r}: max_pending is 1 to 10000")

    @property
    def ppe(self) -> tuple[str, ...]:
        """The protective equipment a signer vouches for, in words."""
        return tuple(str(item) for item in self.pqe_checks.get("items", ()))


class KeyKind(StrEnum):
    """Where the private half of a key lives."""

    FILE = "file"
    WEBAUTHN = "webauthn"
    """A security key, or a passkey of a phone or computer, reached through a browser."""
    PKCS11 = "pkcs11"
    """A smart card or token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passkey:
    """What makes a browser's key more than its bytes."""

    rp_id: str
    """The host name it signs for, and no other."""
    synced: bool = False
    """Whether it can be copied to other devices."""
    sign_count: int = 0
    """What its counter said last; 0 if it does not count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """A person's public key; KITTY never holds the private half."""

    id: KeyId
    user: UserId
    algorithm: str
    """`ed25519` or `p256`."""
    spki: bytes
    """DER SubjectPublicKeyInfo."""
    label: str
    revoked_at: datetime | None = None
    kind: KeyKind = KeyKind.FILE
    passkey: Passkey | None = None
    """Exactly for `webauthn`: its signatures are assertions (see safety.webauthn)."""
