"""The interactive conversation, typed through a pipe."""

import asyncio
import io
import os
import signal
import stat
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from queue import Queue

import pytest
from cli.scripted import (
    CONVERSATION,
    EVENT,
    TOKEN,
    Answer,
    Scripted,
    answer_of,
    error,
    event_of,
    live,
    offer,
    sse,
    waiting,
)
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput
from rich.console import Console

from assistant.cli.session import Session
from assistant.cli.talk import Talk

pytestmark = pytest.mark.anyio

EVENTS = f"/api/conversations/{CONVERSATION}/events"
CALL = {"tool": "switch_light", "arguments": {"name": "bay\x1b", "on": True}, "outcome": "done"}


class Paper(io.StringIO):
    """Where the conversation is written; waits for words to appear."""

    def __init__(self) -> None:
        super().__init__()
        self._written = asyncio.Event()

    def write(self, text: str) -> int:
        self._written.set()
        return super().write(text)

    async def until(self, words: str, times: int = 1) -> None:
        async with asyncio.timeout(20):
            while self.getvalue().count(words) < times:
                self._written.clear()
                await self._written.wait()


class Typist:
    def __init__(self, keys: PipeInput, paper: Paper) -> None:
        self.types = keys.send_text
        self.paper = paper
        self.sees = paper.until


@pytest.fixture
def news(script: Scripted) -> Iterator["Queue[bytes | None]"]:
    queue: Queue[bytes | None] = Queue()
    script.on(
        "GET", "/api/me", {"handle": "operator", "display_name": "Olga", "roles": ["operator"]}
    )
    script.on("GET", EVENTS, Answer(stream=live(queue)))
    yield queue
    queue.put(None)


@asynccontextmanager
async def talking(script: Scripted, home: Path) -> AsyncIterator[Typist]:
    paper = Paper()
    session = Session(url=script.url, token=TOKEN, home=home / "kitty")
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        talk = Talk(session, None, Console(file=paper, markup=False, highlight=False, width=200))
        task = asyncio.create_task(talk.run())
        await paper.until("Ctrl-D leaves")
        yield Typist(keys, paper)
        keys.send_text("\x04")
        async with asyncio.timeout(20):
            await task


def stream(*events: bytes) -> Answer:
    return Answer(stream=events)


async def test_a_turn_as_it_comes(
    script: Scripted, home: Path, news: "Queue[bytes | None]"
) -> None:
    said = sse("said", {"text": "The lights are on.", "spoken": ""})
    script.on(
        "POST", "/api/query/stream",
        stream(sse("routed", {}), sse("acted", CALL), said, sse("finished", answer_of())),
    )  # fmt: skip
    async with talking(script, home) as typist:
        typist.types("lights on\r")
        await typist.sees("The lights are on.")
    written = typist.paper.getvalue()
    assert "You are Olga (operator)" in written
    assert 'switch_light(name="bay\\x1b", on=yes) done' in written
    assert script.last("POST", "/api/query/stream").body["input"] == {"text": "lights on"}
    history = home / "kitty/client/chat-history"
    assert stat.S_IMODE(history.stat().st_mode) == 0o600
    assert "lights on" in history.read_text()


async def test_later_news_arrive_while_one_types(
    script: Scripted, home: Path, news: "Queue[bytes | None]"
) -> None:
    script.on(
        "POST", "/api/query/stream",
        stream(
            sse("said", {"text": "It waits for two people."}), sse("waiting", waiting()),
            sse("finished", answer_of()),
        ),
    )  # fmt: skip
    offer(script)
    async with talking(script, home) as typist:
        typist.types("unlock the door\r")
        await typist.sees(f"kitt approve {EVENT}")
        script.on("GET", f"/api/safety/events/{EVENT}", event_of(b"{}", status="approved"))
        news.put(sse("message", {"role": "user", "text": "unlock the door"}))
        news.put(sse("message", {"role": "assistant", "text": "Done: the door is open."}))
        typist.types("half a line")
        await typist.sees("Done: the door is open.")
        typist.types("\x03")  # Ctrl-C clears the line, and Ctrl-D then leaves
    assert typist.paper.getvalue().count("unlock the door") == 0, "one's own words are not news"


async def test_what_was_settled_unheard_is_told(
    script: Scripted, home: Path, news: "Queue[bytes | None]"
) -> None:
    offer(script, status="denied", reason="not today")
    turn = (sse("waiting", waiting()), sse("finished", answer_of()))
    script.on("POST", "/api/query/stream", stream(*turn))
    async with talking(script, home) as typist:
        typist.types("unlock the door\r")
        await typist.sees("unlock the welding bay door for 10 s: denied (not today)")


async def test_ctrl_c_stops_waiting_for_the_answer(
    script: Scripted, home: Path, news: "Queue[bytes | None]"
) -> None:
    asked, slow = threading.Event(), Queue[bytes | None]()

    def never() -> Iterator[bytes]:
        asked.set()
        yield sse("said", {"text": "One moment."})
        while (piece := slow.get()) is not None:
            yield piece

    script.on("POST", "/api/query/stream", Answer(stream=never()))
    async with talking(script, home) as typist:
        typist.types("print something\r")
        await typist.sees("One moment.")
        signal_self()
        await typist.sees("Not waiting any longer")
    slow.put(None)
    assert asked.is_set()


async def test_a_broken_stream_is_not_taken_for_an_answer(
    script: Scripted, home: Path, news: "Queue[bytes | None]"
) -> None:
    script.on("POST", "/api/query/stream", stream(sse("said", {"text": "I will"})))
    async with talking(script, home) as typist:
        typist.types("lights on\r")
        await typist.sees("the answer broke off")
        script.on("POST", "/api/query/stream", error(429, "too_many", "Not so fast."))
        typist.types("lights on\r")
        await typist.sees("kitt: Not so fast.")


def signal_self() -> None:

    os.kill(os.getpid(), signal.SIGINT)
