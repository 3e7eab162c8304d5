"""Two people add keys in a real browser, and with them the door opens: `kitt demo`, whole."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes.house import DOOR, Demo, quick_folder
from fakes.processes import until
from fakes.signers import SignerPage
from playwright.sync_api import Browser, expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    with quick_folder() as home:
        running = Demo(home, speed=10)
        running.start()
        yield running
        running.close()


@pytest.fixture(scope="module")
def people(demo: Demo, chromium: Browser) -> Iterator[dict[str, SignerPage]]:
    """Sign everybody in, each at a machine of their own; engineer and safety with keys."""
    pages = {
        "operator": SignerPage(chromium, demo, "operator", key=None),
        "engineer": SignerPage(chromium, demo, "engineer", key="usb"),
        "safety": SignerPage(chromium, demo, "safety", key="internal", width=390, height=844),
        "admin": SignerPage(chromium, demo, "admin", key=None),
    }
    yield pages
    for each in pages.values():
        each.close()


def picture(person: SignerPage, name: str) -> None:
    """Keep a picture of what somebody sees, if asked for."""
    folder = os.environ.get("KITTY_TEST_PICTURES")
    if folder:
        person.page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def test_two_people_open_the_door_with_keys_of_their_own(
    demo: Demo, people: dict[str, SignerPage]
) -> None:
    for handle in ("engineer", "safety"):
        person = people[handle]
        person.add_key(f"{handle}'s key")
        expect(person.page.get_by_text("Waits for an admin")).to_be_visible()
        picture(person, f"keys-{handle}-waits")
    admin = people["admin"].open("/keys")
    for handle in ("engineer", "safety"):
        card = admin.locator(".k-key").filter(has_text=f"{handle}'s key")
        card.get_by_role("button", name="Confirm").click()
        admin.locator("dialog[open]").get_by_role("button", name="Confirm").click()
        expect(card).to_contain_text("Valid")
    picture(people["admin"], "keys-admin")
    expect(
        people["engineer"].page.locator(".k-key").filter(has_text="engineer's key")
    ).to_contain_text("confirmed by")
    # The devices believe their trust file, which people bring to them.
    trust = demo.client("admin").get("/api/safety/trust").content
    (demo.home / "trust.json").write_bytes(trust)

    before = demo.carried_out(DOOR)
    asker = people["operator"].open("/?c=new")
    asker.fill("#k-input", "unlock the welding bay door")
    asker.keyboard.press("Enter")
    card = asker.locator("[data-event]")
    expect(card.get_by_role("timer")).to_be_visible()
    event = card.get_attribute("data-event")
    people["operator"].open(f"/approvals/{event}")
    expect(people["operator"].page.get_by_text("Only people with the role")).to_be_visible()
    people["operator"].open("/")

    first = people["engineer"].open(f"/approvals/{event}")
    first.get_by_role("button", name="Sign with your key").click()
    reading = first.locator("dialog[open]")
    for words in (
        "Unlock “Welding bay door” for",
        "seconds",
        "high: 2 people sign",
        "locked = true",
    ):
        expect(reading).to_contain_text(words)
    picture(people["engineer"], "reading")
    reading.get_by_role("button", name="Sign", exact=True).click()
    expect(first.locator(".k-signing")).to_contain_text("You have signed")
    expect(first.locator(".k-card dl")).to_contain_text("Engineer")
    picture(people["engineer"], "signed-once")
    assert demo.carried_out(DOOR) == before

    second = people["safety"].open(f"/approvals/{event}")
    picture(people["safety"], "phone-card")
    assert second.evaluate("document.documentElement.scrollWidth <= innerWidth")
    second.get_by_role("button", name="Sign with your key").click()
    picture(people["safety"], "phone-reading")
    second.locator("dialog[open]").get_by_role("button", name="Sign", exact=True).click()
    expect(second.locator(".k-card > header .k-state")).to_contain_text("Done")
    picture(people["safety"], "phone-done")

    until(lambda: len(demo.carried_out(DOOR)) == len(before) + 1, "the door opened once")
    expect(people["operator"].page.get_by_role("log")).to_contain_text("is unlocked")
    log = demo.rows(
        "select verdict, detail ->> 'kind' as kind from gate_log where event_id = %s order by seq",
        event,
    )
    verdicts = [row["verdict"] for row in log]
    assert verdicts == ["waits", "signed", "signed", "approved", "claimed", "done"]
    assert [row["kind"] for row in log if row["verdict"] == "signed"] == ["webauthn"] * 2
    (counts,) = demo.rows(
        "select count(*) as keys, min(sign_count) as least from public_keys where kind = 'webauthn'"
    )
    assert counts["keys"] == 2
    assert counts["least"] >= 1


def test_what_the_browser_made_is_refused_for_another_request_and_a_second_time(
    demo: Demo, people: dict[str, SignerPage]
) -> None:
    first = demo.said("unlock the welding bay door")["pending_hazard"]["safety_event_id"]
    person = people["engineer"]
    with person.captured() as sent:
        person.sign(first)
    other = demo.said("unlock the laser room door")["pending_hazard"]["safety_event_id"]
    client = demo.client("engineer")
    elsewhere = client.post(f"/api/safety/events/{other}/approve", json=sent[0])
    assert (elsewhere.status_code, elsewhere.json()["code"]) == (403, "wrong_challenge")
    again = client.post(f"/api/safety/events/{first}/approve", json=sent[0])
    assert again.json()["code"] == "counter_went_back"
    for event in (first, other):
        assert demo.client("operator").post(f"/api/safety/events/{event}/deny", json={}).is_success


def test_a_key_that_does_not_know_its_person_signs_nothing(
    demo: Demo, people: dict[str, SignerPage]
) -> None:
    event = demo.said("unlock the welding bay door")["pending_hazard"]["safety_event_id"]
    person = people["engineer"]
    person.know_person(False)
    page = person.open(f"/approvals/{event}")
    page.get_by_role("button", name="Sign with your key").click()
    page.locator("dialog[open]").get_by_role("button", name="Sign", exact=True).click()
    expect(page.locator("dialog[open] .k-problem")).to_contain_text("Nothing was signed")
    person.know_person(True)
    signed = demo.rows("select 1 from safety_signatures where event_id = %s", event)
    assert signed == []
    assert demo.client("operator").post(f"/api/safety/events/{event}/deny", json={}).is_success


def test_a_revoked_key_has_no_button_and_counts_no_more(
    demo: Demo, people: dict[str, SignerPage]
) -> None:
    person = people["safety"]
    page = person.open("/keys")
    card = page.locator(".k-key").filter(has_text="safety's key")
    card.get_by_role("button", name="Rename").click()
    page.locator("dialog[open] input").fill("phone")
    page.locator("dialog[open]").get_by_role("button", name="Rename").click()
    renamed = page.locator(".k-key").filter(has_text="phone")
    renamed.get_by_role("button", name="Revoke").click()
    page.locator("dialog[open]").get_by_role("button", name="Revoke").click()
    expect(renamed).to_contain_text("Revoked")
    event = demo.said("unlock the welding bay door")["pending_hazard"]["safety_event_id"]
    page = person.open(f"/approvals/{event}")
    expect(page.locator(".k-signing")).to_contain_text("You have no security key or passkey")
    expect(page.get_by_role("button", name="Sign with your key")).to_have_count(0)
    assert demo.client("operator").post(f"/api/safety/events/{event}/deny", json={}).is_success
