"""What a security key or passkey signed, and whether it was this event.

A browser never lets a key sign an event's digest as such: the key signs its own statement
(authenticator data) and the browser's (client data), which holds the digest as its challenge.
The three travel together as one value, in the place of a plain signature.  This module reads
that value and checks everything but the signature itself (see safety.signatures).
"""

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from safety.entities import Hazard, Passkey

MAGIC: Final = b"kwa1"
"""Begins every assertion; four bytes that no plain signature of ours begins with by rule."""
MAX_AUTHENTICATOR_DATA: Final = 256
"""Bytes; 37 without extensions."""
MAX_CLIENT_DATA: Final = 1_024
"""Bytes of the browser's statement."""
MAX_INNER_SIGNATURE: Final = 80
MAX_ASSERTION: Final = len(MAGIC) + 4 + MAX_AUTHENTICATOR_DATA + MAX_CLIENT_DATA + 80
GET: Final = "webauthn.get"
CREATE: Final = "webauthn.create"

_HEAD: Final = 37
"""Bytes of authenticator data before anything optional: RP id hash, flags, counter."""
_FLAGS_AT: Final = 32
_ORIGIN: Final = re.compile(r"(?P<scheme>https?)://(?P<host>[a-z0-9.-]{1,253})(?::[0-9]{1,5})?")
_LOCAL: Final = "localhost"
_MAY_BE_COPIED: Final = (
    "This passkey can be copied to other devices, so it does not count for high hazards. "
    "Use a security key, or a passkey that stays on one device."
)


class Code(StrEnum):
    """Why an assertion or a new credential is refused; stable."""

    MALFORMED = "bad_assertion"
    WRONG_TYPE = "wrong_type"
    WRONG_CHALLENGE = "wrong_challenge"
    WRONG_ORIGIN = "wrong_origin"
    WRONG_SITE = "wrong_relying_party"
    NOT_PRESENT = "user_not_present"
    NOT_VERIFIED = "user_not_verified"
    COUNTER_BACK = "counter_went_back"
    SYNCED = "synced_key"
    KEY_CHANGED = "credential_changed"


class Flag:
    """Bits of the authenticator's statement (WebAuthn Level 3, 6.1)."""

    PRESENT: Final = 0x01
    VERIFIED: Final = 0x04
    MAY_SYNC: Final = 0x08
    SYNCED: Final = 0x10
    HAS_CREDENTIAL: Final = 0x40
    HAS_EXTENSIONS: Final = 0x80


class WebAuthnError(ValueError):
    """It does not count; `code` is stable, the text is for people."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the place demands of browser signatures.  Without origins there are none."""

    origins: frozenset[str] = frozenset()
    """Pages that may ask for signatures, for example `https://kitty.example`."""
    synced_for_high: bool = False
    """Whether keys that can be copied to other devices count for high hazards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assertion:
    """A key's signature with the two statements that it is over."""

    authenticator_data: bytes
    client_data: bytes
    """The browser's JSON, byte for byte."""
    signature: bytes

    @property
    def signed(self) -> bytes:
        """The bytes that the key signed."""
        return self.authenticator_data + hashlib.sha256(self.client_data).digest()

    @property
    def may_sync(self) -> bool:
        """Whether the key can be copied to other devices."""
        return bool(self.authenticator_data[_FLAGS_AT] & Flag.MAY_SYNC)

    @property
    def count(self) -> int:
        """How often the key says it has signed; 0 if it does not count."""
        return int.from_bytes(self.authenticator_data[_FLAGS_AT + 1 : _HEAD], "big")

    def packed(self) -> bytes:
        """Return it as one value, as it is stored and as it travels in envelopes."""
        return b"".join((
            MAGIC,
            len(self.authenticator_data).to_bytes(2, "big"),
            self.authenticator_data,
            len(self.client_data).to_bytes(2, "big"),
            self.client_data,
            self.signature,
        ))  # fmt: skip


def unpack(value: bytes) -> Assertion:
    """Read a packed assertion; raise WebAuthnError if it is not exactly one."""
    if not value.startswith(MAGIC) or len(value) > MAX_ASSERTION:
        raise WebAuthnError(Code.MALFORMED, "That is not a signature made in a browser.")
    authenticator_data, rest = _piece(value[len(MAGIC) :], MAX_AUTHENTICATOR_DATA)
    client_data, signature = _piece(rest, MAX_CLIENT_DATA)
    if not 0 < len(signature) <= MAX_INNER_SIGNATURE:
        raise _malformed("the signature has an impossible length")
    _check_statement(authenticator_data)
    return Assertion(
        authenticator_data=authenticator_data, client_data=client_data, signature=signature
    )


def _piece(value: bytes, most: int) -> tuple[bytes, bytes]:
    size = int.from_bytes(value[:2], "big")
    if not 0 < size <= most or len(value) < 2 + size:
        raise _malformed("a part is missing or too long")
    return value[2 : 2 + size], value[2 + size :]


def _check_statement(authenticator_data: bytes) -> None:
    """Refuse authenticator data of an assertion that contradicts its own flags."""
    if len(authenticator_data) < _HEAD:
        raise _malformed("the key's statement is cut off")
    flags = authenticator_data[_FLAGS_AT]
    extended = bool(flags & Flag.HAS_EXTENSIONS)
    if flags & Flag.HAS_CREDENTIAL or extended is not (len(authenticator_data) > _HEAD):
        raise _malformed("the key's statement contradicts itself")
    check_backup(flags)


def check_backup(flags: int) -> None:
    """Refuse a key that says it was copied although it cannot be."""
    if flags & Flag.SYNCED and not flags & Flag.MAY_SYNC:
        raise _malformed("the key's statement contradicts itself")


def check(assertion: Assertion, digest: bytes, rp_id: str) -> None:
    """Raise WebAuthnError unless a person approved this very digest for this site with a key."""
    check_client_data(assertion.client_data, GET, digest, rp_id)
    check_site(assertion.authenticator_data, rp_id)


def check_site(authenticator_data: bytes, rp_id: str) -> None:
    """Raise WebAuthnError unless the key was asked by this site, touched, and unlocked."""
    if authenticator_data[:_FLAGS_AT] != hashlib.sha256(rp_id.encode()).digest():
        raise WebAuthnError(Code.WRONG_SITE, f"The key signed for another site than {rp_id!r}.")
    flags = authenticator_data[_FLAGS_AT]
    if not flags & Flag.PRESENT:
        raise WebAuthnError(Code.NOT_PRESENT, "The key was not touched. Sign again, and touch it.")
    if not flags & Flag.VERIFIED:
        raise WebAuthnError(
            Code.NOT_VERIFIED,
            "The key did not check who you are. Use one with a PIN, a fingerprint or a face.",
        )


def check_client_data(client_data: bytes, kind: str, challenge: bytes, rp_id: str) -> None:
    """Raise WebAuthnError unless the browser's statement is about this, on a page of this site."""
    told = _client_data(client_data)
    if told.get("type") != kind:
        raise WebAuthnError(Code.WRONG_TYPE, "The browser signed something of another kind.")
    if told.get("challenge") != base64url(challenge):
        raise WebAuthnError(
            Code.WRONG_CHALLENGE, "That was signed for another request. Open this one and sign."
        )
    framed = told.get("crossOrigin", False) is not False or "topOrigin" in told
    if framed or not _belongs(told.get("origin"), rp_id):
        raise WebAuthnError(Code.WRONG_ORIGIN, f"It was not signed on a page of {rp_id!r}.")


def challenge_of(client_data: bytes) -> bytes | None:
    """Return what the browser says it was asked to sign; None if that is no base64url."""
    told = str(_client_data(client_data).get("challenge"))
    try:
        return from_base64url(told)
    except ValueError:
        return None


def origin_of(client_data: bytes) -> str:
    """Return the page that asked, for example `https://kitty.example`."""
    return str(_client_data(client_data).get("origin"))


def misfit(
    assertion: Assertion, key: Passkey, digest: bytes, hazard: Hazard, rules: Rules
) -> tuple[str, str] | None:
    """Return why this does not count here and now: code and reason; None if it does.

    It adds to `check` what only the gate knows: the exact page, the key's past, the hazard.
    """
    try:
        check(assertion, digest, key.rp_id)
    except WebAuthnError as error:
        return error.code, str(error)
    if origin_of(assertion.client_data) not in rules.origins:
        return Code.WRONG_ORIGIN, "It was not signed on KITTY's own page. Open the console there."
    if assertion.may_sync is not key.synced:
        return Code.KEY_CHANGED, "The key is not what it was when it was added. Add it anew."
    if hazard is Hazard.HIGH and assertion.may_sync and not rules.synced_for_high:
        return Code.SYNCED, _MAY_BE_COPIED
    if not counts_on(assertion.count, key.sign_count):
        return (
            Code.COUNTER_BACK,
            "The key's counter went back: there may be a copy of it. Tell an admin.",
        )
    return None


def counts_on(count: int, before: int) -> bool:
    """Tell whether a counter goes forward; keys that do not count always say 0."""
    return count > before or count == before == 0


def _belongs(origin: object, rp_id: str) -> bool:
    """Tell whether a page is of this very host, over https (or on this machine)."""
    found = _ORIGIN.fullmatch(origin) if isinstance(origin, str) else None
    if found is None or found["host"] != rp_id:
        return False
    return found["scheme"] == "https" or rp_id == _LOCAL


def _client_data(client_data: bytes) -> Mapping[str, Any]:
    try:
        told = json.loads(client_data, object_pairs_hook=_distinct)
    except (ValueError, RecursionError):
        raise _malformed("the browser's statement is not JSON") from None
    if not isinstance(told, dict):
        raise _malformed("the browser's statement is not an object")
    return told


def _distinct(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an object names the same key twice")
    return found


def _malformed(what: str) -> WebAuthnError:
    return WebAuthnError(Code.MALFORMED, f"That signature cannot be read: {what}. Sign again.")


def base64url(value: bytes) -> str:
    """Return bytes as browsers write them: base64 for addresses, without padding."""
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def from_base64url(text: str) -> bytes:
    """Read what browsers write; raise ValueError for any other spelling."""
    found = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if base64url(found) != text:
        raise ValueError("not plain base64url")
    return found
