"""The database is killed while commands are under way: honest answers, nothing lost or twice."""

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from fakes.house import DOOR, LIGHTS, STORE_LIGHTS, House, house, new_key
from fakes.processes import command_of, family, gone, until

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def kitty() -> Iterator[House]:
    with house(environment={"KITTY_COMMAND_SECONDS": "3"}) as running:
        yield running


def postmaster_of(kitty: House) -> int:
    assert kitty.server is not None
    return next(
        pid
        for pid in family(kitty.server.pid)
        if command_of(pid).split(" ")[0].endswith("/postgres")
    )


def kill(kitty: House) -> None:
    postmaster = postmaster_of(kitty)
    workers = family(postmaster)
    os.kill(postmaster, signal.SIGKILL)
    gone([postmaster, *workers])


def back(kitty: House) -> None:
    until(lambda: kitty.ready()["ready"], kitty.ready, within=30)


@pytest.mark.parametrize("rounds", [1, pytest.param(5, marks=pytest.mark.slow)])
def test_killed_while_commands_stream_in(kitty: House, rounds: int) -> None:
    for _ in range(rounds):
        _stream_and_kill(kitty)


def _stream_and_kill(kitty: House) -> None:
    halfway = threading.Event()
    keys = [new_key() for _ in range(30)]
    names = {LIGHTS: "welding bay", STORE_LIGHTS: "store room"}
    before = {name: len(kitty.carried_out(name)) for name in names}

    def say(number: int) -> tuple[int, dict[str, Any]]:
        if number == 10:
            halfway.set()
        where = list(names.values())[number % 2]
        text = f"turn {'on' if number % 4 < 2 else 'off'} the {where} lights"
        response = kitty.ask(text, client_key=keys[number])
        return response.status_code, response.json()

    with ThreadPoolExecutor(3) as pool:
        answers = [pool.submit(say, number) for number in range(30)]
        assert halfway.wait(60)
        kill(kitty)
        said = [each.result() for each in answers]
    back(kitty)
    for status, body in said:
        if status == 200:
            assert body["calls"][0]["outcome"] in {"done", "failed", "unknown"}, body
        else:
            assert (status, body["code"], body["retryable"]) == (503, "store_unavailable", True)
            assert body["correlation_id"]
    kitty.settled()
    # Whoever was told to come back does: the same answer for those that were stored.
    for number, (status, body) in enumerate(said):
        again, second = say(number)
        assert again == 200, second
        assert status != 200 or second == body
    kitty.settled()
    rows = kitty.rows(
        """select c.id::text, c.outcome, d.external_id as device, r.client_key
           from conversation_requests r
           left join device_commands c on c.request_id = r.id left join devices d on d.id = device_id
           where r.client_key = any(%s)""",
        keys,
    )
    assert sorted(row["client_key"] for row in rows) == sorted(keys)
    known = {name: kitty.carried_out(name)[count:] for name, count in before.items()}
    for row in rows:
        if row["outcome"] == "done":
            assert row["id"] in known[row["device"]]
    for name, done in known.items():
        assert len(done) == len(set(done))
        assert set(done) <= {row["id"] for row in rows if row["device"] == name}


def test_readiness_tells_the_truth(kitty: House) -> None:
    """A database that lives and does not answer is not ready; when it answers again it is."""
    postmaster = postmaster_of(kitty)
    frozen = [postmaster, *family(postmaster)]
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    try:
        shown = until(lambda: found if not (found := kitty.ready())["store"] else None, within=20)
        assert shown is not None
        assert not shown["ready"]
    finally:
        for pid in frozen:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
    back(kitty)
    assert kitty.said("hello")["replies"]


def test_a_pending_approval_outlives_it(kitty: House) -> None:
    asked = kitty.said("unlock the welding bay door")
    event = asked["pending_hazard"]["safety_event_id"]
    assert kitty.sign(event, "engineer").status_code == 202
    before = kitty.carried_out(DOOR)
    kill(kitty)
    back(kitty)
    assert kitty.sign(event, "safety").json()["outcome"] == "done"
    assert len(kitty.carried_out(DOOR)) == len(before) + 1
    until(
        lambda: [
            each
            for each in kitty.messages(asked["conversation_id"])
            if each["meta"].get("event_id") == event
        ],
        "the outcome is told",
    )


def test_a_command_under_way_is_settled(kitty: House) -> None:
    """The answer comes while there is no store to put it in."""
    kitty.order(LIGHTS, "late")
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(kitty.ask, "turn on the welding bay lights", client_key=new_key())
        until(
            lambda: kitty.rows("select 1 from device_commands where status = 'sent'"),
            "the command is under way",
        )
        kill(kitty)
        answer = asked.result()
    assert answer.status_code in {200, 503}, answer.text
    kitty.well(LIGHTS)
    back(kitty)
    kitty.settled()


def test_the_second_kitty_stays_out_after_a_crash(kitty: House) -> None:
    """The lock that keeps a second KITTY off the database is taken again after a crash."""
    kill(kitty)
    back(kitty)
    until(
        lambda: kitty.rows("select 1 from pg_locks where locktype = 'advisory' and granted"),
        "the lock is held again",
        within=15,
    )
