"""Keys and browser signatures over HTTP: who may do what, and from which page."""

import pytest
from fakes.authenticator import Authenticator

from assistant.access import COOKIE
from infra import clock
from safety.credentials import ALGORITHMS
from safety.webauthn import base64url, from_base64url

pytestmark = pytest.mark.anyio
EVENTS = "/api/safety/events"
WEB = "/api/webauthn"


def device_of(door, **more):
    port = door.url.rpartition(":")[2]
    return Authenticator(origin=f"http://localhost:{port}", **more)


async def register(door, person, device, *, client=None, headers=None, **changed):
    """Add a key; return the answer."""
    client = client or door.of(person)
    begun = await client.post(f"{WEB}/registration", headers=headers)
    assert begun.status_code == 200, begun.text
    data, told = device.made(from_base64url(begun.json()["challenge"]))
    body = {
        "label": "blue key",
        "authenticator_data": base64url(data),
        "client_data_json": base64url(told),
        "transports": ["usb"],
    } | changed
    return await client.post(f"{WEB}/keys", json=body, headers=headers)


async def confirmed(door, person, **more):
    device = device_of(door, **more)
    key = (await register(door, person, device)).json()
    answer = await door.of("anna").post(f"{WEB}/keys/confirm", json={"key_id": key["id"]})
    assert answer.json()["state"] == "valid", answer.text
    return device


async def ask(door):
    asked = await door.say("unlock the bay door")
    return asked.json()["pending_hazard"]["safety_event_id"]


async def approval(door, event, device, **changed):
    shown = (await door.of("emil").get(f"{EVENTS}/{event}")).json()
    made = device.assertion(bytes.fromhex(shown["digest"]), **changed)
    return {
        "key_id": device.ring.id,
        "webauthn": {
            "credential_id": base64url(device.credential_id),
            "authenticator_data": base64url(made.authenticator_data),
            "client_data_json": base64url(made.client_data),
            "signature": base64url(made.signature),
        },
    }


async def cookie(door, person, **more):
    user = await door.app.services.people.by_handle(person)
    return await door.app.services.people.open_session(user.id, clock.now(), **more)


def from_page(door, session, **changed):
    """Return the headers of a script on our own page."""
    headers = {"origin": door.url, "sec-fetch-site": "same-origin"} | changed
    return headers | {"cookie": f"{COOKIE}={session}"}


async def test_what_the_browser_is_asked_for(door):
    told = (await door.of("emil").post(f"{WEB}/registration")).json()
    assert told["rp"] == {"id": "localhost", "name": "KITTY"}
    assert told["attestation"] == "none"
    assert told["authenticatorSelection"]["userVerification"] == "required"
    assert [each["alg"] for each in told["pubKeyCredParams"]] == list(ALGORITHMS) == [-8, -7]
    assert len(from_base64url(told["challenge"])) == 32
    device = await confirmed(door, "emil")
    again = (await door.of("emil").post(f"{WEB}/registration")).json()
    assert base64url(device.credential_id) in [each["id"] for each in again["excludeCredentials"]]


async def test_two_browser_keys_open_the_door(door):
    emil, sara = await confirmed(door, "emil"), await confirmed(door, "sara", algorithm="p256")
    event = await ask(door)
    first = await door.of("emil").post(
        f"{EVENTS}/{event}/approve", json=await approval(door, event, emil)
    )
    assert (first.status_code, first.json()["outcome"]) == (202, "pending")
    second = await door.of("sara").post(
        f"{EVENTS}/{event}/approve", json=await approval(door, event, sara)
    )
    assert (second.status_code, second.json()["outcome"]) == (200, "done")


@pytest.mark.parametrize(
    ("code", "changed"),
    [
        ("wrong_origin", {"origin": "http://localhost:1"}),
        ("user_not_verified", {"flags": 1}),
        ("user_not_present", {"flags": 4}),
        ("wrong_relying_party", {"rp_id": "other"}),
        ("wrong_type", {"type": "webauthn.create"}),
        ("wrong_challenge", {"challenge": "AAAA"}),
        ("bad_assertion", {"client_data": b"{"}),
    ],
)
async def test_what_is_wrong_is_said(door, code, changed):
    device = await confirmed(door, "emil")
    event = await ask(door)
    answer = await door.of("emil").post(
        f"{EVENTS}/{event}/approve", json=await approval(door, event, device, **changed)
    )
    assert (answer.status_code, answer.json()["code"]) == (403, code)


async def test_bad_bodies_are_refused(door):
    device, other = await confirmed(door, "emil"), await confirmed(door, "emil")
    event = await ask(door)
    good = await approval(door, event, device)
    path = f"{EVENTS}/{event}/approve"
    renamed = good["webauthn"] | {"credential_id": base64url(other.credential_id)}
    cases = [
        (422, "bad_request", {"key_id": device.ring.id}),
        (422, "bad_request", good | {"signature": "AAAA"}),
        (422, "bad_request", good | {"webauthn": good["webauthn"] | {"signature": "a+b/"}}),
        (422, "bad_signature", good | {"webauthn": good["webauthn"] | {"signature": "A"}}),
        (422, "bad_request", good | {"webauthn": {}}),
        (403, "wrong_credential", good | {"webauthn": renamed}),
    ]
    for status, code, body in cases:
        answer = await door.of("emil").post(path, json=body)
        assert (answer.status_code, answer.json()["code"]) == (status, code), body
    wrong = await register(door, "emil", device_of(door), client_data_json="AAAA")
    assert (wrong.status_code, wrong.json()["code"]) == (422, "bad_assertion")
    replayed = device_of(door)
    data, told = replayed.made(bytes(32))
    body = {
        "label": "x",
        "authenticator_data": base64url(data),
        "client_data_json": base64url(told),
    }
    answer = await door.of("emil").post(f"{WEB}/keys", json=body)
    assert (answer.status_code, answer.json()["code"]) == (409, "challenge_over")


async def test_a_cookie_signs_from_our_own_page_alone(door):
    device = await confirmed(door, "emil")
    event = await ask(door)
    session = await cookie(door, "emil")
    path = f"{EVENTS}/{event}/approve"
    elsewhere = [
        {"origin": "http://localhost:1"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "cross-site"},
    ]
    for changed in elsewhere:
        answer = await door.of(None).post(
            path,
            json=await approval(door, event, device),
            headers=from_page(door, session, **changed),
        )
        assert answer.status_code == 401, changed
    silent = {"cookie": f"{COOKIE}={session}"}
    body = await approval(door, event, device)
    assert (await door.of(None).post(path, json=body, headers=silent)).status_code == 401
    own = await door.of(None).post(path, json=body, headers=from_page(door, session))
    assert own.status_code == 202
    # Everything else still takes a token, from whatever page.
    for other in (f"{EVENTS}/{event}/deny", "/api/query", "/api/users"):
        answer = await door.of(None).post(other, json={}, headers=from_page(door, session))
        assert answer.status_code == 401, other


async def test_only_admins_confirm_and_see_everybody(door):
    device = device_of(door)
    key = (await register(door, "emil", device)).json()
    assert key["state"] == "waits"
    confirm = {"key_id": key["id"]}
    assert (await door.of("emil").post(f"{WEB}/keys/confirm", json=confirm)).status_code == 403
    assert (await door.of("emil").get(f"{WEB}/keys?everybody=true")).status_code == 403
    assert (await door.of("sara").post(f"{WEB}/keys/revoke", json=confirm)).status_code == 403
    rename = confirm | {"label": "mine"}
    assert (await door.of("sara").post(f"{WEB}/keys/rename", json=rename)).status_code == 403
    renamed = await door.of("emil").post(f"{WEB}/keys/rename", json=rename)
    assert renamed.json()["label"] == "mine"
    shown = (await door.of("anna").get(f"{WEB}/keys?everybody=true")).json()["items"]
    assert key["id"] in [each["id"] for each in shown]
    revoked = await door.of("emil").post(f"{WEB}/keys/revoke", json=confirm)
    assert revoked.json()["state"] == "refused"


async def test_a_one_time_link_is_an_admins_to_make_and_lets_a_first_key_count(door):
    user = await door.id_of("users", "handle", "anna")
    path = f"/api/users/{user}/enrolment-link"
    assert (await door.of("emil").post(path)).status_code == 403
    made = (await door.of("anna").post(path)).json()
    entered = await door.of(None).get(made["url"].removeprefix(door.app.services.public_url))
    assert (entered.status_code, entered.headers["location"]) == (303, "/keys")
    session = entered.headers["set-cookie"].partition("=")[2].partition(";")[0]
    key = await register(
        door, None, device_of(door), client=door.of(None), headers=from_page(door, session)
    )
    assert (key.status_code, key.json()["state"]) == (201, "valid")


async def test_devices_learn_for_which_host_a_key_signs(door):
    device = await confirmed(door, "emil")
    trust = (await door.of("anna").get("/api/safety/trust")).json()
    known = {each["keyid"]: each.get("rp_id") for each in trust["keys"]}
    assert known[device.ring.id] == "localhost"
    assert known[door.keys["emil"].id] is None
