"""What a browser's signature must be: each field wrong has a code of its own.  Pure."""

import json
from typing import Any
from uuid import UUID

import pytest
from fakes.authenticator import ORIGIN, RP_ID, Authenticator
from fakes.world import Keyring
from hypothesis import example, given
from hypothesis import strategies as st

from safety.credentials import read_credential
from safety.entities import Hazard, KeyKind, Passkey, PublicKey, UserId
from safety.signatures import MAX_VALUE, verify
from safety.webauthn import (
    MAGIC,
    MAX_CLIENT_DATA,
    Assertion,
    Code,
    Flag,
    Rules,
    WebAuthnError,
    base64url,
    misfit,
    unpack,
)

DIGEST = bytes(range(32))
OTHER = bytes(32)
RULES = Rules(origins=frozenset({ORIGIN}))
USER = UserId(UUID(int=1))
UP, UV, BE, BS = Flag.PRESENT, Flag.VERIFIED, Flag.MAY_SYNC, Flag.SYNCED


def key_of(device: Authenticator, **more: Any) -> PublicKey:
    passkey = Passkey(rp_id=device.rp_id, synced=device.synced, **more)
    return PublicKey(
        id=device.ring.id,
        user=USER,
        algorithm=device.algorithm,
        spki=device.ring.spki,
        label="key",
        kind=KeyKind.WEBAUTHN,
        passkey=passkey,
    )


def refusal(
    value: bytes, key: PublicKey, *, hazard: Hazard = Hazard.HIGH, rules: Rules = RULES
) -> str | None:
    """Return what the gate would say, as it asks: the value's misfit, then the signature."""
    assert key.passkey is not None
    try:
        found = misfit(unpack(value), key.passkey, DIGEST, hazard, rules)
    except WebAuthnError as error:
        return error.code
    if found is not None:
        return found[0]
    return None if verify(key, value, DIGEST) else "bad_signature"


@pytest.mark.parametrize("algorithm", ["ed25519", "p256"])
@pytest.mark.parametrize("counts", [True, False])
def test_a_good_one_counts(algorithm: str, counts: bool) -> None:
    device = Authenticator(algorithm, counts=counts)
    assert refusal(device.sign(DIGEST), key_of(device)) is None


@pytest.mark.parametrize("algorithm", ["ed25519", "p256"])
@pytest.mark.parametrize(
    ("code", "changed"),
    [
        (Code.WRONG_TYPE, {"type": "webauthn.create"}),
        (Code.WRONG_TYPE, {"type": "payment.get"}),
        (Code.WRONG_CHALLENGE, {"challenge": base64url(OTHER)}),
        (Code.WRONG_CHALLENGE, {"challenge": base64url(DIGEST) + "="}),
        (Code.WRONG_CHALLENGE, {"challenge": None}),
        (Code.WRONG_ORIGIN, {"origin": "http://localhost:9999"}),
        (Code.WRONG_ORIGIN, {"origin": "http://evil.example"}),
        (Code.WRONG_ORIGIN, {"origin": "https://localhost.evil.example"}),
        (Code.WRONG_ORIGIN, {"origin": "android:apk-key-hash:x"}),
        (Code.WRONG_ORIGIN, {"origin": None}),
        (Code.WRONG_ORIGIN, {"crossOrigin": True}),
        (Code.WRONG_ORIGIN, {"topOrigin": ORIGIN}),
        (Code.WRONG_SITE, {"rp_id": "evil.example"}),
        (Code.NOT_PRESENT, {"flags": UV}),
        (Code.NOT_VERIFIED, {"flags": UP}),
        (Code.SYNCED, {"synced": True}),
        (Code.KEY_CHANGED, {"flags": UP | UV | BE}),
        (Code.MALFORMED, {"flags": UP | UV | BS}),
        (Code.MALFORMED, {"flags": UP | UV | Flag.HAS_CREDENTIAL}),
        (Code.MALFORMED, {"flags": UP | UV | Flag.HAS_EXTENSIONS}),
        (Code.MALFORMED, {"data": b"short"}),
        (Code.MALFORMED, {"client_data": b"not json"}),
        (Code.MALFORMED, {"client_data": b"[]"}),
        (Code.MALFORMED, {"client_data": b"\xff{}"}),
        (Code.MALFORMED, {"client_data": b'{"type":"webauthn.get","type":"webauthn.get"}'}),
        (Code.MALFORMED, {"client_data": b" " * (MAX_CLIENT_DATA + 1)}),
    ],
)
def test_each_wrong_field_has_its_own_code(
    algorithm: str, code: str, changed: dict[str, Any]
) -> None:
    device = Authenticator(algorithm, synced=changed.get("synced", False))
    changed = {name: value for name, value in changed.items() if name != "synced"}
    value = device.sign(DIGEST, **changed)
    assert refusal(value, key_of(device)) == code
    if code not in {Code.SYNCED, Code.KEY_CHANGED} and "9999" not in str(changed):
        assert not verify(key_of(device), value, DIGEST)


def test_a_counter_that_goes_back_or_stands_is_refused() -> None:
    device = Authenticator()
    value = device.sign(DIGEST)
    assert refusal(value, key_of(device, sign_count=0)) is None
    for seen in (1, 2, 2**32 - 1):
        assert refusal(value, key_of(device, sign_count=seen)) == Code.COUNTER_BACK
    device.counts, device.count = False, 0
    assert refusal(device.sign(DIGEST), key_of(device, sign_count=3)) == Code.COUNTER_BACK


def test_a_key_that_can_be_copied_counts_where_it_may() -> None:
    device = Authenticator(synced=True)
    key = key_of(device)
    assert refusal(device.sign(DIGEST), key) == Code.SYNCED
    assert refusal(device.sign(DIGEST), key, hazard=Hazard.MEDIUM) is None
    lenient = Rules(origins=RULES.origins, synced_for_high=True)
    assert refusal(device.sign(DIGEST), key, rules=lenient) is None


def test_without_a_page_of_ours_nothing_counts() -> None:
    device = Authenticator()
    assert refusal(device.sign(DIGEST), key_of(device), rules=Rules()) == Code.WRONG_ORIGIN


def test_another_keys_signature_is_refused() -> None:
    device, other = Authenticator(), Authenticator()
    value = other.sign(DIGEST)
    assert refusal(value, key_of(device)) == "bad_signature"


def test_the_two_kinds_of_signature_are_never_taken_for_one_another() -> None:
    device = Authenticator()
    browser = key_of(device)
    plain = PublicKey(
        id=browser.id, user=USER, algorithm="ed25519", spki=browser.spki, label="file"
    )
    assert not verify(browser, device.ring.sign(DIGEST), DIGEST)
    assert not verify(plain, device.sign(DIGEST), DIGEST)
    ring = Keyring()
    file = PublicKey(id=ring.id, user=USER, algorithm="ed25519", spki=ring.spki, label="file")
    assert verify(file, ring.sign(DIGEST), DIGEST)


@given(st.sampled_from(["ed25519", "p256"]), st.integers(0, 2**16), st.integers(1, 255))
def test_no_changed_byte_counts(algorithm: str, where: int, change: int) -> None:
    device = Authenticator(algorithm)
    value = bytearray(device.sign(DIGEST))
    value[where % len(value)] ^= change
    assert not verify(key_of(device), bytes(value), DIGEST)


@given(st.binary(max_size=MAX_VALUE + 10) | st.binary(max_size=600).map(MAGIC.__add__))
@example(MAGIC)
@example(MAGIC + b"\x00\x00\x00\x00")
def test_any_bytes_are_refused_or_read_back_as_they_are(value: bytes) -> None:
    try:
        read = unpack(value)
    except WebAuthnError:
        return
    assert read.packed() == value


def test_extensions_may_follow_where_the_flag_says_so() -> None:
    device = Authenticator()
    flags = device.flags | Flag.HAS_EXTENSIONS
    data = device.authenticator_data(flags=flags, count=1) + b"\xa0"
    assert refusal(device.sign(DIGEST, data=data), key_of(device)) is None


def test_it_can_be_checked_with_nothing_but_a_hash_and_the_key() -> None:
    """docs/keys.md tells auditors how; this is that, by hand."""
    import hashlib

    from cryptography.hazmat.primitives.serialization import load_der_public_key

    device = Authenticator()
    value = device.sign(DIGEST)
    size = int.from_bytes(value[4:6], "big")
    told, rest = value[6 : 6 + size], value[6 + size :]
    length = int.from_bytes(rest[:2], "big")
    client, signature = rest[2 : 2 + length], rest[2 + length :]
    public: Any = load_der_public_key(device.ring.spki)
    public.verify(signature, told + hashlib.sha256(client).digest())
    assert json.loads(client)["challenge"] == base64url(DIGEST)
    assert told[:32] == hashlib.sha256(RP_ID.encode()).digest()
    assert unpack(value) == Assertion(
        authenticator_data=told, client_data=client, signature=signature
    )


# -- new keys -------------------------------------------------------------------------------


def read(device: Authenticator, **changed: Any):
    data, client = device.made(DIGEST, **changed)
    return read_credential(data, client, challenge=DIGEST, rp_id=RP_ID, origins=frozenset({ORIGIN}))


@pytest.mark.parametrize("algorithm", ["ed25519", "p256"])
def test_a_new_key_is_read(algorithm: str) -> None:
    device = Authenticator(algorithm, synced=True)
    found = read(device)
    assert (found.spki, found.algorithm) == (device.ring.spki, algorithm)
    assert found.credential_id == device.credential_id
    assert found.synced
    assert not found.backed_up


@pytest.mark.parametrize(
    ("code", "changed"),
    [
        (Code.WRONG_TYPE, {"type": "webauthn.get"}),
        (Code.WRONG_CHALLENGE, {"challenge": base64url(OTHER)}),
        (Code.WRONG_ORIGIN, {"origin": "http://localhost:9999"}),
        (Code.WRONG_ORIGIN, {"crossOrigin": True}),
        (Code.WRONG_SITE, {"rp_id": "evil.example"}),
        (Code.NOT_PRESENT, {"flags": UV | Flag.HAS_CREDENTIAL}),
        (Code.NOT_VERIFIED, {"flags": UP | Flag.HAS_CREDENTIAL}),
        (Code.MALFORMED, {"flags": UP | UV}),
        (Code.MALFORMED, {"flags": UP | UV | Flag.HAS_CREDENTIAL | BS}),
        (Code.MALFORMED, {"flags": UP | UV | Flag.HAS_CREDENTIAL | Flag.HAS_EXTENSIONS}),
        (Code.MALFORMED, {"cose": b"\xa4\x01\x01\x03\x39\x01\x00"}),
        (Code.MALFORMED, {"cose": b""}),
        (Code.MALFORMED, {"credential_id": b""}),
        (Code.MALFORMED, {"credential_id": b"x" * 1_024}),
        # Of small order: anybody could sign.
        (Code.MALFORMED, {"cose": bytes.fromhex("a4010103272006215820") + b"\x01" + bytes(31)}),
        # Not a point of the curve.
        (
            Code.MALFORMED,
            {"cose": bytes.fromhex("a5010203262001215820") + b"\x01" * 32
             + bytes.fromhex("225820") + b"\x02" * 32},
        ),
    ],
)  # fmt: skip
def test_an_odd_new_key_is_refused(code: str, changed: dict[str, Any]) -> None:
    with pytest.raises(WebAuthnError) as refused:
        read(Authenticator(), **changed)
    assert refused.value.code == code


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reading_of_new_keys(tail: bytes) -> None:
    device = Authenticator()
    flags = UP | UV | Flag.HAS_CREDENTIAL
    data = device.authenticator_data(flags=flags) + tail
    _, client = device.made(DIGEST)
    with pytest.raises(WebAuthnError):
        read_credential(data, client, challenge=DIGEST, rp_id=RP_ID, origins=frozenset({ORIGIN}))
