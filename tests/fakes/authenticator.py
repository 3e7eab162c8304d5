"""A security key in software, with the browser around it; every field can be made wrong."""

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from fakes.world import Keyring
from safety.webauthn import Assertion, Flag, base64url

RP_ID = "localhost"
ORIGIN = "http://localhost:8400"
AAGUID = UUID("00112233-4455-6677-8899-aabbccddeeff")


@dataclass
class Authenticator:
    """One key for one site."""

    algorithm: str = "ed25519"
    synced: bool = False
    counts: bool = True
    rp_id: str = RP_ID
    origin: str = ORIGIN
    credential_id: bytes = b"credential"
    count: int = 0
    ring: Keyring = field(init=False)

    def __post_init__(self) -> None:
        self.ring = Keyring(self.algorithm)
        self.credential_id += self.ring.spki[-8:]

    @property
    def flags(self) -> int:
        return Flag.PRESENT | Flag.VERIFIED | (Flag.MAY_SYNC if self.synced else 0)

    def client_data(self, kind: str, challenge: bytes, /, **changed: Any) -> bytes:
        told = {
            "type": kind,
            "challenge": base64url(challenge),
            "origin": self.origin,
            "crossOrigin": False,
        }
        return json.dumps(told | changed).encode()

    def authenticator_data(self, **changed: Any) -> bytes:
        """Return the key's statement; `flags`, `count` and `rp_id` may be given."""
        rp_id = changed.get("rp_id", self.rp_id)
        head = hashlib.sha256(rp_id.encode()).digest() + bytes([changed.get("flags", self.flags)])
        return head + changed.get("count", self.count).to_bytes(4, "big")

    def made(self, challenge: bytes, /, **changed: Any) -> tuple[bytes, bytes]:
        """Return authenticator data and client data of a new credential."""
        flags = changed.pop("flags", self.flags | Flag.HAS_CREDENTIAL)
        cose = changed.pop("cose", self.cose())
        name = changed.pop("credential_id", self.credential_id)
        head = self.authenticator_data(flags=flags, **_taken(changed, "rp_id", "count"))
        data = head + AAGUID.bytes + len(name).to_bytes(2, "big") + name + cose
        return data, self.client_data("webauthn.create", challenge, **changed)

    def cose(self) -> bytes:
        """Return the public key as CTAP2 writes it."""
        if self.algorithm == "ed25519":
            return bytes.fromhex("a4010103272006215820") + self.ring.spki[-32:]
        x, y = self.ring.spki[-64:-32], self.ring.spki[-32:]
        return bytes.fromhex("a5010203262001215820") + x + bytes.fromhex("225820") + y

    def assertion(self, digest: bytes, /, **changed: Any) -> Assertion:
        """Sign a digest as a browser lets keys sign; fields of both statements may be changed."""
        if self.counts:
            self.count += 1
        data = changed.pop("data", None) or self.authenticator_data(
            **_taken(changed, "flags", "count", "rp_id")
        )
        told = changed.pop("client_data", None) or self.client_data(
            "webauthn.get", digest, **changed
        )
        message = data + hashlib.sha256(told).digest()
        return Assertion(authenticator_data=data, client_data=told, signature=self._sign(message))

    def sign(self, digest: bytes, /, **changed: Any) -> bytes:
        return self.assertion(digest, **changed).packed()

    def _sign(self, message: bytes) -> bytes:
        plain = self.algorithm == "ed25519"
        return self.ring.sign(message if plain else hashlib.sha256(message).digest())


def _taken(values: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: values.pop(name) for name in names if name in values}
