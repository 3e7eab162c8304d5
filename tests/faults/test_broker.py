"""The broker is killed while commands are under way: honest answers, nothing twice, back soon."""

import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from fakes.house import LIGHTS, STORE_LIGHTS, House, house
from fakes.processes import command_of, family, gone, until

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def kitty() -> Iterator[House]:
    with house(own_broker=True, environment={"KITTY_COMMAND_SECONDS": "3"}) as running:
        yield running


def broker_of(kitty: House) -> int:
    assert kitty.server is not None
    kinds = ("infra.broker_child", "mosquitto")
    (broker,) = (
        pid for pid in family(kitty.server.pid) if any(kind in command_of(pid) for kind in kinds)
    )
    return broker


def test_killed_while_commands_stream_in(kitty: House) -> None:
    """Each command is done, failed or unknown as the device knows it; then all is well again."""
    before = Counter({name: len(kitty.carried_out(name)) for name in (LIGHTS, STORE_LIGHTS)})
    halfway = threading.Event()

    def say(number: int) -> dict[str, str]:
        if number == 12:
            halfway.set()
        where = "welding bay" if number % 2 else "store room"
        response = kitty.ask(f"turn {'on' if number % 4 < 2 else 'off'} the {where} lights")
        assert response.status_code == 200, response.text
        answer = response.json()
        return {"request": answer["request_id"], "outcome": answer["calls"][0]["outcome"]}

    with ThreadPoolExecutor(3) as pool:
        answers = [pool.submit(say, number) for number in range(40)]
        assert halfway.wait(60)
        broker = broker_of(kitty)
        os.kill(broker, signal.SIGKILL)
        gone([broker])
        until(lambda: not kitty.ready()["broker"] or broker_of(kitty) != broker)
        said = [each.result() for each in answers]
    until(lambda: kitty.ready()["ready"], kitty.ready, within=20)
    kitty.settled()
    assert {each["outcome"] for each in said} <= {"done", "failed", "unknown", "refused"}
    rows = kitty.rows(
        """select c.id::text, c.outcome, c.failure_code, c.request_id::text as request,
                  d.external_id as device
           from device_commands c join devices d on d.id = c.device_id
           where c.request_id::text = any(%s)""",
        [each["request"] for each in said],
    )
    known = {name: kitty.carried_out(name) for name in before}
    for row in rows:
        happened = row["id"] in known[row["device"]]
        assert happened or row["outcome"] != "done", row
        assert not (happened and row["outcome"] == "failed"), row
    for name, count in before.items():
        mine = {row["id"] for row in rows if row["device"] == name}
        assert set(known[name][count:]) <= mine
        assert len(known[name]) == len(set(known[name]))
    # What was answered "done" has been acknowledged, and nothing else says so.
    outcomes = {row["request"]: row["outcome"] for row in rows}
    for each in said:
        if each["outcome"] == "done":
            assert outcomes[each["request"]] == "done"


def test_readiness_tells_the_truth_and_comes_back(kitty: House) -> None:
    broker = broker_of(kitty)
    os.kill(
        broker, signal.SIGSTOP
    )  # it lives and says nothing: nobody may call that ready for long
    os.kill(broker, signal.SIGKILL)
    gone([broker])
    seen = []
    until(lambda: seen.append(kitty.ready()["broker"]) or not seen[-1], within=10)
    until(lambda: kitty.ready()["ready"], kitty.ready, within=20)
    kitty.until_state(LIGHTS, online_state="online")
    answer = until(
        lambda: (
            found
            if (found := kitty.said("turn on the welding bay lights"))["calls"][0]["outcome"]
            == "done"
            else None
        ),
        within=20,
    )
    assert answer is not None
