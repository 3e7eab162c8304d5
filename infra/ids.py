"""Ids and nonces: the one place, beside infra.clock, where chance comes in."""

import secrets
import time
from typing import Final
from uuid import UUID

_NONCE_BYTES: Final = 24
_SECRET_BYTES: Final = 32
_CORRELATION_BYTES: Final = 9
_CHALLENGE_BYTES: Final = 32
_VERSION: Final = 0x7 << 76
_VARIANT: Final = 0b10 << 62
_RANDOM_BITS: Final = 62


def uuid7() -> UUID:
    """Return a new id that sorts by time (RFC 9562): milliseconds, 12 bits of their fraction."""
    seconds, nanos = divmod(time.time_ns(), 1_000_000_000)
    millis, rest = divmod(nanos, 1_000_000)
    fraction = (rest << 12) // 1_000_000
    when = (seconds * 1_000 + millis) << 80 | _VERSION | fraction << 64
    return UUID(int=when | _VARIANT | secrets.randbits(_RANDOM_BITS))


def nonce() -> str:
    """Return 192 random bits as URL-safe text, used once."""
    return secrets.token_urlsafe(_NONCE_BYTES)


def challenge() -> bytes:
    """Return 256 random bits for somebody to sign once."""
    return secrets.token_bytes(_CHALLENGE_BYTES)


def secret(kind: str) -> str:
    """Return a new secret of 256 random bits that says what it is: `kitty_token_...`."""
    return f"kitty_{kind}_{secrets.token_urlsafe(_SECRET_BYTES)}"


def correlation_id() -> str:
    """Return 12 random characters that tie the lines and messages of one request together."""
    return secrets.token_urlsafe(_CORRELATION_BYTES)
