"""Envelopes and trust files: written, read back, and refused whenever they are odd."""

import base64
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from fakes.edge import Bench, unlock
from hypothesis import given, settings
from hypothesis import strategies as st

from safety.canonical import CanonicalFormError, canonical
from safety.entities import KeyId
from safety.envelope import (
    MAX_PAYLOAD,
    MAX_SIGNATURES,
    Envelope,
    EnvelopeError,
    Seal,
    read_envelope,
)
from safety.signed import SignedFormError, read_signed
from safety.trust import TrustError, read_trust

KEY = KeyId("SHA256:" + "a" * 43)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner),
    max_leaves=12,
)


@settings(deadline=None)
@given(
    payload=st.binary(min_size=1, max_size=300),
    sigs=st.lists(st.binary(min_size=1, max_size=80), min_size=1, max_size=MAX_SIGNATURES),
)
def test_an_envelope_comes_back_as_it_was_written(payload: bytes, sigs: list[bytes]) -> None:
    envelope = Envelope(
        payload=payload, signatures=tuple(Seal(key=KEY, value=each) for each in sigs)
    )
    assert read_envelope(json.loads(json.dumps(envelope.document()))) == envelope


@settings(deadline=None)
@given(JSON)
def test_anything_else_is_no_envelope(value: Any) -> None:
    with pytest.raises(EnvelopeError):
        read_envelope(value)


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("unknown_envelope", {"payloadType": "application/vnd.in-toto+json"}),
        ("unknown_envelope", {"signs": "pae"}),
        ("bad_envelope", {"signatures": []}),
        ("bad_envelope", {"signatures": [{"keyid": KEY, "sig": "AAAA"}] * (MAX_SIGNATURES + 1)}),
        ("bad_envelope", {"payload": "e30"}),
        ("bad_envelope", {"payload": "e30=\n"}),
        ("bad_envelope", {"payload": "e31="}),
        ("bad_envelope", {"payload": "e3_-"}),
        ("bad_envelope", {"payload": ""}),
        ("bad_envelope", {"payload": None}),
        ("too_large", {"payload": base64.b64encode(b"x" * (MAX_PAYLOAD + 3)).decode()}),
        ("too_large", {"signatures": [{"keyid": KEY, "sig": "A" * 2_000}]}),
        ("bad_envelope", {"signatures": [{"keyid": "SHA256:short", "sig": "AAAA"}]}),
        ("bad_envelope", {"signatures": [{"keyid": KEY, "sig": "AAAA", "cert": ""}]}),
        ("bad_envelope", {"signatures": [{"sig": "AAAA"}]}),
    ],
)
def test_odd_envelopes_are_refused(code: str, changes: dict[str, Any]) -> None:
    good = Envelope(payload=b"{}", signatures=(Seal(key=KEY, value=b"abc"),)).document()
    assert read_envelope(good).payload == b"{}"
    with pytest.raises(EnvelopeError) as refused:
        read_envelope(good | changes)
    assert refused.value.code == code


def test_what_cannot_travel_is_not_written() -> None:
    seal = Seal(key=KEY, value=b"abc")
    for envelope in (
        Envelope(payload=b"x" * (MAX_PAYLOAD + 1), signatures=(seal,)),
        Envelope(payload=b"x", signatures=(seal,) * (MAX_SIGNATURES + 1)),
    ):
        with pytest.raises(EnvelopeError) as refused:
            envelope.document()
        assert refused.value.code == "too_large"


DOCUMENT = Bench().document(unlock())


@settings(deadline=None)
@given(
    name=st.sampled_from(sorted(DOCUMENT)),
    value=st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.text(max_size=9)
    | st.just([])
    | st.just({}),
)
def test_a_field_of_another_kind_is_refused_and_never_a_stack_trace(name: str, value: Any) -> None:
    body = canonical(DOCUMENT | {name: value})
    if type(value) is type(DOCUMENT[name]) and not isinstance(value, dict | list):
        return
    try:
        read_signed(body)
    except (CanonicalFormError, SignedFormError):
        return
    assert name in {"ppe", "device_state", "evidence"}, "empty is fine there"


def test_a_trust_file_comes_back_as_it_was_written(bench: Bench) -> None:
    key = bench.keys["emil"].id
    bench.trust = replace(
        bench.trust,
        valid_until=bench.now + timedelta(days=90),
        intents={"unlock": 3},
        keys={
            **bench.trust.keys,
            key: replace(bench.trust.keys[key], revoked=True, valid_from=bench.now),
        },
    )
    assert read_trust(bench.trust.write()) == bench.trust


def _changed(file: dict[str, Any], path: str, value: Any) -> bytes:
    at: Any = file
    *way, last = path.split(".")
    for step in way:
        at = at[int(step)] if step.isdigit() else at[step]
    at[last] = value
    return json.dumps(file).encode()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("format", "kitty.trust/2"),
        ("issued_at", "yesterday"),
        ("issued_at", "2026-03-02T09:00:00"),
        ("valid_until", 5),
        ("skew_seconds", 61),
        ("skew_seconds", True),
        ("site", None),
        ("surprise", 1),
        ("people", {}),
        ("people.0.handle", ""),
        ("people.0.revoked", "no"),
        ("people.0.handle", "emil"),
        ("people.0.roles", "operator"),
        ("people.0.more", 1),
        ("keys.0.person", "nobody"),
        ("keys.0.spki", "AAAA"),
        ("keys.0.spki", "not base64"),
        ("keys.0.keyid", KEY),
        ("keys.0.valid_until", "soon"),
        ("zones.0.hazard", "extreme"),
        ("zones.0.slug", "elsewhere"),
        ("devices.0.zone", "nowhere"),
        ("devices.0.external_id", "welder"),
        ("intents", []),
        ("intents", {"unlock": 0}),
        ("intents", {"unlock": 1.5}),
    ],
)
def test_odd_trust_files_are_refused(bench: Bench, path: str, value: Any) -> None:
    raw = _changed(json.loads(bench.trust.write()), path, value)
    with pytest.raises(TrustError):
        read_trust(raw)


@pytest.mark.parametrize(
    "raw",
    [b"", b"{}", b"[]", b"nonsense", b"[" * 100_000, b"\xff\xfe", b" " * 4_000_001],
    ids=["empty", "no fields", "a list", "no JSON", "too deep", "no UTF-8", "too large"],
)
def test_what_is_no_trust_file_is_refused(raw: bytes) -> None:
    with pytest.raises(TrustError):
        read_trust(raw)


def test_a_trust_file_that_says_something_twice_is_refused(bench: Bench) -> None:
    raw = bench.trust.write().replace(b'"site": "north"', b'"site": "north", "site": "south"')
    with pytest.raises(TrustError, match="twice"):
        read_trust(raw)


def test_every_key_of_a_file_is_one_that_can_be_trusted(bench: Bench) -> None:
    assert {each.public.algorithm for each in bench.trust.keys.values()} == {"ed25519", "p256"}
    assert all(each.public.id == each.id for each in bench.trust.keys.values())
