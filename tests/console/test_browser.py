"""The console in a real browser, over a scripted KITTY."""

from uuid import uuid4

import pytest
from fakes.browsing import Served, Visitor
from fakes.console import (
    BAY,
    LIGHTS,
    OPERATOR,
    PRINTER,
    SAFETY,
    Hold,
    House,
    decision,
    device,
)
from playwright.sync_api import expect

from assistant.turn import Asked, Routed, Said
from safety.entities import DeviceKind

pytestmark = pytest.mark.browser
HOSTILE = "<img src=x onerror=document.title='broken'><b>bold</b>"


def test_without_a_session_there_is_only_the_sign_in_page(visitor: Visitor) -> None:
    page = visitor.page()
    for path in ("/", "/approvals", "/routing", f"/approvals/{uuid4()}", "/nowhere"):
        page.goto(visitor.served.url + path)
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        assert "Bay lights" not in page.content()


def test_a_one_time_link_lets_in_once(visitor: Visitor, house: House) -> None:
    house.people.links["once"] = OPERATOR
    page = visitor.page()
    page.goto(f"{visitor.served.url}/sign-in?code=once")
    expect(page.locator("#k-input")).to_be_visible()
    [cookie] = [each for each in page.context.cookies() if each["name"] == "kitty_session"]
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Strict"
    other = visitor.page()
    other.goto(f"{visitor.served.url}/sign-in?code=once")
    expect(other.get_by_role("alert")).to_contain_text("used already")


def test_a_wrong_token_is_refused_and_not_shown_again(visitor: Visitor) -> None:
    page = visitor.page()
    page.goto(visitor.served.url)
    page.fill("#token", "not-a-token")
    page.click("button[type=submit]")
    expect(page.get_by_role("alert")).to_contain_text("not known")
    assert "not-a-token" not in page.content()


def test_signing_out_ends_the_session(visitor: Visitor, house: House) -> None:
    page = visitor.signed_in()
    page.click(".k-person summary")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert house.people.sessions == {}


def test_the_reply_streams(visitor: Visitor, house: House, served: Served) -> None:
    hold = Hold()
    house.core.scripts["status"] = (
        Routed(decision=decision("lab_status")),
        Said(text="First line."),
        hold,
        Said(text="Second line."),
    )
    page = visitor.signed_in()
    page.fill("#k-input", "status")
    page.keyboard.press("Enter")
    log = page.get_by_role("log")
    expect(log).to_contain_text("First line.")
    expect(log).not_to_contain_text("Second line.")
    served.on_loop(hold.opened.set)
    expect(log).to_contain_text("Second line.")
    assert [each.text for each in house.core.heard] == ["status"]


def test_progress_shows_what_is_being_done(visitor: Visitor, house: House, served: Served) -> None:
    hold = Hold()
    house.core.scripts["slow"] = (Routed(decision=decision("lights_on")), hold, Said(text="Done."))
    page = visitor.signed_in()
    page.fill("#k-input", "slow")
    page.keyboard.press("Enter")
    expect(page.locator(".k-busy")).to_have_text("Lights on…")
    served.on_loop(hold.opened.set)
    expect(page.locator(".k-busy")).to_have_count(0)


def test_an_option_is_said_when_it_is_pressed(visitor: Visitor, house: House) -> None:
    question = {"text": "Which one?", "options": ["The bay lights", "The bench lights"]}
    house.core.scripts["light"] = (Asked(text="Which one?", options=tuple(question["options"])),)
    house.core.bodies["light"] = {"question": question}
    page = visitor.signed_in()
    page.fill("#k-input", "light")
    page.keyboard.press("Enter")
    option = page.get_by_role("button", name="The bench lights")
    option.click()
    expect(page.get_by_role("log")).to_contain_text("I heard: The bench lights")
    expect(option).to_be_disabled()


def test_hostile_text_is_shown_as_text(visitor: Visitor, house: House) -> None:
    house.core.scripts["hostile"] = (Said(text=HOSTILE),)
    house.lab.put(device(HOSTILE, DeviceKind.LIGHT, BAY, "switch", on=True))
    house.approvals.wait(HOSTILE)
    page = visitor.signed_in()
    page.fill("#k-input", "hostile")
    page.keyboard.press("Enter")
    expect(page.get_by_role("log")).to_contain_text(HOSTILE)
    expect(page.locator(".k-board")).to_contain_text(HOSTILE)
    page.goto(f"{visitor.served.url}/approvals")
    expect(page.locator(".k-card h3").first).to_have_text(HOSTILE)
    assert "broken" not in page.title()


def test_scripts_that_others_wrote_do_not_run(visitor: Visitor) -> None:
    page = visitor.signed_in()
    ran = page.evaluate(
        """() => {
            const holder = document.createElement("div");
            holder.innerHTML = "<img src='data:,' onerror='window.ran = true'>";
            document.body.append(holder);
            const script = document.createElement("script");
            script.textContent = "window.ran = true";
            document.body.append(script);
            return new Promise((done) => setTimeout(() => done(window.ran === true), 200));
        }"""
    )
    assert ran is False


def test_the_board_follows_a_device(visitor: Visitor, house: House, served: Served) -> None:
    page = visitor.signed_in()
    tile = page.locator(f'[data-device="{LIGHTS.device.id}"]')
    expect(tile).to_have_attribute("aria-pressed", "false")
    house.lab.reads.clear()
    house.lab.change(LIGHTS, on=True)
    served.tell("device", id=str(LIGHTS.device.id))
    expect(tile).to_have_attribute("aria-pressed", "true")
    expect(tile).to_contain_text("On")
    assert house.lab.reads == [str(LIGHTS.device.id)]


def test_tapping_a_light_says_the_sentence(visitor: Visitor, house: House) -> None:
    page = visitor.signed_in()
    page.locator(f'[data-device="{LIGHTS.device.id}"]').click()
    expect(page.get_by_role("log")).to_contain_text("I heard: Turn on the Bay lights")
    page.get_by_role("button", name="Pause", exact=True).click()
    expect(page.get_by_role("log")).to_contain_text("I heard: Pause the print on Bamboo")
    assert {each.channel for each in house.core.heard} == {"web"}


def test_a_printer_shows_progress_heat_and_time_left(visitor: Visitor) -> None:
    page = visitor.signed_in()
    tile = page.locator(f'[data-device="{PRINTER.device.id}"]')
    expect(tile).to_contain_text("42 %")
    expect(tile).to_contain_text("Nozzle 215 of 215 °C, bed 60 of 60 °C")
    expect(tile).to_contain_text("min")


def test_zones_can_be_shown_alone(visitor: Visitor) -> None:
    page = visitor.signed_in()
    page.get_by_role("button", name="Print farm").click()
    expect(page.locator("[data-zone]")).to_have_count(1)
    expect(page.locator(".k-zone h2")).to_have_text("Print farm")


def test_two_hundred_devices_stay_live(visitor: Visitor, house: House) -> None:
    many = [device(f"Light {n:03}", DeviceKind.LIGHT, BAY, "switch", on=False) for n in range(200)]
    for view in many:
        house.lab.put(view)
    page = visitor.signed_in()
    house.lab.reads.clear()
    for view in many:
        house.lab.change(view, on=True)
        visitor.served.tell("device", id=str(view.device.id))
    expect(page.locator('.k-tile.light[aria-pressed="true"]')).to_have_count(200)
    assert house.lab.reads.count("all") <= 8
    took = page.evaluate(
        "() => new Promise((f) => { const t = performance.now(); requestAnimationFrame(() => f(performance.now() - t)); })"
    )
    assert took < 500


def test_the_countdown_counts(visitor: Visitor, house: House) -> None:
    house.approvals.wait("unlock the bay door", seconds=90)
    page = visitor.signed_in(path="/approvals")
    left = page.get_by_role("timer")
    expect(left).to_contain_text("1 min")
    before = left.inner_text()
    expect(left).not_to_have_text(before)
    card = page.locator(".k-card")
    for words in (
        "Operator Person",
        "nobody yet",
        "welding helmet",
        "High hazard",
        "Only people with the role engineer or safety may sign this.",
    ):
        expect(card).to_contain_text(words)
    expect(card.locator("code")).to_have_count(0)


def test_who_may_sign_and_has_no_key_learns_both_ways(visitor: Visitor, house: House) -> None:
    house.approvals.wait("unlock the bay door")
    page = visitor.signed_in("safety", path="/approvals")
    card = page.locator(".k-card")
    expect(card).to_contain_text("You have no security key or passkey here yet.")
    expect(card.locator("code")).to_contain_text("kitt approve ")
    card.get_by_role("link", name="Your keys").click()
    expect(page.get_by_text("You have no keys yet.")).to_be_visible()
    # The scripted server says it is somewhere else: keys sign for one address only.
    expect(page.get_by_text("Keys are added at")).to_be_visible()


def test_what_is_signed_is_shown_without_tricks(visitor: Visitor) -> None:
    page = visitor.signed_in()
    told = page.evaluate(
        """async () => {
            const { readSigned } = await import("/console/signed.js");
            const thing = { id: "1", external_id: "door", name: "Door\u202eneP\u200b", kind: "door" };
            const signed = {
                format: "kitty.safety_event/1", id: "7", device: thing, zone: { name: "Bay" },
                action: { kind: "OpenPod", intent: "open", arguments: { note: "<b>\\nline</b>", n: 3 } },
                requester: { name: "Olga", handle: "olga" }, hazard: "high", quorum: 2,
                policy: { roles: ["safety"] }, ppe: [], device_state: { locked: true },
                evidence: { gcode: "ab" }, tainted: true, expires_at: "2026-01-01T00:00:00+00:00",
            };
            const bytes = (value) => btoa(unescape(encodeURIComponent(JSON.stringify(value))));
            const read = (value, id) => readSigned({ canonical: bytes(value) }, id);
            const refused = [];
            for (const [value, id] of [[signed, "8"], [{ ...signed, extra: 1 }, "7"], [{ ...signed, format: "x" }, "7"]])
                await read(value, id).catch((error) => refused.push(error.message));
            const good = await read(signed, "7");
            return { ...good, digest: good.digest.length, refused };
        }"""
    )
    assert told["title"] == r"OpenPod on “Door\u{202e}neP\u{200b}”"
    rows = dict(told["rows"])
    assert rows["Values"] == [r"note = “<b>\u{a}line</b>”", "n = 3"]
    assert rows["Rests on"] == ["gcode = “ab”"]
    assert "Careful" in rows
    assert told["digest"] == 32
    assert len(told["refused"]) == 3


def test_a_request_that_runs_out_says_so(visitor: Visitor, house: House) -> None:
    view = house.approvals.wait("unlock the bay door", seconds=3)
    page = visitor.signed_in(path=f"/approvals/{view.event}")
    expect(page.locator(".k-card .k-state")).to_have_text("timer_offRan out")


def test_denying_takes_a_reason(visitor: Visitor, house: House, served: Served) -> None:
    view = house.approvals.wait("unlock the bay door")
    page = visitor.signed_in("safety", path="/approvals")
    expect(page.locator(".k-top .k-badge")).to_have_text("1")
    page.get_by_role("button", name="Deny").first.click()
    page.locator("dialog[open] textarea").fill("Nobody is in the bay")
    page.locator("dialog[open] button[type=submit]").click()
    expect(page.locator(".k-recent")).to_contain_text("Nobody is in the bay")
    assert [(each[0], each[2]) for each in house.approvals.denied] == [
        (view.event, "Nobody is in the bay")
    ]
    served.tell("approval", id=str(view.event))
    expect(page.locator(".k-top .k-badge")).to_be_hidden()


def test_who_may_not_deny_sees_no_button(visitor: Visitor, house: House) -> None:
    house.approvals.wait("unlock the bay door", by=SAFETY)
    page = visitor.signed_in("operator", path="/approvals")
    expect(page.locator(".k-card")).to_be_visible()
    expect(page.get_by_role("button", name="Deny")).to_have_count(0)


def test_an_unknown_request_has_a_clear_page(visitor: Visitor) -> None:
    page = visitor.signed_in()
    for wrong in (uuid4(), "nonsense"):
        answer = page.goto(f"{visitor.served.url}/approvals/{wrong}")
        assert answer is not None
        assert answer.status == 404
        expect(page.get_by_role("heading", name="No such request")).to_be_visible()


def test_a_waiting_request_is_in_the_conversation_and_ends_there(
    visitor: Visitor, house: House, served: Served
) -> None:
    view = house.approvals.wait("unlock the bay door")
    house.core.bodies["unlock"] = {"pending_hazard": {"safety_event_id": str(view.event)}}
    page = visitor.signed_in()
    page.fill("#k-input", "unlock")
    page.keyboard.press("Enter")
    card = page.locator(f'[data-event="{view.event}"]')
    expect(card.get_by_role("timer")).to_be_visible()
    conversation = house.core.heard[0].conversation
    house.conversations.add(
        conversation,
        "assistant",
        "The bay door is unlocked for 10 seconds.",
        view.created_at,
        event_id=str(view.event),
        outcome="done",
    )
    served.tell(f"conversation/{conversation}", id="x")
    expect(page.get_by_role("log")).to_contain_text("The bay door is unlocked for 10 seconds.")
    expect(page.locator(".k-chip.done")).to_contain_text("Done")


def test_history_and_other_conversations(visitor: Visitor, house: House) -> None:
    now = house.services().now()
    mine, other = uuid4(), uuid4()
    house.conversations.add(mine, "user", "an old question", now)
    house.conversations.add(mine, "assistant", "an old answer", now)
    house.conversations.add(other, "user", "somebody else's words", now)
    house.conversations.owners[other] = uuid4()
    page = visitor.signed_in()
    expect(page.get_by_role("log")).to_contain_text("an old answer")
    page.fill("#k-input", "")
    page.keyboard.press("ArrowUp")
    expect(page.locator("#k-input")).to_have_value("an old question")
    page.goto(f"{visitor.served.url}/?c={other}")
    expect(page.locator(".k-empty")).to_be_visible()
    assert "somebody else" not in page.content()
    page.click(".k-talks summary")
    page.get_by_role("link", name="an old question").click()
    expect(page.get_by_role("log")).to_contain_text("an old answer")


def test_too_long_is_not_sent(visitor: Visitor, house: House) -> None:
    page = visitor.signed_in()
    page.fill("#k-input", "x" * 4_001)
    expect(page.locator("#k-count")).to_contain_text("4,001 of 4,000")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Send")).to_be_disabled()
    assert house.core.heard == []


def test_stop_is_on_every_page_and_works_without_the_socket(visitor: Visitor, house: House) -> None:
    page = visitor.signed_in()
    stop = page.get_by_role("button", name="Stop everything")
    stop.click()
    expect(page.get_by_role("log")).to_contain_text("I heard: stop everything")
    page.goto(f"{visitor.served.url}/routing")
    page.wait_for_selector("body[data-connected=true]")
    page.evaluate("window.socket.disconnect()")
    expect(page.locator("#k-connection")).to_have_text("Reconnecting…")
    stop.click()
    toast = page.locator(".k-toast").filter(has_text="I heard: stop everything")
    expect(toast).to_be_visible()
    assert [each.text for each in house.core.heard] == ["stop everything"] * 2


def test_a_socket_without_the_session_gets_nothing(visitor: Visitor, house: House) -> None:
    page = visitor.signed_in()
    house.people.sessions.clear()
    page.evaluate("window.socket.disconnect(); window.socket.connect()")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_the_routing_table_sorts_and_filters(visitor: Visitor, house: House) -> None:
    for latency, outcome in ((30, "done"), (5, "refused"), (200, "done")):
        house.routing.add(latency, outcome)
    page = visitor.signed_in(path="/routing")
    cells = page.locator(".k-table tbody td:nth-child(5)")
    expect(cells).to_have_text(["30 ms", "5 ms", "200 ms"])
    page.get_by_role("columnheader", name="Latency").click()
    expect(cells).to_have_text(["5 ms", "30 ms", "200 ms"])
    page.locator(".k-select").nth(1).click()
    page.get_by_role("option", name="refused").click()
    expect(cells).to_have_text(["5 ms"])
    expect(page.locator(".k-plot canvas").first).to_be_visible()


@pytest.mark.parametrize("dark", [False, True])
def test_a_phone_shows_everything_without_scrolling_sideways(
    visitor: Visitor, house: House, dark: bool
) -> None:
    house.approvals.wait("unlock the bay door " + "x" * 60)
    house.routing.add(12, "done")
    page = visitor.signed_in(width=375, height=812, dark=dark)
    expect(page.locator("#k-input")).to_be_visible()
    expect(page.locator(".k-board")).to_be_hidden()
    page.locator(".k-bottom").get_by_role("link", name="Board").click()
    expect(page.locator(".k-board")).to_be_visible()
    for path in ("/#chat", "/#board", "/approvals", "/routing"):
        page.goto(visitor.served.url + path)
        page.wait_for_selector("body[data-connected=true]")
        wide = page.evaluate(
            "Math.max(document.documentElement.scrollWidth, document.body.scrollWidth)"
        )
        assert wide <= 375, path
        for name in ("Stop everything",):
            box = page.get_by_role("button", name=name).bounding_box()
            assert box is not None
            assert box["height"] >= 44
            assert box["x"] + box["width"] <= 375


def test_the_theme_is_remembered(visitor: Visitor) -> None:
    page = visitor.signed_in()
    for _ in range(2):
        page.click("#k-theme")
    expect(page.locator("body.body--dark")).to_have_count(1)
    page.reload()
    expect(page.locator("body.body--dark")).to_have_count(1)
    expect(page.locator("#k-theme")).to_have_attribute("aria-label", "Theme: dark")
