"""What a conversation is about lies at the broker, retained, without anybody's words."""

import json

import pytest

pytestmark = pytest.mark.anyio


async def test_the_context_is_retained_and_holds_no_words(door):
    answer = (await door.say("please turn on the floor light, my dear")).json()
    conversation = answer["conversation_id"]
    topic = f"kitty/ctx/{conversation}"
    seen = []

    async def keep(message):
        seen.append(message)

    # Asked for only now: what comes was kept by the broker, or comes a moment later.
    door.app.places.bus.subscribe(topic, keep)
    await door.until(lambda: seen)
    again = []

    async def keep_again(message):
        again.append(message)

    door.app.places.bus.subscribe(f"kitty/ctx/{conversation}/#", keep_again)
    await door.until(lambda: again)
    body = json.loads(again[-1].payload)
    assert body["conversation_id"] == conversation
    assert body["request_id"] == answer["request_id"]
    assert body["channel"] == "rest"
    assert [call["tool"] for call in body["state"]["last_calls"]] == ["switch_light"]
    assert "my dear" not in again[-1].payload.decode()
