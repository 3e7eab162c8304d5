"""The routing log, people, keys and tokens, health and metrics."""

import base64
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from fakes.envelopes import envelope
from fakes.world import Keyring

pytestmark = pytest.mark.anyio
LOGS = "/api/routing/logs"


async def pages(client, **query):
    found, sizes, cursor = [], [], None
    while cursor is not None or not sizes:
        asked = query | ({"cursor": cursor} if cursor else {})
        page = (await client.get(LOGS, params=asked)).json()
        found, cursor = found + page["items"], page["next_cursor"]
        sizes.append(len(page["items"]))
    return found, sizes


async def test_the_routing_log_over_250_rows(door):
    await door.sql(
        """insert into routing_decisions (id, request_id, input_hash, selected_tier, confidence,
               cost_estimate, latency_ms, performed_by, created_at, completed_at, features_hash,
               threshold_version, model, rule, channel, outcome)
           select gen_random_uuid(), gen_random_uuid(), repeat('a', 64),
               (case when mod(n, 5) = 0 then 'mcp' else 'local' end)::routing_tier, 0.9, 0, 5, u.id,
               now() - make_interval(mins => n / 2), now(), repeat('b', 64), '1', 'test', 'r', 'rest',
               case when mod(n, 2) = 0 then 'done' else 'refused' end
           from generate_series(1, 250) n, users u where u.handle = 'olga'"""
    )
    client = door.of("olga")
    every, sizes = await pages(client, limit=100)
    assert sizes[:2] == [100, 100]
    assert (
        len({each["id"] for each in every}) == len(every) == await door.count("routing_decisions")
    )
    assert every == sorted(every, key=lambda e: (e["created_at"], e["id"]), reverse=True)
    for name, value in (("selected_tier", "mcp"), ("outcome", "refused")):
        some, _ = await pages(client, limit=30, **{name: value})
        assert [each["id"] for each in some] == [e["id"] for e in every if e[name] == value]
    since = datetime.now(UTC) - timedelta(minutes=10, seconds=30)
    some, _ = await pages(client, limit=500, since=since.isoformat())
    assert [e["id"] for e in some] == [
        e["id"] for e in every if datetime.fromisoformat(e["created_at"]) >= since
    ]
    talk = (await door.say("hello")).json()
    some, _ = await pages(client, conversation_id=talk["conversation_id"])
    assert [each["request_id"] for each in some] == [talk["request_id"]]
    assert some[0]["cost_estimate"] == 0
    assert len((await client.get(LOGS)).json()["items"]) == 100


async def test_who_i_am(door):
    me = (await door.of("emil").get("/api/me")).json()
    assert (me["handle"], me["roles"]) == ("emil", ["engineer", "operator"])


async def test_an_admin_looks_after_people(door):
    anna = door.of("anna")
    new = {"handle": "nora", "display_name": "Nora", "roles": ["operator"]}
    made = await anna.post("/api/users", json=new)
    assert made.status_code == 201
    nora = made.json()["id"]
    envelope(await anna.post("/api/users", json=new), 400, "handle_taken")
    listed = (await anna.get("/api/users")).json()["items"]
    assert {"nora", "olga", "anna"} <= {each["handle"] for each in listed}
    token = await anna.post(f"/api/users/{nora}/tokens", json={"label": "phone"})
    assert token.status_code == 201
    door.tokens["nora"] = token.json()["token"]
    assert (await door.of("nora").get("/api/me")).json()["handle"] == "nora"
    shown = (await anna.get(f"/api/users/{nora}/tokens")).json()["items"]
    assert [each["id"] for each in shown] == [token.json()["id"]]
    assert "token" not in shown[0]
    changed = await anna.patch(f"/api/users/{nora}", json={"roles": ["engineer", "engineer"]})
    assert changed.json()["roles"] == ["engineer"]
    revoked = await anna.delete(f"/api/tokens/{token.json()['id']}")
    assert revoked.json() == {"revoked": True}
    envelope(await door.of("nora").get("/api/me"), 401, "not_signed_in")
    assert (await anna.delete(f"/api/tokens/{token.json()['id']}")).json() == {"revoked": False}
    disabled = await anna.patch(f"/api/users/{nora}", json={"disabled": True})
    assert disabled.status_code == 200
    envelope(await anna.post(f"/api/users/{nora}/tokens", json={"label": "x"}), 400, "unknown_user")


async def test_keys_are_enrolled_and_revoked(door):
    anna, ring = door.of("anna"), Keyring()
    olga = await door.id_of("users", "handle", "olga")
    body = {"label": "new key", "spki": base64.b64encode(ring.spki).decode()}
    made = await anna.post(f"/api/users/{olga}/keys", json=body)
    assert (made.status_code, made.json()["id"]) == (201, ring.id)
    assert (await anna.post(f"/api/users/{olga}/keys", json=body)).status_code == 201
    mine = (await door.of("olga").get(f"/api/users/{olga}/keys")).json()["items"]
    assert ring.id in {each["id"] for each in mine}
    assert (await anna.delete(f"/api/keys/{ring.id}")).json() == {"revoked": True}
    envelope(await anna.post(f"/api/users/{olga}/keys", json=body), 400, "key_revoked")
    for bad in (
        "nonsense",
        base64.b64encode(b"x" * 40).decode(),
        "-----BEGIN PRIVATE KEY-----\nAAAA",
    ):
        answer = await anna.post(f"/api/users/{olga}/keys", json={"label": "k", "spki": bad})
        envelope(answer, 400, answer.json()["code"])


async def test_the_last_admin_stays(door):
    anna = await door.id_of("users", "handle", "anna")
    for change in ({"roles": ["operator"]}, {"disabled": True}):
        envelope(await door.of("anna").patch(f"/api/users/{anna}", json=change), 400, "last_admin")
    envelope(await door.of("anna").patch(f"/api/users/{anna}", json={}), 422, "nothing_to_change")
    envelope(
        await door.of("anna").patch(f"/api/users/{uuid4()}", json={"disabled": True}),
        400,
        "unknown_user",
    )


@pytest.mark.parametrize("person", ["olga", "emil", "sara"])
async def test_only_admins_look_after_people(door, person):
    client, anna = door.of(person), await door.id_of("users", "handle", "anna")
    answers = [
        await client.get("/api/users"),
        await client.post(
            "/api/users", json={"handle": "x", "display_name": "X", "roles": ["admin"]}
        ),
        await client.patch(f"/api/users/{anna}", json={"disabled": True}),
        await client.get(f"/api/users/{anna}/keys"),
        await client.get(f"/api/users/{anna}/tokens"),
        await client.post(f"/api/users/{anna}/keys", json={"label": "k", "spki": "AAAA"}),
        await client.post(f"/api/users/{anna}/tokens", json={"label": "t"}),
        await client.delete(f"/api/tokens/{uuid4()}"),
        await client.delete("/api/keys/some-key"),
    ]
    for answer in answers:
        envelope(answer, 403, "not_allowed")


async def test_health_needs_nobody_and_says_what_works(door):
    stranger = door.of(None)
    assert (await stranger.get("/healthz")).json() == {"status": "ok"}
    ready = await stranger.get("/readyz")
    assert ready.status_code == 200
    assert ready.json() == {"ready": True, "store": True, "broker": True, "recovered": True}
    for path in ("/healthz", "/readyz"):
        assert (await stranger.head(path)).status_code == 200


async def test_metrics_count_requests_by_route(door):
    client = door.of("olga")
    await door.say("turn on the floor light")
    await door.say("unlock the bay door")
    await client.post("/api/tools/list_devices")
    await client.get("/api/no/such/route")
    await client.get("/api/devices/nowhere")
    wanted = {
        'kitty_http_requests_total{route="/api/query",status="200"}',
        'kitty_http_requests_total{route="/api/devices/{device}",status="404"}',
        'kitty_http_requests_total{route="/api/{rest:path}",status="404"}',
        'kitty_routing_requests_total{outcome="done",tier="local"}',
        'kitty_commands_total{intent="switch_light",status="done"}',
        'kitty_commands_total{intent="list_devices",status="answered"}',
        'kitty_gate_outcomes_total{code="",verdict="pending"}',
        'kitty_devices{kind="light",state="online"}',
    }

    async def counted():
        answer = await client.get("/metrics")
        assert answer.headers["content-type"].startswith("text/plain")
        return wanted <= {line.rpartition(" ")[0] for line in answer.text.splitlines()}

    assert await door.until(counted)
