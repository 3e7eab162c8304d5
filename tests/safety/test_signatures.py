"""Only people's own keys sign, only two kinds of keys are keys, only one spelling of each."""

import base64
import random
from collections.abc import Callable
from uuid import UUID

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import (
    dsa,
    ec,
    ed448,
    ed25519,
    padding,
    rsa,
    utils,
    x25519,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fakes.world import Keyring

from safety.canonical import CanonicalFormError, canonical, digest, parse
from safety.entities import KeyId, PublicKey, UserId
from safety.signatures import (
    MAX_SIGNATURE,
    MAX_SPKI,
    KeyRefusedError,
    algorithm_of,
    key_id,
    verify,
)

DIGEST = digest(b"a request")
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
ED25519_PREFIX = bytes.fromhex("302a300506032b6570032100")


def public(spki: bytes, algorithm: str = "ed25519") -> PublicKey:
    return PublicKey(
        id=KeyId("SHA256:x"), user=UserId(UUID(int=1)), algorithm=algorithm, spki=spki, label="x"
    )


def der(key: object) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@pytest.fixture(params=["ed25519", "p256"])
def ring(request: pytest.FixtureRequest) -> Keyring:
    return Keyring(request.param)


def test_a_persons_own_signature_counts(ring):
    key = public(ring.spki, ring.algorithm)
    assert verify(key, ring.sign(DIGEST), DIGEST)
    assert algorithm_of(ring.spki) == ring.algorithm
    assert ring.id == key_id(ring.spki)
    assert ring.id.startswith("SHA256:")


@pytest.mark.parametrize(
    "make",
    [
        lambda: rsa.generate_private_key(public_exponent=65537, key_size=1024),
        lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048),
        lambda: ec.generate_private_key(ec.SECP384R1()),
        lambda: ec.generate_private_key(ec.SECP256K1()),
        lambda: ec.generate_private_key(ec.SECP224R1()),
        lambda: ec.generate_private_key(ec.SECP521R1()),
        ed448.Ed448PrivateKey.generate,
        x25519.X25519PrivateKey.generate,
        lambda: dsa.generate_private_key(1024),
    ],
)
def test_other_kinds_of_keys_are_refused(make: Callable[[], object]):
    with pytest.raises(KeyRefusedError):
        algorithm_of(der(make()))


def test_an_rsa_signature_counts_for_nothing():
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    signature = key.sign(DIGEST, padding.PKCS1v15(), utils.Prehashed(hashes.SHA256()))
    assert not verify(public(der(key), "p256"), signature, DIGEST)


def test_one_key_has_one_spelling():
    """Written in two ways one key would count as two: two people could share it."""
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    numbers = key.public_numbers()
    point = key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    plain = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    oids = bytes.fromhex("301306072a8648ce3d020106082a8648ce3d030107")
    compressed = bytes([0x30, 0x39]) + oids + bytes([0x03, 0x22, 0x00]) + point
    hybrid_point = bytes([6 + numbers.y % 2]) + plain[-64:]
    hybrid = plain[:-65] + hybrid_point
    long_form = bytes([0x30, 0x81]) + plain[1:]
    assert algorithm_of(plain) == "p256"
    for other in (compressed, hybrid, long_form, plain + b"\x00", plain + plain):
        with pytest.raises(KeyRefusedError):
            algorithm_of(other)


@pytest.mark.parametrize("ring_kind", ["ed25519", "p256"])
def test_cut_and_lengthened_keys_are_refused(ring_kind):
    spki = Keyring(ring_kind).spki
    for length in range(len(spki)):
        with pytest.raises(KeyRefusedError):
            algorithm_of(spki[:length])
    for tail in (b"\x00", b"\x30", b"x" * 10, b"x" * MAX_SPKI, b"x" * 1_000_000):
        with pytest.raises(KeyRefusedError):
            algorithm_of(spki + tail)


@pytest.mark.parametrize(
    "spki",
    [
        b"",
        b"x",
        b"\x30\x80",
        b"-----BEGIN PUBLIC KEY-----",
        base64.b64encode(Keyring().spki),
        bytes(44),
        b"\xff" * 91,
    ],
    ids=["nothing", "a letter", "endless", "a heading", "base64", "zeros", "ones"],
)
def test_rubbish_is_not_a_key(spki):
    with pytest.raises(KeyRefusedError):
        algorithm_of(spki)
    assert not verify(public(spki), bytes(64), DIGEST)


def test_a_point_off_the_curve_is_refused():
    spki = Keyring("p256").spki
    off = spki[:-1] + bytes([spki[-1] ^ 1])
    with pytest.raises(KeyRefusedError):
        algorithm_of(off)
    with pytest.raises(KeyRefusedError):
        algorithm_of(spki[:-64] + bytes(64))


WEAK = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
]


@pytest.mark.parametrize("point", WEAK)
def test_a_key_under_which_anybody_can_sign_is_refused(point):
    spki = ED25519_PREFIX + bytes.fromhex(point)
    with pytest.raises(KeyRefusedError, match="weak"):
        algorithm_of(spki)
    anybody = bytes.fromhex(WEAK[0]) + bytes(32)
    assert not verify(public(spki), anybody, DIGEST)


def test_the_library_alone_would_accept_anybodys_signature():
    """Positive control: what the test above refuses works with the bare library."""
    key = ed25519.Ed25519PublicKey.from_public_bytes(bytes.fromhex(WEAK[0]))
    key.verify(bytes.fromhex(WEAK[0]) + bytes(32), DIGEST)


def test_cut_and_lengthened_signatures_are_refused(ring):
    key, good = public(ring.spki, ring.algorithm), ring.sign(DIGEST)
    for length in range(len(good)):
        assert not verify(key, good[:length], DIGEST)
    for tail in (b"\x00", good, b"x" * MAX_SIGNATURE, b"x" * 1_000_000):
        assert not verify(key, good + tail, DIGEST)


def test_a_signature_of_zeros_or_of_the_order_is_refused():
    key = public(Keyring("p256").spki, "p256")
    for r in (0, 1, P256_ORDER, P256_ORDER + 1):
        for s in (0, 1, P256_ORDER):
            assert not verify(key, utils.encode_dss_signature(r, s), DIGEST)


def test_only_a_digest_is_signed(ring):
    key = public(ring.spki, ring.algorithm)
    for length in (0, 31, 33, 64):
        assert not verify(key, ring.sign(DIGEST), bytes(length))


def test_a_key_counts_only_as_what_it_was_enrolled_as(ring):
    other = "p256" if ring.algorithm == "ed25519" else "ed25519"
    for algorithm in (other, "", "rsa", ring.algorithm.upper()):
        assert not verify(public(ring.spki, algorithm), ring.sign(DIGEST), DIGEST)


def test_another_persons_or_another_requests_signature_is_refused(ring):
    key = public(ring.spki, ring.algorithm)
    assert not verify(key, Keyring(ring.algorithm).sign(DIGEST), DIGEST)
    assert not verify(key, ring.sign(digest(b"another request")), DIGEST)


# -- mutations --------------------------------------------------------------------------------

DOCUMENT = {
    "format": "kitty.safety_event/1",
    "action": {"kind": "UnlockDoor", "arguments": {"seconds": 10}},
    "nonce": "0123456789abcdef" * 2,
}
BODY = canonical(DOCUMENT)
MUTATIONS = 20_000


def accepted(key: PublicKey, body: bytes, signature: bytes) -> bool:
    """Decide as the edge would: read the bytes strictly, then check the signature over them."""
    try:
        parse(body)
    except CanonicalFormError:
        return False
    return verify(key, signature, digest(body))


def mutated(chance: random.Random, original: bytes) -> bytes:
    """Return other bytes: a flip, a cut, an insertion, a swap or a doubled stretch."""
    place = chance.randrange(len(original))
    match chance.randrange(5):
        case 0:
            flipped = bytes([original[place] ^ (1 << chance.randrange(8))])
            return original[:place] + flipped + original[place + 1 :]
        case 1:
            return original[:place] + original[place + chance.randrange(1, 4) :]
        case 2:
            return original[:place] + chance.randbytes(chance.randrange(1, 4)) + original[place:]
        case 3:
            other = chance.randrange(len(original))
            swapped = bytearray(original)
            swapped[place], swapped[other] = swapped[other], swapped[place]
            return bytes(swapped)
        case _:
            return original[:place] + original[place : place + 8] + original[place:]


def acceptances(ring: Keyring, *, seed: int) -> tuple[int, int]:
    """Return how many of the mutations were accepted, and how many were tried."""
    chance = random.Random(seed)
    key, good = public(ring.spki, ring.algorithm), ring.sign(digest(BODY))
    assert accepted(key, BODY, good)
    yes = tried = 0
    while tried < MUTATIONS // 2:
        spoil_body = chance.random() < 0.5
        body = mutated(chance, BODY) if spoil_body else BODY
        signature = good if spoil_body else mutated(chance, good)
        if (body, signature) == (BODY, good):
            continue
        tried += 1
        yes += accepted(key, body, signature)
    return yes, tried


def test_of_twenty_thousand_mutations_none_is_accepted(ring):
    """Ten thousand for each kind of key; the original is accepted before each run."""
    assert acceptances(ring, seed=7) == (0, MUTATIONS // 2)


def test_a_checker_that_only_reads_would_accept_some():
    """Positive control: without the signature some mutations are canonical documents."""
    chance = random.Random(7)
    read = 0
    for _ in range(2_000):
        try:
            parse(mutated(chance, BODY))
        except CanonicalFormError:
            continue
        read += 1
    assert read > 50
