"""kill -9 of the main process at any moment while commands stream in: the sums must be right."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any

import httpx
import pytest
from fakes.house import LIGHTS, STORE_LIGHTS, House, house, new_key
from fakes.processes import until

pytestmark = pytest.mark.timeout(600)
NAMES = {LIGHTS: "welding bay", STORE_LIGHTS: "store room", "main-floor-bench": "bench"}
TALKS = 3


@pytest.fixture(scope="module")
def kitty() -> Iterator[House]:
    with house(environment={"KITTY_COMMAND_SECONDS": "2"}) as running:
        yield running


@pytest.mark.parametrize("kills", [4, pytest.param(30, marks=pytest.mark.slow)])
def test_the_sums(kitty: House, kills: int) -> None:
    dice = Random(kills)
    talks = [kitty.said("hello")["conversation_id"] for _ in range(TALKS)]
    before = {name: len(kitty.carried_out(name)) for name in NAMES}
    asked: list[tuple[str, str, str]] = []
    for _ in range(kills):
        asked += stream_until_killed(kitty, talks, dice)
        kitty.start_server()
    until(lambda: kitty.ready()["ready"], kitty.ready)
    kitty.settled()
    rows = kitty.rows(
        """select r.id::text, r.client_key, r.result, c.id::text as command, c.outcome, c.ack_at,
                  c.closed_at, v.external_id as device, d.completed_at,
                  (select array_agg(m.role::text order by m.seq) from conversation_messages m
                   where m.request_id = r.id) as roles
           from conversation_requests r
           left join device_commands c on c.request_id = r.id
           left join devices v on v.id = c.device_id
           left join routing_decisions d on d.request_id = r.id
           where r.conversation_id::text = any(%s) and r.client_key is not null""",
        talks,
    )
    # Accepted is answered: each with its decision, its two messages, and one command at most.
    assert len({row["id"] for row in rows}) == len(rows)
    for row in rows:
        assert row["result"] is not None
        assert row["completed_at"] is not None
        assert row["roles"] == ["user", "assistant"], row
        assert row["command"] is None or row["closed_at"] is not None
    # Nothing is carried out twice, and nothing but what was asked for.
    known = {name: kitty.carried_out(name)[count:] for name, count in before.items()}
    for name, done in known.items():
        assert len(done) == len(set(done))
        assert set(done) <= {row["command"] for row in rows if row["device"] == name}
    # Nothing is called done, in the ledger or in words, that the device did not carry out.
    for row in rows:
        happened = row["command"] in known.get(row["device"], ())
        assert row["outcome"] != "done" or happened, row
        assert row["outcome"] != "failed" or not happened, row
        said = [call["outcome"] for call in row["result"]["calls"]]
        assert "done" not in said or happened, row
    # Whoever asks again with the same key hears the stored answer.
    stored = {row["client_key"]: row["result"] for row in rows}
    for text, talk, key in dice.sample(asked, min(5, len(asked))):
        answer = kitty.said(text, conversation=talk, client_key=key)
        assert key not in stored or answer == stored[key]
    assert len(rows) >= kills


def stream_until_killed(kitty: House, talks: list[str], dice: Random) -> list[tuple[str, str, str]]:
    """Let commands stream in, kill the server after some; return what was said."""
    fatal = dice.randrange(3, 25)
    halfway, over = threading.Event(), threading.Event()
    said: list[tuple[str, str, str]] = []
    client = kitty.client()

    def say(number: int) -> None:
        if over.is_set():
            return
        where = list(NAMES.values())[number % len(NAMES)]
        text = f"turn {'on' if number % 2 else 'off'} the {where} lights"
        talk, key = talks[number % TALKS], new_key()
        said.append((text, talk, key))
        body: dict[str, Any] = {
            "input": {"text": text}, "conversation_id": talk, "client_key": key,
        }  # fmt: skip
        if number == fatal:
            halfway.set()
        try:
            client.post("/api/query", json=body)
        except httpx.HTTPError:
            over.set()

    with ThreadPoolExecutor(TALKS) as pool:
        work = [pool.submit(say, number) for number in range(60)]
        assert halfway.wait(60)
        kitty.kill_server_after(dice.random() / 20)
        for each in work:
            each.result()
    kitty.hang_up()
    return said
