"""People's private keys, as files that only they can read."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from assistant.cli.leave import Code, CommandError
from safety.entities import KeyId
from safety.signatures import ED25519, KeyRefusedError, algorithm_of, key_id

PrivateKey = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey
MAX_FILE: Final = 16_384
"""Bytes in a key file."""
MIN_PASSPHRASE: Final = 8
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True, kw_only=True)
class Public:
    """A public key and its fingerprint."""

    id: KeyId
    algorithm: str
    spki: bytes


def default_key() -> Path:
    """Return where a person's own key lies unless they say otherwise."""
    return Path.home() / ".config/kitty/key.pem"


def make(algorithm: str) -> PrivateKey:
    """Make a new private key: `ed25519` or `p256`."""
    if algorithm == ED25519:
        return ed25519.Ed25519PrivateKey.generate()
    return ec.generate_private_key(ec.SECP256R1())


def public(key: PrivateKey) -> Public:
    """Return the public half."""
    spki = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return Public(id=key_id(spki), algorithm=algorithm_of(spki), spki=spki)


def public_pem(key: PrivateKey) -> bytes:
    """Write the public half as PEM."""
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def save(key: PrivateKey, file: Path, passphrase: str | None) -> Path:
    """Write the private key (mode 0600) and beside it the public one; return the latter."""
    shown = file.with_suffix(".pub")
    if shown == file:
        raise CommandError(f"{file} is a public key's name. Choose another with --out.")
    for each in (file, shown):
        if each.exists():
            raise CommandError(f"{each} exists already. Choose another file with --out.")
    locked: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase is not None:
        locked = serialization.BestAvailableEncryption(passphrase.encode())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_new(file, pem, 0o600)
    write_new(shown, public_pem(key), 0o644)
    return shown


def write_new(file: Path, content: bytes, mode: int) -> None:
    """Write a file that did not exist, with these rights from its first moment."""
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except OSError as error:
        raise CommandError(f"{file} cannot be written: {error.strerror}.") from None
    with os.fdopen(handle, "wb") as opened:
        opened.write(content)


def read(file: Path) -> bytes:
    """Return the bytes of a key file, or say why not."""
    try:
        with file.open("rb") as opened:
            content = opened.read(MAX_FILE + 1)
    except OSError as error:
        raise CommandError(
            f"the key file {file} cannot be read: {error.strerror}. Name yours with --key FILE, "
            "or make one with `kitt keys new`."
        ) from None
    if len(content) > MAX_FILE:
        raise CommandError(f"{file} is too large for a key file.")
    return content


def open_to_others(file: Path) -> bool:
    """Tell whether anyone but the owner may touch the file."""
    return bool(file.stat().st_mode & _OTHERS)


def is_encrypted(pem: bytes) -> bool:
    """Tell whether a passphrase is needed."""
    return b"ENCRYPTED" in pem


def unlock(file: Path, pem: bytes, passphrase: str | None) -> PrivateKey:
    """Load a private key; nothing of it appears in any message."""
    secret = passphrase.encode() if passphrase else None
    try:
        key = serialization.load_pem_private_key(pem, secret)
    except TypeError:
        raise CommandError(f"{file} and its passphrase do not fit together.") from None
    except (ValueError, UnsupportedAlgorithm):
        wrong = "the passphrase is wrong or " if secret else ""
        raise CommandError(
            f"{file} cannot be used: {wrong}it is not a private key in PEM (PKCS#8)."
        ) from None
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    raise CommandError(
        f"{file} is a key of a kind that KITTY does not take: use Ed25519 or P-256 "
        "(`kitt keys new`)."
    )


def sign(key: PrivateKey, digest: bytes) -> bytes:
    """Sign a SHA-256 digest (32 bytes)."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(digest)
    return key.sign(digest, ec.ECDSA(Prehashed(hashes.SHA256())))


def load_public(file: Path) -> Public:
    """Read a public key file (PEM or DER SubjectPublicKeyInfo)."""
    content = read(file)
    if b"PRIVATE KEY" in content:
        raise CommandError(
            f"{file} is a private key: keep it to yourself, and give the .pub file beside it.",
            Code.USAGE,
        )
    try:
        spki = content
        if content.lstrip().startswith(b"-----BEGIN"):
            spki = serialization.load_pem_public_key(content).public_bytes(
                serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        return Public(id=key_id(spki), algorithm=algorithm_of(spki), spki=spki)
    except (ValueError, UnsupportedAlgorithm, KeyRefusedError) as error:
        raise CommandError(
            f"{file} is not a public key that KITTY takes: {error}.", Code.USAGE
        ) from None
