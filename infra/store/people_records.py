"""What the store says of people and of how they get in."""

import base64
import binascii
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from infra.db import StoreError
from safety.entities import MAX_NAME, User, UserId
from safety.signatures import KeyRefusedError, algorithm_of

MAX_KEY_TEXT: Final = 4_096
"""Characters of a public key as people paste it."""
_BEGIN: Final = "-----BEGIN PUBLIC KEY-----"
_END: Final = "-----END PUBLIC KEY-----"


class PeopleError(StoreError):
    """A change to people or their access that cannot be made."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code  # type: ignore[misc]  # stable per refusal, not per class


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A person and whether they may still come in."""

    user: User
    created_at: datetime
    disabled_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiToken:
    """A bearer token, without its text."""

    id: UUID
    user: UserId
    label: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewToken:
    """A bearer token at the only moment its text is known."""

    text: str = field(repr=False)
    token: ApiToken


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolmentOffer:
    """The way in for the first person: printed once, used once."""

    token: str = field(repr=False)
    user: User
    expires_at: datetime


def checked_label(label: str) -> str:
    """Return a name for a key or token; raise PeopleError if it is empty or too long."""
    text = label.strip()
    if not text or len(text) > MAX_NAME or "\x00" in text:
        raise PeopleError("bad_label", f"give it a name of 1 to {MAX_NAME} characters")
    return text


def spki_of(text: str) -> bytes:
    """Return the DER of a public key given as PEM or as base64; raise PeopleError."""
    if "PRIVATE KEY" in text:
        raise PeopleError(
            "private_key",
            "that is a private key, which must never leave its owner: give the public one, "
            "and make a new pair, since this one has been shown",
        )
    body = text.strip()
    if body.startswith(_BEGIN) and body.endswith(_END):
        body = body.removeprefix(_BEGIN).removesuffix(_END)
    try:
        if len(text) > MAX_KEY_TEXT:
            raise KeyRefusedError(f"it has over {MAX_KEY_TEXT} characters")
        spki = base64.b64decode("".join(body.split()), validate=True)
        algorithm_of(spki)
    except (binascii.Error, ValueError) as error:
        raise PeopleError(
            "bad_key",
            f"that is not a public key KITTY can use ({error}); give an Ed25519 or P-256 key as "
            "PEM (BEGIN PUBLIC KEY) or as base64 of its SubjectPublicKeyInfo",
        ) from None
    return spki
