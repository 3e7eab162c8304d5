"""A new security key or passkey as the browser hands it over.  Pure.

No attestation is asked for: which maker's key somebody uses is not KITTY's business.  The
public key is read from the authenticator data, where WebAuthn demands one exact spelling
(CTAP2 canonical CBOR), so nothing but the two kinds of key that KITTY knows can be meant.
"""

import re
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from safety.signatures import KeyRefusedError, algorithm_of
from safety.webauthn import (
    CREATE,
    MAX_CLIENT_DATA,
    Code,
    Flag,
    WebAuthnError,
    check_backup,
    check_client_data,
    check_site,
    origin_of,
)

MAX_DATA: Final = 2_048
"""Bytes of authenticator data with a credential in it."""
MAX_CREDENTIAL_ID: Final = 1_023
"""Bytes (WebAuthn Level 3, 5.8.3)."""
ALGORITHMS: Final = (-8, -7)
"""COSE: EdDSA with Ed25519, ECDSA with P-256; in this order of preference."""
_HEAD: Final = 37
_ED25519: Final = re.compile(
    rb"\xa4\x01\x01\x03\x27\x20\x06\x21\x58\x20(?P<x>.{32})(?P<rest>.*)", re.DOTALL
)
_P256: Final = re.compile(
    rb"\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20(?P<x>.{32})\x22\x58\x20(?P<y>.{32})(?P<rest>.*)",
    re.DOTALL,
)
_ED25519_SPKI: Final = bytes.fromhex("302a300506032b6570032100")
_P256_SPKI: Final = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCredential:
    """What a browser's key says of itself."""

    credential_id: bytes
    spki: bytes
    """DER SubjectPublicKeyInfo."""
    algorithm: str
    """`ed25519` or `p256`."""
    aaguid: UUID
    """The model of the key; all zero if it does not say."""
    sign_count: int
    synced: bool
    """Whether the key can be copied to other devices."""
    backed_up: bool
    """Whether it has been copied already."""


def read_credential(
    authenticator_data: bytes,
    client_data: bytes,
    *,
    challenge: bytes,
    rp_id: str,
    origins: frozenset[str],
) -> NewCredential:
    """Read a new credential; raise WebAuthnError if it is not one made now, here, by a person."""
    if len(client_data) > MAX_CLIENT_DATA:
        raise _unusable("the browser's statement is too long")
    check_client_data(client_data, CREATE, challenge, rp_id)
    if origin_of(client_data) not in origins:
        raise WebAuthnError(
            Code.WRONG_ORIGIN, "It was not made on KITTY's own page. Open the console there."
        )
    if not _HEAD < len(authenticator_data) <= MAX_DATA:
        raise _unusable("it has an impossible length")
    check_site(authenticator_data, rp_id)
    flags = authenticator_data[32]
    check_backup(flags)
    if not flags & Flag.HAS_CREDENTIAL:
        raise _unusable("there is no key in it")
    credential_id, cose = _split(authenticator_data)
    spki, rest = _spki(cose)
    if bool(rest) is not bool(flags & Flag.HAS_EXTENSIONS):
        raise _unusable("something follows the key")
    return NewCredential(
        credential_id=credential_id,
        spki=spki,
        algorithm=_algorithm(spki),
        aaguid=UUID(bytes=authenticator_data[_HEAD : _HEAD + 16]),
        sign_count=int.from_bytes(authenticator_data[33:_HEAD], "big"),
        synced=bool(flags & Flag.MAY_SYNC),
        backed_up=bool(flags & Flag.SYNCED),
    )


def _split(data: bytes) -> tuple[bytes, bytes]:
    begin = _HEAD + 18
    size = int.from_bytes(data[begin - 2 : begin], "big")
    if not 0 < size <= MAX_CREDENTIAL_ID or len(data) < begin + size:
        raise _unusable("the key's name is cut off or too long")
    return data[begin : begin + size], data[begin + size :]


def _spki(cose: bytes) -> tuple[bytes, bytes]:
    if found := _ED25519.fullmatch(cose):
        return _ED25519_SPKI + found["x"], found["rest"]
    if found := _P256.fullmatch(cose):
        return _P256_SPKI + found["x"] + found["y"], found["rest"]
    raise _unusable("use a key that can do Ed25519 or P-256 (ES256)")


def _algorithm(spki: bytes) -> str:
    try:
        return algorithm_of(spki)
    except KeyRefusedError as error:
        raise _unusable(str(error)) from None


def _unusable(what: str) -> WebAuthnError:
    return WebAuthnError(Code.MALFORMED, f"That key cannot be used: {what}.")
