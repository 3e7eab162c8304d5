"""Server-sent events, however the network cuts them."""

import json

import pytest
from cli.scripted import sse
from hypothesis import given
from hypothesis import strategies as st

from assistant.cli.sse import MAX_EVENT, Decoder, ServerEvent, StreamError

WORDS = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.lists(st.tuples(st.sampled_from(["said", "acted"]), WORDS)), st.data())
def test_any_cut_gives_the_same_events(said: list[tuple[str, str]], data: st.DataObject) -> None:
    stream = b": hello\n\n" + b"".join(sse(name, {"text": text}) for name, text in said)
    if data.draw(st.booleans()):
        stream = stream.replace(b"\n", b"\r\n")
    decoder, found = Decoder(), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        found += decoder.feed(stream[:size])
        stream = stream[size:]
    assert found == [ServerEvent(name=name, data={"text": text}) for name, text in said]


def test_what_json_may_hold_does_not_end_a_line() -> None:
    event = sse("said", {"text": "a\u2028b\x85c"})
    assert [each.data["text"] for each in Decoder().feed(event)] == ["a\u2028b\x85c"]


def test_data_on_several_lines() -> None:
    lines = json.dumps({"a": [1, 2]}, indent=1).splitlines()
    stream = "".join(f"data: {line}\n" for line in lines) + "\n"
    assert list(Decoder().feed(stream.encode())) == [
        ServerEvent(name="message", data={"a": [1, 2]})
    ]


@pytest.mark.parametrize("bad", [b"data: [1]\n\n", b"data: nonsense\n\n", b"data: " + b"[" * 9999])
def test_other_streams_are_refused(bad: bytes) -> None:
    with pytest.raises(StreamError):
        list(Decoder().feed(bad + b"\n\n"))


def test_events_end() -> None:
    decoder = Decoder()
    for _ in range(MAX_EVENT // 65_536):
        assert list(decoder.feed(b"x" * 65_536)) == []
    with pytest.raises(StreamError):
        list(decoder.feed(b"x"))
