"""Ids sort by time and do not repeat."""

from infra import clock, ids


def test_uuid7_is_of_its_version_and_sorts_by_time() -> None:
    made = [ids.uuid7() for _ in range(10_000)]
    assert len(set(made)) == len(made)
    assert all(each.version == 7 and each.variant == "specified in RFC 4122" for each in made)
    millis = [each.int >> 80 for each in made]
    assert millis == sorted(millis)
    assert abs(millis[-1] / 1_000 - clock.now().timestamp()) < 60
    fractions = [each.int >> 64 for each in made]
    assert fractions == sorted(fractions)


def test_secrets_are_long_and_say_what_they_are() -> None:
    assert len(ids.nonce()) == 32
    assert ids.secret("token").startswith("kitty_token_")
    assert len(ids.secret("token")) == len("kitty_token_") + 43
    assert len({ids.correlation_id() for _ in range(1_000)}) == 1_000
    assert len(ids.correlation_id()) == 12
