"""Who is seen where."""

import json
from datetime import UTC, datetime

from infra.demo.badges import Badges, rounds
from infra.demo.plan import Person, Zone

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
PEOPLE = [
    Person(handle="olga", roles=frozenset({"operator"})),
    Person(handle="emil", roles=frozenset({"engineer", "operator"})),
    Person(handle="ada", roles=frozenset({"admin"})),
]
ZONES = [
    Zone(slug="bay", name="Bay", required_roles=frozenset({"engineer", "safety"})),
    Zone(slug="store", name="Store", required_roles=frozenset({"operator"})),
]


class Tape:
    def __init__(self) -> None:
        self.said: list[tuple[str, str]] = []

    def publish(self, topic, payload, *, retain=False, wait=False, on_sent=None) -> None:
        message = json.loads(payload)
        assert topic == "kitty/presence/bay"
        assert not retain
        assert message["source"] == "unifi"
        assert datetime.fromisoformat(message["observed_at"]) == NOW
        self.said.append((message["user"], message["status"]))


def test_operators_go_everywhere_and_others_where_their_role_is_asked_for() -> None:
    assert rounds(PEOPLE, ZONES) == {"bay": {"olga", "emil"}, "store": {"olga"}}


def test_somebody_who_leaves_is_seen_no_more_until_they_come_back() -> None:
    badges, tape = Badges(people=rounds(PEOPLE, ZONES), now=lambda: NOW), Tape()
    badges.attach("bay", tape)
    badges.walk("bay")
    badges.on_order({"user": "emil", "zone": "bay", "status": "vacated"})
    badges.walk("bay")
    badges.on_order({"user": "ada", "zone": "bay", "status": "present"})
    badges.walk("bay")
    assert tape.said == [
        *(("emil", "present"), ("olga", "present")),
        *(("emil", "vacated"), ("olga", "present")),
        *(("ada", "present"), ("ada", "present"), ("olga", "present")),
    ]


def test_orders_that_make_no_sense_are_ignored() -> None:
    badges, tape = Badges(people=rounds(PEOPLE, ZONES), now=lambda: NOW), Tape()
    badges.attach("bay", tape)
    for order in (
        {"user": "emil", "zone": "moon", "status": "present"},
        {"user": 5, "zone": "bay", "status": "present"},
        {"user": "emil", "zone": "bay", "status": "asleep"},
        {"zone": ["bay"]},
    ):
        badges.on_order(order)
    assert tape.said == []
