"""What the console shows, without a browser: the pure parts."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from fakes.console import (
    BAY,
    DOOR,
    FARM,
    LIGHTS,
    OPERATOR,
    PRINTER,
    SAFETY,
    Approvals,
    House,
    device,
)

from assistant.channels.console import decisions, entries, tiles
from assistant.channels.console.cards import card_json, card_of
from assistant.channels.console.chat import suggestions
from assistant.channels.console.visit import quoted
from assistant.relying import relying_party
from assistant.turn import Finished, Said
from infra.store.credentials import KeyState, ListedKey
from safety.entities import DeviceKind, KeyId, KeyKind, OnlineState, RequestId
from tools.desk import DeviceView, ZoneView

NOW = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
REQUEST = RequestId(UUID(int=7))


def tile(view: DeviceView) -> dict[str, Any]:
    return tiles.tile_json(view, lambda _: NOW, NOW)


def offline(view: DeviceView, state: OnlineState = OnlineState.OFFLINE) -> DeviceView:
    return replace(view, device=replace(view.device, online_state=state))


def test_a_light_can_be_tapped_and_nothing_hazardous_can() -> None:
    assert tile(LIGHTS)["tap"]
    for view in (DOOR, PRINTER, device("Welder", DeviceKind.POWER, BAY, "enable_power", on=False)):
        assert not tile(view)["tap"]
        assert tile(view)["safe"] in {None, "Pause"}


def test_only_what_makes_safe_is_offered_and_only_if_the_device_knows_it() -> None:
    unlocked = replace(DOOR, state={"locked": False, "open": True})
    assert tile(unlocked)["safe"] == "Lock"
    assert tile(unlocked)["word"] == "Open, unlocked"
    assert tiles.safe_sentence(unlocked) == "Lock the Bay door"
    deaf = device("Old door", DeviceKind.DOOR, BAY, locked=False, open=False)
    assert tile(deaf)["safe"] is None


def test_an_offline_device_claims_nothing() -> None:
    shown = tile(offline(replace(LIGHTS, state={"on": True})))
    assert (shown["word"], shown["tone"], shown["on"]) == ("Offline", "offline", None)
    assert not shown["tap"]
    assert shown["since"] == "2026-03-02T09:12:00+00:00"


def test_a_fault_says_which() -> None:
    shown = tile(replace(offline(PRINTER, OnlineState.FAULT), fault="nozzle blocked"))
    assert (shown["word"], shown["tone"]) == ("Fault", "bad")
    assert shown["lines"] == ["nozzle blocked"]
    assert shown["progress"] is None


@pytest.mark.parametrize(
    ("state", "word"),
    [
        ({}, "Not known"),
        ({"temperature_c": 21.44, "smoke": False}, "21.4 °C, no smoke"),
        ({"temperature_c": True, "smoke": True}, "SMOKE"),
    ],
)
def test_sensors(state: dict[str, Any], word: str) -> None:
    assert tile(device("Sensor", DeviceKind.SENSOR, BAY, **state))["word"] == word


def test_odd_numbers_from_a_printer_do_no_harm() -> None:
    odd = replace(
        PRINTER, state={"status": "printing", "progress": 7, "eta_seconds": "x", "nozzle_c": None}
    )
    assert tile(odd)["progress"] == 1.0
    assert tile(odd)["ends_at"] is None


def test_a_camera_shows_its_newest_picture() -> None:
    camera = device("Camera", DeviceKind.CAMERA, BAY, recording=True)
    assert tile(camera)["picture"] == (
        f"/api/devices/{camera.device.id}/snapshot?at={int(NOW.timestamp() * 1000)}"
    )
    assert tiles.tile_json(camera, lambda _: None, NOW)["picture"] is None


def test_a_zone_shows_its_hazard_and_only_its_own() -> None:
    zone = tiles.zone_json(ZoneView(zone=FARM), [LIGHTS, PRINTER], lambda _: None, NOW)
    assert [each["name"] for each in zone["tiles"]] == ["Bamboo"]
    assert (zone["hazard"], zone["ppe"]) == ("medium", False)


def finished(**body: Any) -> Finished:
    empty = {"replies": [{"text": "Done."}], "calls": [], "pending_hazard": None, "question": None}
    return Finished(body=empty | {"artifacts": []} | body)


def test_an_answer_is_one_entry_from_first_word_to_last() -> None:
    entry = entries.working(REQUEST, NOW)
    assert entry["busy"]
    entry = entries.folded(entry, Said(text="One.\n\nTwo."))
    assert entry["lines"] == ["One.", "Two."]
    entry = entries.folded(entry, finished())
    assert (entry["lines"], entry["busy"]) == (["Done."], False)
    assert entry["id"] == entries.reply_id(REQUEST)


def test_every_outcome_has_a_word_and_an_icon() -> None:
    calls = [{"tool": "switch_light", "outcome": each} for each in entries.OUTCOMES]
    chips = entries.folded(entries.working(REQUEST, NOW), finished(calls=calls))["chips"]
    assert [chip["outcome"] for chip in chips] == list(entries.OUTCOMES)
    assert len({(chip["word"], chip["icon"]) for chip in chips}) == len(entries.OUTCOMES)
    assert {chip["label"] for chip in chips} == {"Switch light"}


def test_several_actions_are_counted_by_what_came_of_them() -> None:
    actions = [{"outcome": "done"}, {"outcome": "done"}, {"outcome": "failed"}]
    call = {"tool": "lock_all", "outcome": "failed", "actions": actions}
    chips = entries.folded(entries.working(REQUEST, NOW), finished(calls=[call]))["chips"]
    assert [(chip["outcome"], chip["label"]) for chip in chips] == [
        ("done", "Lock all × 2"),
        ("failed", "Lock all"),
    ]


@pytest.mark.parametrize(
    "url", ["https://evil.test/x.png", "//evil.test/x.png", "/\\evil.test", "x"]
)
def test_pictures_of_other_servers_are_not_shown(url: str) -> None:
    artifact = {"title": "x", "url": url, "media_type": "image/png"}
    entry = entries.folded(entries.working(REQUEST, NOW), finished(artifacts=[artifact]))
    assert (entry["pictures"], entry["links"]) == ([], [])


def test_a_question_to_the_requester_shows_buttons_and_no_card() -> None:
    pending = {"safety_event_id": str(UUID(int=9))}
    question = {"text": "Shall I?", "options": ["yes", "no"]}
    entry = entries.folded(
        entries.working(REQUEST, NOW), finished(pending_hazard=pending, question=question)
    )
    assert (entry["options"], entry["event"]) == (["yes", "no"], None)


def test_cards_say_who_may_deny() -> None:
    view = Approvals().wait("unlock the bay door", by=SAFETY)
    assert not card_json(view, OPERATOR, {})["may_deny"]
    assert card_json(view, OPERATOR, {"policy": {"roles": ["operator"]}})["may_deny"]
    mine = card_json(view, SAFETY, {})
    assert (mine["may_deny"], mine["mine"]) == (True, True)
    assert mine["command"] == f"kitt approve {view.event} --key FILE"
    assert card_json(replace(view, hazard="low"), SAFETY, {})["command"] is None


@pytest.mark.parametrize(
    ("status", "outcome", "word"),
    [
        ("denied", None, "Refused"),
        ("approved", "done", "Done"),
        ("approved", "unknown", "Not known"),
        ("approved", None, "Approved"),
    ],
)
def test_cards_never_say_more_than_is_known(status: str, outcome: str | None, word: str) -> None:
    view = replace(Approvals().wait("x"), status=status, outcome=outcome)
    card = card_json(view, OPERATOR, {})
    assert (card["word"], card["open"]) == (word, False)


def test_suggestions_fit_the_lab() -> None:
    assert suggestions([LIGHTS, DOOR, PRINTER])[0] == "Turn on the bay lights"
    cnc = device("CNC lights", DeviceKind.LIGHT, BAY, on=True)
    assert suggestions([cnc])[0] == "Turn off the CNC lights"
    assert suggestions([]) == ["What is waiting for approval?"]


def test_plots_leave_out_what_is_not_known_yet() -> None:
    row = {"at": NOW.isoformat(), "latency": None, "tier": "local", "outcome": "done"}
    later = {**row, "at": (NOW + timedelta(minutes=1)).isoformat(), "latency": 12}
    assert decisions.latency_plot([row, later])["series"][0]["data"] == [[later["at"], 12]]
    [bar] = decisions.outcome_plot([row, later])["series"]
    assert (bar["name"], bar["data"]) == ("done", [2])


def test_words_cannot_end_the_script_around_them() -> None:
    assert quoted('</script>"') == '"\\u003c/script>\\""'


def key(state: KeyState = KeyState.VALID, **more: Any) -> ListedKey:
    values: dict[str, Any] = {
        "id": KeyId("SHA256:x"),
        "user": SAFETY.id,
        "handle": SAFETY.handle,
        "display_name": SAFETY.display_name,
        "kind": KeyKind.WEBAUTHN,
        "algorithm": "ed25519",
        "label": "blue",
        "state": state,
        "created_at": NOW,
        "revoked_at": None,
        "last_used": None,
        "confirmed_by": None,
        "credential_id": b"credential",
        "rp_id": "localhost",
        "aaguid": None,
        "synced": False,
        "backed_up": False,
        "transports": ("usb",),
    }
    return ListedKey(**values | more)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ([], "You have no security key or passkey here yet"),
        ([key(KeyState.WAITS)], "waits until an admin"),
        ([key(KeyState.REVOKED)], "You have no security key or passkey here yet"),
        ([key(rp_id="elsewhere.example")], "You have no security key or passkey here yet"),
        ([key(kind=KeyKind.FILE, rp_id=None)], "You have no security key or passkey here yet"),
        ([key(synced=True)], "does not count for high hazards"),
        ([key()], None),
        ([key(), key(synced=True)], None),
    ],
)
async def test_what_is_missing_to_sign_here(keys: list[ListedKey], why: str | None) -> None:
    house = House()
    house.people.keys = keys
    view = house.approvals.wait("unlock the bay door")
    card = await card_of(house.services(), view.event, SAFETY)
    assert card is not None
    if why is None:
        assert card["sign"]["why"] is None
        assert len(card["sign"]["keys"]) == 1
        assert card["sign"]["rp_id"] == "localhost"
    else:
        assert why in card["sign"]["why"]
        assert card["sign"]["keys_page"]
        assert card["sign"]["keys"] == []


@pytest.mark.parametrize(
    ("url", "rp_id", "origin"),
    [
        ("http://localhost:8400", "localhost", "http://localhost:8400"),
        ("https://kitty.example", "kitty.example", "https://kitty.example"),
        ("https://kitty.example:443", "kitty.example", "https://kitty.example"),
        ("https://Kitty.Example:8443", "kitty.example", "https://kitty.example:8443"),
        ("http://kitty.example", None, None),
        ("http://127.0.0.1:8400", None, None),
        ("https://[::1]:8400", None, None),
    ],
)
def test_for_which_site_keys_sign(url: str, rp_id: str | None, origin: str | None) -> None:
    site = relying_party(url)
    assert (site and site.rp_id, site and site.origin) == (rp_id, origin)
