"""Checkpoints: "this was the log at that time", signed with the log's own key.

The key is the server's and signs nothing else, least of all approvals.  What counts is that
checkpoints also lie where nobody who can change the database can change them.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Self
from uuid import UUID

import rfc8785
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from safety.audit.entries import MAX_ENTRIES, FormatError, digest_of
from safety.audit.strict import NotStrictError, read_object
from safety.audit.verdict import Source

FORMAT: Final = "kitty.audit_checkpoint/1"
MAX_CHECKPOINT: Final = 4_096
"""Bytes in the line of a checkpoint."""
MAX_KEY: Final = 4_096
"""Bytes in the file of a public key."""
_SIGNATURE: Final = 64
_DER: Final = serialization.Encoding.DER
_SPKI: Final = serialization.PublicFormat.SubjectPublicKeyInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What the log was, once."""

    log: UUID
    size: int
    """How many entries."""
    root: bytes
    """The Merkle tree hash (RFC 6962) over their hashes."""
    head: bytes
    """The hash of the last of them."""
    time: str
    """ISO 8601, UTC."""
    previous: bytes | None
    """SHA-256 of the canonical form of the checkpoint before; None for the first."""

    def canonical(self) -> bytes:
        """Return the bytes that are signed (RFC 8785)."""
        return rfc8785.dumps(
            {
                "format": FORMAT,
                "log": str(self.log),
                "size": self.size,
                "root": self.root.hex(),
                "head": self.head.hex(),
                "time": self.time,
                "previous": None if self.previous is None else self.previous.hex(),
            }
        )

    def digest(self) -> bytes:
        """Return what the next checkpoint calls `previous`."""
        return hashlib.sha256(self.canonical()).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A checkpoint and the signature under it."""

    checkpoint: Checkpoint
    signature: bytes

    def document(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "checkpoint": read_object(self.checkpoint.canonical()),
            "signature": base64.b64encode(self.signature).decode(),
            "v": 1,
        }

    def line(self) -> bytes:
        """Write it as one line, as it also travels over MQTT."""
        return rfc8785.dumps(self.document()) + b"\n"

    def fits(self, key: Ed25519PublicKey) -> bool:
        """Tell whether that key signed it."""
        try:
            key.verify(self.signature, self.checkpoint.canonical())
        except InvalidSignature:
            return False
        return True

    @classmethod
    def of(cls, line: bytes) -> Self:
        """Read a line, or raise FormatError; the signature is not looked at."""
        if len(line) > MAX_CHECKPOINT:
            raise FormatError("line_too_long", f"it has more than {MAX_CHECKPOINT} bytes")
        try:
            document = read_object(line)
        except NotStrictError as error:
            raise FormatError(error.code, str(error)) from None
        try:
            signed = cls._of(document)
        except (KeyError, TypeError, ValueError, AttributeError, binascii.Error):
            raise FormatError("bad_checkpoint", "it is not a checkpoint") from None
        if signed.line().rstrip(b"\n") != line.rstrip(b"\n"):
            raise FormatError("bad_checkpoint", "it is not in canonical form (RFC 8785)")
        return signed

    @classmethod
    def _of(cls, document: dict[str, Any]) -> Self:
        body, signature = document["checkpoint"], base64.b64decode(document["signature"])
        size, time, previous = body["size"], body["time"], body["previous"]
        counted = isinstance(size, int) and not isinstance(size, bool) and 0 <= size < MAX_ENTRIES
        if not counted or len(signature) != _SIGNATURE or body["format"] != FORMAT:
            raise ValueError(size)
        if datetime.fromisoformat(time).tzinfo is None:
            raise ValueError(time)
        return cls(
            checkpoint=Checkpoint(
                log=UUID(body["log"]),
                size=size,
                root=digest_of(body["root"]),
                head=digest_of(body["head"]),
                time=time,
                previous=None if previous is None else digest_of(previous),
            ),
            signature=signature,
        )


def sign(checkpoint: Checkpoint, key: Ed25519PrivateKey) -> Signed:
    """Sign a checkpoint with the log's private key."""
    return Signed(checkpoint=checkpoint, signature=key.sign(checkpoint.canonical()))


def read_checkpoints(source: Source, name: str) -> Iterator[Signed]:
    """Read a file of checkpoints, or raise FormatError that names the line."""
    lines = iter(lambda: source.readline(MAX_CHECKPOINT + 1), b"")
    for number, line in enumerate(lines, start=1):
        try:
            signed = Signed.of(line)
        except FormatError as error:
            cut = not line.endswith(b"\n") and len(line) <= MAX_CHECKPOINT
            code, why = ("truncated_file", "it is cut off") if cut else (error.code, str(error))
            raise FormatError(code, f"{name}, line {number}: {why}") from None
        yield signed


def spki_of(key: Ed25519PublicKey) -> bytes:
    """Return a public key as DER."""
    return key.public_bytes(_DER, _SPKI)


def load_spki(spki: bytes) -> Ed25519PublicKey:
    """Load a public key from DER, or raise FormatError."""
    try:
        key = serialization.load_der_public_key(spki) if len(spki) <= MAX_KEY else None
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise FormatError("bad_key", "the log's key is not an Ed25519 public key")
    return key


def load_pem(pem: bytes) -> Ed25519PublicKey:
    """Load a public key from a file's bytes (PEM), or raise FormatError."""
    if b"PRIVATE KEY" in pem:
        raise FormatError("bad_key", "that is a private key; give the public one, log.pub")
    try:
        key = serialization.load_pem_public_key(pem) if len(pem) <= MAX_KEY else None
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise FormatError("bad_key", "that is not an Ed25519 public key in PEM, as log.pub is")
    return key


def fingerprint(key: Ed25519PublicKey) -> str:
    """Return `SHA256:` and unpadded base64, as ssh shows keys."""
    digest = hashlib.sha256(spki_of(key)).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")
