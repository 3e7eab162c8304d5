"""Commands for the demo lab's devices with real signatures of its people, without a server."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4, uuid5

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from infra.lab_file import read_lab
from safety.actions import KINDS, revive
from safety.canonical import canonical, digest, event_document
from safety.entities import (
    AccessPolicy,
    Device,
    DeviceId,
    EventId,
    Hazard,
    PolicyId,
    User,
    UserId,
    Zone,
    ZoneId,
)
from safety.envelope import Envelope, Seal, command_for
from safety.policy import QUORUM
from safety.signatures import key_id
from safety.trust import read_trust

_NAMES = UUID(int=11)


class Signers:
    """The people of a prepared lab, who sign what they are asked to."""

    def __init__(self, home: Path) -> None:
        self.lab = read_lab(home / "lab.toml")
        self.site = read_trust((home / "trust.json").read_bytes()).site
        self._keys: dict[str, Ed25519PrivateKey] = {}
        for person in self.lab.people:
            key = load_pem_private_key(
                (home / "keys" / f"{person.handle}.pem").read_bytes(), password=None
            )
            assert isinstance(key, Ed25519PrivateKey)
            self._keys[person.handle] = key

    def message(
        self,
        device: str,
        intent: str,
        arguments: Mapping[str, Any],
        *people: str,
        seconds: float = 10.0,
        now: datetime | None = None,
        life: float = 300.0,
    ) -> dict[str, Any]:
        """Return a command as KITTY would send it after these people have signed."""
        now = now or datetime.now(UTC)
        document = self._document(device, intent, arguments, now, life)
        body = canonical(document)
        seals = tuple(self._seal(each, digest(body)) for each in people or ("engineer", "safety"))
        expires_at = now + timedelta(seconds=life)
        return {
            "v": 1,
            "command_id": str(command_for(EventId(UUID(document["id"])))),
            "device": device,
            "intent": intent,
            "payload": dict(arguments),
            "issued_at": now.isoformat(),
            "deadline": min(now + timedelta(seconds=seconds), expires_at).isoformat(),
            "correlation_id": "test",
            "safety_event_id": document["id"],
            "envelope": json.loads(json.dumps(Envelope(payload=body, signatures=seals).document())),
        }

    def _seal(self, handle: str, message: bytes) -> Seal:
        key = self._keys[handle]
        spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return Seal(key=key_id(spki), value=key.sign(message))

    def _document(
        self, name: str, intent: str, arguments: Mapping[str, Any], now: datetime, life: float
    ) -> dict[str, Any]:
        item = next(each for each in self.lab.devices if each.external_id == name)
        place = next(each for each in self.lab.zones if each.slug == item.zone)
        kind = next(each for each in KINDS if each.intent == intent)
        device, zone = DeviceId(uuid5(_NAMES, name)), ZoneId(uuid5(_NAMES, place.slug))
        assert place.policy is not None
        return event_document(
            event=EventId(uuid4()),
            action=revive(kind.__name__, device, zone, arguments),
            device=Device(id=device, external_id=name, name=item.name, kind=item.kind, zone=zone),
            zone=Zone(id=zone, slug=place.slug, name=place.name, hazard_level=place.hazard_level),
            policy=AccessPolicy(
                id=PolicyId(uuid5(_NAMES, "policy")),
                name="policy",
                zone=zone,
                required_roles=frozenset(place.policy.required_roles),
            ),
            requester=User(
                id=UserId(uuid5(_NAMES, "operator")),
                display_name="Olga Operator",
                handle="operator",
                roles=frozenset(self.lab.people[0].roles),
            ),
            hazard=(hazard := max(kind.hazard, place.hazard_level.hazard)),
            quorum=QUORUM[Hazard(hazard)],
            state={},
            evidence={},
            nonce=uuid4().hex,
            not_before=now,
            expires_at=now + timedelta(seconds=life),
            tainted=False,
        ) | ({"site": self.site} if self.site else {})
