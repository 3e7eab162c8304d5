"""The trust file: whose signatures a device obeys, and how many it wants (docs/edge.md).

It lies next to the device, people put it there, and it is all that the verifier believes.
"""

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar
from uuid import UUID

from safety.canonical import timestamp
from safety.entities import Hazard, KeyId, KeyKind, Passkey, PublicKey, UserId
from safety.signatures import KeyRefusedError, algorithm_of, key_id

FORMAT: Final = "kitty.trust/1"
MAX_FILE: Final = 4_000_000
"""Bytes."""
MAX_ENTRIES: Final = 10_000
"""People, keys, zones, devices or intents."""
MAX_TEXT: Final = 200
"""Characters of any name."""
MAX_SKEW: Final = timedelta(seconds=60)
DEFAULT_SKEW: Final = timedelta(seconds=2)
MAX_PEOPLE: Final = 8
"""Distinct people whom a file may demand."""
T = TypeVar("T")
_BY_HANDLE: Final = UserId(UUID(int=0))
"""A trust file knows people by their handles."""


class TrustError(ValueError):
    """The trust file cannot be used; nothing hazardous is done without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedPerson:
    """Somebody whose signatures may count."""

    handle: str
    roles: frozenset[str]
    revoked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedKey:
    """A public key."""

    id: KeyId
    person: str
    """Handle of its owner."""
    spki: bytes
    """DER SubjectPublicKeyInfo."""
    revoked: bool = False
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    rp_id: str | None = None
    """The host name that a browser's key signs for; None for every other key."""

    @property
    def public(self) -> PublicKey:
        """The key as signatures are checked with it."""
        return PublicKey(
            id=self.id,
            user=_BY_HANDLE,
            algorithm=algorithm_of(self.spki),
            spki=self.spki,
            label=self.person,
            kind=KeyKind.FILE if self.rp_id is None else KeyKind.WEBAUTHN,
            passkey=None if self.rp_id is None else Passkey(rp_id=self.rp_id),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedZone:
    """What a zone demands."""

    slug: str
    hazard: Hazard
    """The least that anything hazardous counts as there."""
    roles: frozenset[str]
    """A signer needs one of these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustFile:
    """Everything a verifier believes."""

    site: str = ""
    """Name of the site; a document for another site is refused."""
    issued_at: datetime
    issued_by: str = ""
    valid_until: datetime | None = None
    """After this moment nothing hazardous is done until a newer file comes."""
    skew: timedelta = DEFAULT_SKEW
    """How far the device's clock may be off."""
    people: Mapping[str, TrustedPerson]
    keys: Mapping[KeyId, TrustedKey]
    zones: Mapping[str, TrustedZone]
    devices: Mapping[str, str]
    """Zone by external id."""
    intents: Mapping[str, int] = field(default_factory=dict)
    """More distinct people than the hazard asks for, by intent; never fewer."""

    def write(self) -> bytes:
        """Return the file."""
        document = {
            "format": FORMAT,
            "site": self.site,
            "issued_at": timestamp(self.issued_at),
            "issued_by": self.issued_by,
            "valid_until": _moment_text(self.valid_until),
            "skew_seconds": int(self.skew.total_seconds()),
            "people": [
                {"handle": each.handle, "roles": sorted(each.roles), "revoked": each.revoked}
                for each in self.people.values()
            ],
            "keys": [
                {
                    "keyid": each.id,
                    "person": each.person,
                    "spki": base64.b64encode(each.spki).decode(),
                    "revoked": each.revoked,
                    "valid_from": _moment_text(each.valid_from),
                    "valid_until": _moment_text(each.valid_until),
                }
                | ({} if each.rp_id is None else {"rp_id": each.rp_id})
                for each in self.keys.values()
            ],
            "zones": [
                {"slug": each.slug, "hazard": each.hazard.word, "roles": sorted(each.roles)}
                for each in self.zones.values()
            ],
            "devices": [{"external_id": name, "zone": zone} for name, zone in self.devices.items()],
            "intents": dict(self.intents),
        }
        return (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode()


def read_trust(raw: bytes) -> TrustFile:
    """Read a trust file; raise TrustError for whatever is odd about it."""
    file = _object(_json(raw), "the file", required={
        "format", "site", "issued_at", "issued_by", "valid_until", "skew_seconds", "people",
        "keys", "zones", "devices", "intents",
    })  # fmt: skip
    if file["format"] != FORMAT:
        raise TrustError(f"only trust files of format {FORMAT!r} are understood")
    people = _by(file["people"], "people", _person, lambda each: each.handle)
    keys = _by(file["keys"], "keys", _key, lambda each: each.id)
    zones = _by(file["zones"], "zones", _zone, lambda each: each.slug)
    devices = dict(_by(file["devices"], "devices", _device, lambda each: each[0]).values())
    strangers = {each.person for each in keys.values()} - people.keys()
    nowhere = set(devices.values()) - zones.keys()
    if strangers or nowhere:
        raise TrustError(f"{min(strangers or nowhere)!r} is named and nowhere described")
    return TrustFile(
        site=_text(file["site"], "site", least=0),
        issued_at=_moment(file["issued_at"], "issued_at"),
        issued_by=_text(file["issued_by"], "issued_by", least=0),
        valid_until=_maybe_moment(file["valid_until"], "valid_until"),
        skew=timedelta(
            seconds=_whole(file["skew_seconds"], "skew_seconds", 0, int(MAX_SKEW.total_seconds()))
        ),
        people=people,
        keys=keys,
        zones=zones,
        devices=devices,
        intents=_intents(file["intents"]),
    )


def _json(raw: bytes) -> object:
    if len(raw) > MAX_FILE:
        raise TrustError(f"the file has more than {MAX_FILE} bytes")
    try:
        return json.loads(raw, object_pairs_hook=_distinct)
    except (ValueError, RecursionError) as error:
        raise TrustError(f"the file is not JSON: {error}") from None


def _distinct(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an object names the same key twice")
    return found


def _object(value: object, what: str, *, required: set[str], also: str = "") -> Mapping[str, Any]:
    if not isinstance(value, dict) or value.keys() - {also} != required:
        raise TrustError(f"{what} must have exactly {', '.join(sorted(required))}")
    return value


def _by(
    values: object, what: str, read: Callable[[object], T], name: Callable[[T], Any]
) -> dict[Any, T]:
    if not isinstance(values, list) or len(values) > MAX_ENTRIES:
        raise TrustError(f"{what} must be a list of at most {MAX_ENTRIES}")
    found = {name(each): each for each in map(read, values)}
    if len(found) != len(values):
        raise TrustError(f"{what}: one is named twice")
    return found


def _person(value: object) -> TrustedPerson:
    told = _object(value, "a person", required={"handle", "roles", "revoked"})
    return TrustedPerson(
        handle=_text(told["handle"], "handle"),
        roles=_words(told["roles"], "roles"),
        revoked=_truth(told["revoked"], "revoked"),
    )


def _key(value: object) -> TrustedKey:
    told = _object(
        value,
        "a key",
        required={"keyid", "person", "spki", "revoked", "valid_from", "valid_until"},
        also="rp_id",
    )
    try:
        spki = base64.b64decode(_text(told["spki"], "spki", most=400), validate=True)
        algorithm_of(spki)
    except (binascii.Error, KeyRefusedError) as error:
        raise TrustError(f"spki: {error}") from None
    if key_id(spki) != told["keyid"]:
        raise TrustError("a keyid is not the fingerprint of its key")
    return TrustedKey(
        id=key_id(spki),
        person=_text(told["person"], "person"),
        spki=spki,
        revoked=_truth(told["revoked"], "revoked"),
        valid_from=_maybe_moment(told["valid_from"], "valid_from"),
        valid_until=_maybe_moment(told["valid_until"], "valid_until"),
        rp_id=_text(told["rp_id"], "rp_id") if "rp_id" in told else None,
    )


def _zone(value: object) -> TrustedZone:
    told = _object(value, "a zone", required={"slug", "hazard", "roles"})
    hazard = next((each for each in Hazard if each.word == told["hazard"]), None)
    if hazard is None:
        raise TrustError("a zone's hazard is none, low, medium or high")
    return TrustedZone(
        slug=_text(told["slug"], "slug"), hazard=hazard, roles=_words(told["roles"], "roles")
    )


def _device(value: object) -> tuple[str, str]:
    told = _object(value, "a device", required={"external_id", "zone"})
    return _text(told["external_id"], "external_id"), _text(told["zone"], "zone")


def _intents(value: object) -> dict[str, int]:
    if not isinstance(value, dict) or len(value) > MAX_ENTRIES:
        raise TrustError("intents must be an object: intent to number of people")
    return {
        _text(name, "intent"): _whole(each, "people", 1, MAX_PEOPLE) for name, each in value.items()
    }


def _text(value: object, what: str, *, least: int = 1, most: int = MAX_TEXT) -> str:
    if not isinstance(value, str) or not least <= len(value) <= most:
        raise TrustError(f"{what} must be a text of {least} to {most} characters")
    return value


def _words(value: object, what: str) -> frozenset[str]:
    if not isinstance(value, list) or len(value) > MAX_ENTRIES:
        raise TrustError(f"{what} must be a list")
    return frozenset(_text(each, what) for each in value)


def _truth(value: object, what: str) -> bool:
    if not isinstance(value, bool):
        raise TrustError(f"{what} must be true or false")
    return value


def _whole(value: object, what: str, low: int, high: int) -> int:
    if type(value) is not int or not low <= value <= high:
        raise TrustError(f"{what} must be a whole number from {low} to {high}")
    return value


def _moment(value: object, what: str) -> datetime:
    try:
        found = datetime.fromisoformat(_text(value, what))
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise TrustError(f"{what} must be a time in ISO 8601 with its offset")
    return found


def _maybe_moment(value: object, what: str) -> datetime | None:
    return None if value is None else _moment(value, what)


def _moment_text(value: datetime | None) -> str | None:
    return None if value is None else timestamp(value)
