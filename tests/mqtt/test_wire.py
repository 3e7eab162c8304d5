"""What is on the wire is strict."""

import json
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.wire import (
    MAX_DEPTH,
    MAX_MESSAGE,
    AckMessage,
    CommandMessage,
    PresenceMessage,
    StateMessage,
    TelemetryMessage,
    WireError,
    device_of,
    device_topic,
    encode_object,
    is_wire_name,
    strict_object,
    zone_of,
)

AT = "2026-11-20T09:00:00Z"
COMMAND = {
    "v": 1,
    "command_id": str(uuid4()),
    "device": "lamp",
    "intent": "switch",
    "payload": {"on": True},
    "issued_at": AT,
    "deadline": AT,
    "correlation_id": "c",
    "safety_event_id": None,
}


def refused(payload: bytes) -> str:
    with pytest.raises(WireError) as caught:
        strict_object(payload)
    return caught.value.code


def nested(depth: int) -> bytes:
    return b'{"a":' * depth + b"1" + b"}" * depth


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b'{"a":1,"a":2}', "duplicate_key"),
        (b'{"x":{"a":1,"a":1}}', "duplicate_key"),
        (b'{"a":NaN}', "not_finite"),
        (b'{"a":Infinity}', "not_finite"),
        (b'{"a":-Infinity}', "not_finite"),
        (b'{"a":1e999}', "not_finite"),
        (b'{"a":' + b"9" * 5000 + b"}", "not_json"),
        (nested(MAX_DEPTH + 1), "too_deep"),
        (b'{"a":' + b"[" * 30_000 + b"]" * 30_000 + b"}", "too_deep"),
        (b'{"a":"' + b"x" * (MAX_MESSAGE - 7) + b'"}', "too_large"),
        (b"[]", "not_an_object"),
        (b"1", "not_an_object"),
        (b'"\xff"', "not_utf8"),
        (b'\xef\xbb\xbf{"a":1}', "not_json"),
        (b"", "not_json"),
        (b"{", "not_json"),
        (b"{'a':1}", "not_json"),
        (b'{"a":1}x', "not_json"),
        (b'{"a":"\x00"}', "not_json"),
        (b'{"a":"\\u0000"}', "bad_text"),
        (b'{"\\u0000":1}', "bad_text"),
        (b'{"a":["\\ud800"]}', "bad_text"),
    ],
)
def test_ambiguous_or_unstorable_json_is_refused(payload: bytes, code: str) -> None:
    assert refused(payload) == code


def test_the_limits_themselves_are_allowed() -> None:
    assert strict_object(nested(MAX_DEPTH))
    assert strict_object(b'{"a":"' + b"x" * (MAX_MESSAGE - 8) + b'"}')
    assert strict_object(b'{"a":"\\ud83d\\ude00 \\\\u0000"}') == {"a": "\U0001f600 \\u0000"}


@given(st.binary(max_size=200))
def test_any_bytes_are_an_object_or_a_wire_error(payload: bytes) -> None:
    try:
        found = strict_object(payload)
    except WireError:
        return
    assert encode_object(found)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(
        alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=10
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=3),
    max_leaves=10,
)  # fmt: skip


@given(st.dictionaries(st.text("abcdef", max_size=3), VALUES, max_size=4))
def test_what_is_written_can_be_read(fields: dict[str, object]) -> None:
    assert strict_object(encode_object(fields)) == fields


@given(st.text(max_size=40))
def test_a_name_that_is_accepted_stays_one_level_of_a_topic(name: str) -> None:
    if is_wire_name(name):
        assert device_of(device_topic(name, "cmd")) == name
        assert not set(name) & set("/+#$ \n\x00")
    else:
        with pytest.raises(WireError):
            device_topic(f"x/{name}", "cmd")


@pytest.mark.parametrize(
    "name", ["", "a/b", "+", "#", "a+", "a#", "$SYS", "..", "a b", "a\n", "ä", "x" * 129, "a\x00"]
)
def test_names_with_meaning_to_a_broker_are_impossible(name: str) -> None:
    assert not is_wire_name(name)
    with pytest.raises(WireError):
        CommandMessage.decode(json.dumps({**COMMAND, "device": name}).encode())
    with pytest.raises(WireError):
        device_of(f"kitty/devices/{name}/state")
    with pytest.raises(WireError):
        zone_of(f"kitty/presence/{name}")
    if name != "+":
        with pytest.raises(WireError):
            device_topic(name, "state")


def test_a_command_survives_the_wire() -> None:
    command = CommandMessage.decode(json.dumps(COMMAND).encode())
    assert CommandMessage.decode(command.encode()) == command
    assert command.deadline == datetime(2026, 11, 20, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    "change",
    [
        {"extra": 1},
        {"v": 2},
        {"payload": []},
        {"payload": None},
        {"intent": "Switch"},
        {"command_id": "1"},
        {"deadline": "2026-11-20T09:00:00"},
        {"deadline": 1},
        {"deadline": "0001-01-01T00:00:00+23:00"},
        {"deadline": "9999-12-31T23:59:59Z"},
        {"correlation_id": ""},
    ],
)
def test_a_command_has_exactly_its_fields(change: dict[str, object]) -> None:
    with pytest.raises(WireError) as caught:
        CommandMessage.decode(json.dumps({**COMMAND, **change}).encode())
    assert caught.value.code == "wrong_fields"


def test_states_may_say_more_than_we_know() -> None:
    state = StateMessage.decode(
        json.dumps(
            {"v": 1, "online": True, "at": AT, "state": {"on": True}, "firmware": "9"}
        ).encode()
    )
    assert state.state == {"on": True}


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        (AckMessage, {"command_id": str(uuid4()), "ok": "yes", "at": AT}),
        (AckMessage, {"command_id": str(uuid4()), "ok": True, "code": "busy", "at": AT}),
        (AckMessage, {"command_id": str(uuid4()), "ok": False, "code": None, "at": AT}),
        (StateMessage, {"online": 1, "at": AT}),
        (StateMessage, {"online": True, "at": AT, "commands": [str(uuid4())] * 17}),
        (TelemetryMessage, {"at": AT, "values": [1]}),
        (TelemetryMessage, {"values": {}}),
        (PresenceMessage, {"user": "a", "status": "here", "source": "unifi", "observed_at": AT}),
    ],
)
def test_wrong_fields_are_refused(model: type[AckMessage], fields: dict[str, object]) -> None:
    with pytest.raises(WireError) as caught:
        model.decode(json.dumps({"v": 1, **fields}).encode())
    assert caught.value.code == "wrong_fields"


def test_what_cannot_be_read_back_is_not_written() -> None:
    with pytest.raises(WireError):
        encode_object({"a": float("nan")})
    with pytest.raises(WireError):
        encode_object({"a": "x" * MAX_MESSAGE})
    with pytest.raises(WireError):
        encode_object({"a": object()})
