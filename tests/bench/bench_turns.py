"""Turn 1 000 of a conversation against turn 10."""

import httpx
import pytest
from fakes.house import Demo, quick_folder
from fakes.processes import cpu_seconds

pytestmark = pytest.mark.slow
LONG = 1_000
YOUNG = 10
BLOCK = 50
ROUNDS = 4
GOAL = 1.2
SAID = ("is the main floor light on?", "who is in the welding bay?", "what is the Giga doing?")


def talk(client: httpx.Client, conversation: str | None, turns: int) -> str:
    """Say something a number of times; return the conversation."""
    for number in range(turns):
        body = {"input": {"text": SAID[number % len(SAID)]}}
        if conversation is not None:
            body |= {"conversation_id": conversation}
        answer = client.post("/api/query", json=body)
        assert answer.status_code == 200, answer.text
        conversation = answer.json()["conversation_id"]
    assert conversation is not None
    return conversation


def block_ms(demo: Demo, conversation: str) -> float:
    """Return the CPU milliseconds of a turn, over a block of them."""
    before = cpu_seconds(demo.child.pid)
    talk(demo.client(), conversation, BLOCK)
    return (cpu_seconds(demo.child.pid) - before) * 1000 / BLOCK


def test_a_long_conversation():
    old, young = [], []
    with quick_folder() as home:
        demo = Demo(home, speed=1)
        try:
            demo.start()
            assert demo.client().get("/api/conversations").json()["items"] == []
            long = talk(demo.client(), None, LONG)
            for _ in range(ROUNDS):
                young.append(block_ms(demo, talk(demo.client(), None, YOUNG)))
                old.append(block_ms(demo, long))
        finally:
            demo.close()
    ratio = min(old) / min(young)
    print(
        f"a turn after {LONG:,} others: {min(old):.1f} CPU-ms, after {YOUNG}: {min(young):.1f}; "
        f"ratio {ratio:.2f}, goal {GOAL}"
    )
    assert ratio <= GOAL
