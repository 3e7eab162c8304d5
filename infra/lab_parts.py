"""What lab.toml can say: people, places, machines and jobs, each within its bounds."""

import base64
import binascii
import json
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from safety.entities import MAX_NAME, DeviceKind, HazardLevel, Role
from safety.hours import MAX_WINDOWS, Day, TimeWindow, minutes_of, written, zone_named
from safety.limits import DEFAULT_PENDING, MAX_COUNT, MAX_PENDING, MAX_PERIOD, TaintRule
from safety.signatures import KeyRefusedError, algorithm_of

MAX_DEVICES: Final = 20_000
MAX_PEOPLE: Final = 5_000
MAX_ZONES: Final = 2_000
MAX_JOBS: Final = 20_000
MAX_CAPABILITIES: Final = 16_384
"""Characters of a device's capabilities as JSON."""
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
"""Lower-case letters, digits and hyphens, 1 to 63 characters; a letter or digit comes first."""
ExternalId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
"""The same with up to 64 characters: a level of a topic."""
Name = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=1, max_length=MAX_NAME, pattern=r"^[^\x00-\x1f\x7f]+$"
    ),
]
"""A name that people use."""
Aliases = Annotated[tuple[Name, ...], Field(max_length=50)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
RolesAsked = Annotated[frozenset[Role], Field(min_length=1)]


def _unbase64(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("must be base64 text")  # noqa: TRY004 - pydantic wants ValueError
    try:
        return base64.b64decode("".join(value.split()), validate=True)
    except binascii.Error:
        raise ValueError("must be base64 text") from None


def _object_key(value: str) -> str:
    if value.startswith("/") or ".." in value.split("/") or "\\" in value:
        raise ValueError("must be a path inside the artifact store: relative, never upwards")
    return value


ObjectKey = Annotated[
    str,
    StringConstraints(max_length=1024, pattern=r"^[^\x00-\x1f\x7f]+$"),
    AfterValidator(_object_key),
]
"""A path inside the artifact store."""
Flag = Annotated[bool, Field(strict=True)]


def _whole(low: int, high: int) -> Any:
    return Field(strict=True, ge=low, le=high)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LabKey(_Part):
    """A person's public key."""

    label: Name
    algorithm: Literal["ed25519", "p256"]
    spki: Annotated[bytes, BeforeValidator(_unbase64)]
    """DER SubjectPublicKeyInfo."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        try:
            found = algorithm_of(self.spki)
        except KeyRefusedError as error:
            raise ValueError(f"spki: {error}") from None
        if found != self.algorithm:
            raise ValueError(f"algorithm is {self.algorithm}, but spki holds a key of {found}")
        return self


class LabPerson(_Part):
    """A person."""

    handle: Slug
    display_name: Name
    roles: RolesAsked
    email: (
        Annotated[str, StringConstraints(max_length=320, pattern=r"^[^@\s]+@[^@\s]+$")] | None
    ) = None
    token_sha256: Annotated[tuple[Sha256, ...], Field(max_length=20)] = ()
    """SHA-256 of bearer tokens, hex; the tokens themselves stay with the person."""
    keys: Annotated[tuple[LabKey, ...], Field(max_length=20)] = ()


class LabEquipment(_Part):
    """Protective equipment that signers vouch for."""

    items: Aliases = ()


def _clock_time(value: str) -> str:
    return written(minutes_of(value))


def _time_zone(value: str) -> str:
    if zone_named(value) is None:
        raise ValueError("is no time zone of this machine; write it as Europe/Berlin")
    return value


ClockTime = Annotated[str, StringConstraints(max_length=5), AfterValidator(_clock_time)]
"""Hours and minutes of a day: `07:30`."""
TimeZone = Annotated[str, StringConstraints(max_length=100), AfterValidator(_time_zone)]


class LabTimeWindow(_Part):
    """Hours of some days; if it ends before it begins, it ends on the next day."""

    days: Annotated[frozenset[Day], Field(min_length=1)]
    begins: Annotated[ClockTime, Field(alias="from")]
    ends: Annotated[ClockTime, Field(alias="to")]

    @model_validator(mode="after")
    def _lasts(self) -> Self:
        _ = self.read()
        return self

    def read(self) -> TimeWindow:
        """Return it as the gate takes it."""
        return TimeWindow(
            days=self.days, begins=minutes_of(self.begins), ends=minutes_of(self.ends)
        )


class LabRequestLimit(_Part):
    """So many hazardous requests of one person in so much time."""

    count: Annotated[int, _whole(1, MAX_COUNT)]
    seconds: Annotated[int, _whole(1, int(MAX_PERIOD.total_seconds()))]


class LabPolicy(_Part):
    """What a zone demands before anything hazardous happens in it."""

    name: Name
    required_roles: RolesAsked
    requires_dual_confirm: Flag = False
    requires_presence: Flag = False
    presence_ttl_seconds: Annotated[int, _whole(1, 86_400)] = 900
    pqe_checks: LabEquipment = LabEquipment()
    time_zone: TimeZone | None = None
    time_windows: Annotated[tuple[LabTimeWindow, ...], Field(max_length=MAX_WINDOWS)] = ()
    """When something hazardous may happen; without any: always."""
    max_requests: LabRequestLimit | None = None
    max_pending: Annotated[int, _whole(1, MAX_PENDING)] = DEFAULT_PENDING
    """So many requests of one person may wait at a time."""
    taint: TaintRule = TaintRule.RAISE

    @model_validator(mode="after")
    def _in_a_zone(self) -> Self:
        if bool(self.time_windows) is (self.time_zone is None):
            raise ValueError("time_windows and time_zone belong together: give both or neither")
        return self


class LabZone(_Part):
    """A part of the building."""

    slug: Slug
    name: Name
    aliases: Aliases = ()
    hazard_level: HazardLevel
    requires_ppe: Flag = False
    unifi_door_ids: Aliases = ()
    policy: LabPolicy | None = None
    """Without one nothing hazardous can be authorised in the zone."""


class LabCapabilities(BaseModel):
    """What a device can do; what the product does not know is kept for it."""

    model_config = ConfigDict(extra="allow", frozen=True)

    intents: Annotated[
        tuple[Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")], ...],
        Field(max_length=100),
    ]

    @model_validator(mode="after")
    def _is_json(self) -> Self:
        try:
            text = json.dumps(self.model_dump(), allow_nan=False)
        except (TypeError, ValueError):
            raise ValueError("may hold text, numbers, true, false, lists and tables only") from None
        if len(text) > MAX_CAPABILITIES or "\\u0000" in text:
            raise ValueError(f"may hold at most {MAX_CAPABILITIES} characters, none of them NUL")
        return self


class LabDevice(_Part):
    """A machine, a light, a door, a camera, a sensor."""

    external_id: ExternalId
    name: Name
    aliases: Aliases = ()
    kind: DeviceKind
    zone: Slug
    silent_after_seconds: Annotated[int, _whole(1, 86_400)] = 90
    """A device that says nothing for so long is taken for offline."""
    capabilities: LabCapabilities


class LabJob(_Part):
    """A print that is ready to start."""

    name: Name
    gcode_path: ObjectKey
    gcode_sha256: Sha256
    estimated_seconds: Annotated[int, _whole(0, 31_536_000)] | None = None
    material: Name | None = None
    hazardous_material: Flag = False
    printers: Annotated[tuple[ExternalId, ...], Field(max_length=100)] = ()
    """External ids of the printers the file is made for."""
    requested_by: Slug | None = None
    """Handle of who asked for it; without one the first person of the file."""


class Lab(_Part):
    """A whole lab."""

    version: Annotated[int, Field(strict=True, ge=1, le=1)]
    """Of this format."""
    people: Annotated[tuple[LabPerson, ...], Field(max_length=MAX_PEOPLE)] = ()
    zones: Annotated[tuple[LabZone, ...], Field(max_length=MAX_ZONES)] = ()
    devices: Annotated[tuple[LabDevice, ...], Field(max_length=MAX_DEVICES)] = ()
    jobs: Annotated[tuple[LabJob, ...], Field(max_length=MAX_JOBS)] = ()
