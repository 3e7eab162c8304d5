"""Check people's signatures.  There is nothing here that could make one for the server.

Keys are Ed25519 (RFC 8032) or ECDSA over P-256 with SHA-256 (FIPS 186-5).
"""

import base64
import hashlib
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from safety.entities import KeyId, PublicKey
from safety.webauthn import MAX_ASSERTION, WebAuthnError, check, unpack

ED25519: Final = "ed25519"
P256: Final = "p256"
MAX_SPKI: Final = 200
"""Bytes; a P-256 SubjectPublicKeyInfo has 91, an Ed25519 one 44."""
MAX_SIGNATURE: Final = 80
"""Bytes; a DER-encoded P-256 signature has at most 72, an Ed25519 one exactly 64."""
MAX_VALUE: Final = max(MAX_SIGNATURE, MAX_ASSERTION)
"""Bytes of whatever stands for one person's signature: plain, or made in a browser."""
DIGEST_BYTES: Final = 32
_WEAK: Final = frozenset(
    bytes.fromhex(point)
    for point in (
        "0100000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    )
)
"""Ed25519 points of small order: under such a key anybody can sign."""


class KeyRefusedError(ValueError):
    """The bytes are not a public key that KITTY accepts."""


def _load(spki: bytes) -> ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey:
    if len(spki) > MAX_SPKI:
        raise KeyRefusedError(f"a public key has at most {MAX_SPKI} bytes, not {len(spki)}")
    try:
        key = serialization.load_der_public_key(spki)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyRefusedError(f"not a DER public key: {error}") from None
    if isinstance(key, ed25519.Ed25519PublicKey):
        if key.public_bytes_raw() in _WEAK:
            raise KeyRefusedError("that key is weak: anybody could sign with it")
    elif not (isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)):
        raise KeyRefusedError("use an Ed25519 or a P-256 key")
    # One key, one spelling: written in two ways it would count as two keys.
    if spki != key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    ):
        raise KeyRefusedError("write the public key as plain DER, with the point uncompressed")
    return key


def algorithm_of(spki: bytes) -> str:
    """Return `ed25519` or `p256`; raise KeyRefusedError for anything else."""
    return ED25519 if isinstance(_load(spki), ed25519.Ed25519PublicKey) else P256


def key_id(spki: bytes) -> KeyId:
    """Return the fingerprint of a public key: `SHA256:` and unpadded base64, as ssh shows it."""
    fingerprint = base64.b64encode(hashlib.sha256(spki).digest()).decode().rstrip("=")
    return KeyId(f"SHA256:{fingerprint}")


def verify(key: PublicKey, signature: bytes, digest: bytes) -> bool:
    """Tell whether `signature` is this key's over this 32-byte digest.

    A browser's key never counts with a plain signature, nor any other with a browser's.
    """
    if len(digest) != DIGEST_BYTES:
        return False
    if key.passkey is None:
        return _fits(key, signature, digest, digest)
    try:
        assertion = unpack(signature)
        check(assertion, digest, key.passkey.rp_id)
    except WebAuthnError:
        return False
    signed = assertion.signed
    return _fits(key, assertion.signature, signed, hashlib.sha256(signed).digest())


def _fits(key: PublicKey, signature: bytes, message: bytes, hashed: bytes) -> bool:
    """Tell whether a signature is over a message (Ed25519) or its hash (P-256)."""
    if not 0 < len(signature) <= MAX_SIGNATURE:
        return False
    try:
        public = _load(key.spki)
        if isinstance(public, ed25519.Ed25519PublicKey):
            public.verify(signature, message)
        else:
            public.verify(signature, hashed, ec.ECDSA(Prehashed(hashes.SHA256())))
    except (InvalidSignature, KeyRefusedError):
        return False
    return algorithm_of(key.spki) == key.algorithm
