"""How often one person may ask."""

import pytest
from fakes.envelopes import envelope

pytestmark = pytest.mark.anyio
LIMIT = 20


@pytest.fixture(scope="module")
def environment():
    return {"KITTY_REQUESTS_PER_MINUTE": str(LIMIT), "KITTY_MAX_TEXT_CHARS": "50"}


async def test_too_many_requests_are_told_when_to_come_back(door):
    answers = [await door.of("olga").get("/api/me") for _ in range(LIMIT + 5)]
    assert [each.status_code for each in answers] == [200] * LIMIT + [429] * 5
    body = envelope(answers[-1], 429, "too_many_requests")
    assert body["retryable"] is True
    assert 1 <= body["retry_after_seconds"] <= 61
    assert answers[-1].headers["retry-after"] == str(body["retry_after_seconds"])
    before = await door.count("conversation_requests")
    envelope(await door.say("turn on the floor light"), 429, "too_many_requests")
    assert await door.count("conversation_requests") == before


async def test_others_and_health_are_not_held_up(door):
    assert (await door.of("emil").get("/api/me")).status_code == 200
    for _ in range(LIMIT + 5):
        assert (await door.of(None).get("/healthz")).status_code == 200


async def test_a_shorter_text_limit_counts(door):
    envelope(await door.say("x" * 51, "sara"), 422, "text_too_long")
    assert (await door.say("is the floor light on?", "sara")).status_code == 200
