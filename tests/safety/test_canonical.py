"""The bytes that people sign: one spelling, everything in it, nothing else accepted."""

import json
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from safety.actions import EnablePower, UnlockDoor
from safety.canonical import (
    FORMAT,
    MAX_DOCUMENT,
    CanonicalFormError,
    canonical,
    check_size,
    digest,
    event_document,
    parse,
    timestamp,
)
from safety.entities import (
    AccessPolicy,
    Device,
    DeviceId,
    DeviceKind,
    EventId,
    Hazard,
    HazardLevel,
    PolicyId,
    Role,
    User,
    UserId,
    Zone,
    ZoneId,
)

NOW = datetime(2026, 3, 2, 10, 0, 0, 123, tzinfo=UTC)
ZONE = Zone(
    id=ZoneId(UUID(int=1)),
    slug="bay",
    name="Welding bay",
    hazard_level=HazardLevel.HIGH,
    requires_ppe=True,
)
DEVICE = Device(
    id=DeviceId(UUID(int=2)),
    external_id="bay-door",
    name="Bay door",
    kind=DeviceKind.DOOR,
    zone=ZONE.id,
)
POLICY = AccessPolicy(
    id=PolicyId(UUID(int=3)),
    name="bay",
    zone=ZONE.id,
    required_roles=frozenset({Role.SAFETY, Role.ENGINEER}),
    pqe_checks={"items": ["helmet"]},
)
OLGA = User(
    id=UserId(UUID(int=4)), display_name="Olga", handle="olga", roles=frozenset({Role.OPERATOR})
)
GIVEN: dict[str, Any] = {
    "event": EventId(UUID(int=5)),
    "action": UnlockDoor(device=DEVICE.id, zone=ZONE.id, seconds=10),
    "device": DEVICE,
    "zone": ZONE,
    "policy": POLICY,
    "requester": OLGA,
    "hazard": Hazard.HIGH,
    "quorum": 2,
    "state": {"locked": True},
    "evidence": {"photo": "ab"},
    "nonce": "n" * 32,
    "not_before": NOW,
    "expires_at": NOW + timedelta(seconds=300),
    "tainted": False,
}
BODY = canonical(event_document(**GIVEN))


# -- RFC 8785 ---------------------------------------------------------------------------------


def test_the_example_of_the_standard():
    """RFC 8785, section 3.2.2, with the numbers, escapes and order of keys of its annex."""
    given_text = (
        r'{"numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],'
        r'"string": "\u20ac$\u000F\u000aA'
        "'"
        r'\u0042\u0022\u005c\\\"\/", "literals": [null, true, false]}'
    )
    assert (
        canonical(json.loads(given_text))
        == (
            '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
            '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
        ).encode()
    )


def test_keys_are_sorted_by_utf16_units():
    """RFC 8785, section 3.2.3: not by code points."""
    keys = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]
    body = canonical(dict.fromkeys(keys, 0))
    assert list(json.loads(body)) == [
        "\r",
        "1",
        "\u0080",
        "\u00f6",
        "\u20ac",
        "\U0001f600",
        "\ufb33",
    ]


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (5e-324, "5e-324"),
        (-5e-324, "-5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        (9007199254740991, "9007199254740991"),
        (-9007199254740991, "-9007199254740991"),
        (295147905179352830000.0, "295147905179352830000"),
        (9.999999999999997e22, "9.999999999999997e+22"),
        (1e23, "1e+23"),
        (1.0000000000000001e23, "1.0000000000000001e+23"),
        (999999999999999700000.0, "999999999999999700000"),
        (999999999999999900000.0, "999999999999999900000"),
        (1e21, "1e+21"),
        (9.999999999999997e-7, "9.999999999999997e-7"),
        (0.000001, "0.000001"),
        (333333333.3333332, "333333333.3333332"),
        (-0.0000033333333333333333, "-0.0000033333333333333333"),
        (1424953923781206.2, "1424953923781206.2"),
    ],
)
def test_numbers_are_written_as_the_standard_writes_them(number, text):
    """RFC 8785, annex B."""
    assert canonical({"n": number}) == f'{{"n":{text}}}'.encode()


@pytest.mark.parametrize(
    "value",
    [
        2**53,
        -(2**53),
        float("nan"),
        float("inf"),
        float("-inf"),
        "\ud800",
        b"bytes",
        {1: 2},
        UUID(int=1),
        NOW,
        {"x", "y"},
    ],
)
def test_what_two_readers_could_read_differently_cannot_be_written(value):
    with pytest.raises(CanonicalFormError):
        canonical({"value": value})


def test_nesting_without_end_cannot_be_written():
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(CanonicalFormError):
        canonical({"value": deep})


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    # Between 2^53 and 1e21 a float is written like an integer that is too large to be read.
    | st.floats(-(2**53) + 1, 2**53 - 1)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), json_values, max_size=5))
def test_what_is_written_is_read_back_as_it_was(value):
    document = value | {"format": FORMAT}
    assert parse(canonical(document)) == document


@given(st.dictionaries(st.text(), json_values, max_size=5), st.randoms())
def test_the_order_in_which_it_is_made_does_not_matter(value, chance):
    items = list(value.items())
    chance.shuffle(items)
    assert canonical(dict(items)) == canonical(value)


# -- everything is in it ----------------------------------------------------------------------

OTHERS: dict[str, list[Any]] = {
    "event": [EventId(UUID(int=6))],
    "action": [
        UnlockDoor(device=DEVICE.id, zone=ZONE.id, seconds=11),
        EnablePower(device=DEVICE.id, zone=ZONE.id),
    ],
    "device": [
        replace(DEVICE, id=DeviceId(UUID(int=9))),
        replace(DEVICE, external_id="other-door"),
        replace(DEVICE, name="Other door"),
        replace(DEVICE, kind=DeviceKind.POWER),
    ],
    "zone": [
        replace(ZONE, id=ZoneId(UUID(int=9))),
        replace(ZONE, slug="farm"),
        replace(ZONE, name="Farm"),
        replace(ZONE, requires_ppe=False),
    ],
    "policy": [
        replace(POLICY, id=PolicyId(UUID(int=9))),
        replace(POLICY, version=2),
        replace(POLICY, required_roles=frozenset({Role.SAFETY})),
        replace(POLICY, requires_presence=True),
        replace(POLICY, pqe_checks={"items": ["gloves"]}),
        replace(POLICY, pqe_checks={}),
    ],
    "requester": [
        replace(OLGA, id=UserId(UUID(int=9))),
        replace(OLGA, handle="emil"),
        replace(OLGA, display_name="Emil"),
    ],
    "hazard": [Hazard.MEDIUM],
    "quorum": [1],
    "state": [{"locked": False}, {"locked": 1}, {"locked": "true"}, {}],
    "evidence": [{}, {"photo": "ac"}, {"photo": "ab", "file": "cd"}],
    "nonce": ["m" * 32],
    "not_before": [NOW + timedelta(microseconds=1)],
    "expires_at": [GIVEN["expires_at"] + timedelta(microseconds=1)],
    "tainted": [True],
}


def test_every_argument_has_a_change_to_try():
    assert set(OTHERS) == set(GIVEN)


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in OTHERS.items() for value in values]
)
def test_every_change_changes_the_digest(name, value):
    assert digest(canonical(event_document(**GIVEN | {name: value}))) != digest(BODY)


def paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the place of every leaf of a document."""
    match value:
        case dict():
            inner = [path for key in value for path in paths(value[key], (*at, key))]
        case list():
            inner = [path for n, each in enumerate(value) for path in paths(each, (*at, n))]
        case _:
            return [at]
    return inner


@pytest.mark.parametrize("path", paths(json.loads(BODY)), ids=lambda path: ".".join(map(str, path)))
def test_every_leaf_of_the_document_counts(path):
    """No leaf is decoration: a document with another value there has another digest."""
    document = json.loads(BODY)
    place = document
    for step in path[:-1]:
        place = place[step]
    was = place[path[-1]]
    place[path[-1]] = f"{was}x" if isinstance(was, str) else 77 if was is not None else "x"
    assert digest(canonical(document)) != digest(BODY)
    del place[path[-1]]
    assert digest(canonical(document)) != digest(BODY)


def test_every_argument_of_the_action_is_in_it():
    names = {each.name for each in fields(UnlockDoor)} - {"device", "zone"}
    assert set(parse(BODY)["action"]["arguments"]) == names == {"seconds"}


def test_the_same_moment_has_one_spelling():
    elsewhere = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert timestamp(elsewhere) == timestamp(NOW) == "2026-03-02T10:00:00.000123+00:00"


# -- nothing else is read ---------------------------------------------------------------------

TEXT = BODY.decode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"null",
        b"[]",
        b'"' + FORMAT.encode() + b'"',
        BODY + b" ",
        b" " + BODY,
        BODY + b"\n",
        BODY + b"\x00",
        BODY + BODY,
        BODY[:-1],
        BODY[1:],
        b"\xef\xbb\xbf" + BODY,
        TEXT.encode("utf-16"),
        TEXT.encode("utf-16-be"),
        TEXT.encode("utf-32"),
        json.dumps(json.loads(BODY)).encode(),
        TEXT.replace('"seconds":10', '"seconds":1e1').encode(),
        TEXT.replace('"seconds":10', '"seconds":10.0').encode(),
        TEXT.replace('"seconds":10', '"seconds":10,"seconds":10').encode(),
        TEXT.replace('"seconds":10', '"seconds":60,"seconds":10').encode(),
        TEXT.replace('"seconds":10', '"seconds":NaN').encode(),
        TEXT.replace('"seconds":10', '"seconds":Infinity').encode(),
        TEXT.replace('"seconds":10', '"seconds":1e999').encode(),
        TEXT.replace('"seconds":10', '"seconds":9007199254740992').encode(),
        TEXT.replace('"seconds":10', '"seconds":' + "1" * 5_000).encode(),
        TEXT.replace('"seconds":10', '"seconds":010').encode(),
        TEXT.replace('"seconds":10', '"seconds":"\\ud800"').encode(),
        TEXT.replace('"seconds":10', '"seconds":"\\u0041"').encode(),
        TEXT.replace("Bay door", "Bay\\u0020door").encode(),
        TEXT.replace("Bay door", "Bay\\/door").encode(),
        TEXT.replace(FORMAT, "kitty.safety_event/2").encode(),
        TEXT.replace(FORMAT, FORMAT.upper()).encode(),
        TEXT.replace('"format":', '"Format":').encode(),
        b"[" * 100_000,
        b'{"format":"' + FORMAT.encode() + b'","x":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
        b"\xff" * 100,
        canonical({"format": FORMAT, "x": "y" * MAX_DOCUMENT}),
        canonical({"format": [FORMAT]}),
    ],
    ids=range(39),
)
def test_anything_but_the_canonical_form_is_refused(body):
    assert body != BODY
    with pytest.raises(CanonicalFormError):
        parse(body)


def test_the_original_is_accepted():
    """Positive control for the refusals above."""
    assert canonical(parse(BODY)) == BODY


@given(st.binary(max_size=300))
def test_rubbish_is_refused_with_one_kind_of_error(body):
    with pytest.raises(CanonicalFormError):
        parse(body)


@given(st.integers(0, len(BODY) - 1), st.integers(1, 255))
def test_a_changed_byte_is_refused_or_another_document(place, flip):
    body = BODY[:place] + bytes([BODY[place] ^ flip]) + BODY[place + 1 :]
    try:
        document = parse(body)
    except CanonicalFormError:
        return
    assume(document is not None)
    assert document != parse(BODY)
    assert digest(body) != digest(BODY)


def test_the_size_is_limited():
    check_size(b"x" * MAX_DOCUMENT)
    with pytest.raises(CanonicalFormError, match="65537 bytes"):
        check_size(b"x" * (MAX_DOCUMENT + 1))
