"""Who is let in, from where, and how often; what every answer carries."""

import asyncio
import json

import httpx
import pytest
from fakes.envelopes import envelope
from fastapi.routing import iter_route_contexts
from starlette.routing import Mount

from assistant.access import COOKIE
from infra import clock

pytestmark = pytest.mark.anyio
OPEN = {"/healthz", "/readyz", "/sign-in"}
PAGES = ("/", "/approvals", "/approvals/1", "/routing", "/no-such-page", "/_nicegui_ws/socket.io/")
CONSOLE = {"/sign-out", "/session", "/stop", "/console"}
"""The console's own: leaving, looking, stopping, and the sign-in page's style."""


@pytest.fixture(scope="module")
def environment():
    return {"KITTY_PUBLIC_URL": "https://kitty.lab.example"}


def routes(door):
    """Return every method and path that the application serves, but for mounts."""
    for route in iter_route_contexts(door.app.asgi.routes):
        if isinstance(route.original_route, Mount):
            continue
        for method in sorted(route.methods or {"GET"}):
            yield method, route.path


async def test_nothing_is_given_without_a_token(door):
    walked = set()
    for method, path in routes(door):
        if path in OPEN | CONSOLE:
            continue
        where = path.replace("{rest:path}", "x").replace("{", "").replace("}", "")
        answer = await door.of(None).request(method, where, content=b"{}")
        assert answer.status_code == 401, (method, where)
        assert answer.headers["www-authenticate"] == "Bearer"
        if method != "HEAD":
            envelope(answer, 401, "not_signed_in")
        walked.add(path)
    assert walked >= {
        "/api/query",
        "/api/tools/{name}",
        "/metrics",
        "/docs",
        "/openapi.json",
        "/api/users",
    }
    assert len(walked) > 40


async def test_no_mount_is_open(door):
    mounts = {r.path for r in door.app.asgi.routes if isinstance(r, Mount)}
    assert mounts == {"", "/console"}
    for path in PAGES:
        answer = await door.of(None).get(path)
        assert answer.status_code in {303, 401}, path
        if answer.status_code == 303:
            assert answer.headers["location"].startswith("/sign-in")
    assert (await door.of(None).get("/session")).status_code == 401
    assert (await door.of(None).post("/stop")).status_code == 401


@pytest.mark.parametrize(
    "header",
    [
        "Bearer", "Bearer x", "bearer kitty_token_nothing", "Basic b2xnYTp4", "Token x",
        "Bearer " + "x" * 5_000, "Bearer \xff\xfe", "Bearer a b c",
    ],
)  # fmt: skip
async def test_what_is_no_token_lets_nobody_in(door, header):
    answer = await door.of(None).get("/api/me", headers={"authorization": header.encode("latin-1")})
    envelope(answer, 401, "not_signed_in")


async def test_a_cookie_reads_but_never_writes(door):
    people = door.app.services.people
    olga = await people.by_handle("olga")
    session = await people.open_session(olga.id, clock.now())
    headers = {"cookie": f"{COOKIE}={session}"}
    stranger, before = door.of(None), await door.count("conversation_requests")
    for path in ("/api/me", "/api/devices", "/docs", "/openapi.json", "/metrics"):
        assert (await stranger.get(path, headers=headers)).status_code == 200, path
    for method, path in (
        ("POST", "/api/query"), ("POST", "/api/query/stream"), ("POST", "/api/tools/stop_everything"),
        ("PATCH", "/api/users/x"), ("DELETE", "/api/keys/x"), ("PUT", "/api/query"),
    ):  # fmt: skip
        answer = await stranger.request(
            method, path, headers=headers, json={"input": {"text": "hello"}}
        )
        envelope(answer, 401, "not_signed_in")
    assert await door.count("conversation_requests") == before
    wrong_kind = {"cookie": f"{COOKIE}={door.tokens['olga']}"}
    envelope(await stranger.get("/api/me", headers=wrong_kind), 401, "not_signed_in")
    envelope(
        await stranger.get("/api/me", headers={"authorization": f"Bearer {session}"}),
        401,
        "not_signed_in",
    )


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8400", "127.0.0.1.evil.example", "localhost.evil.example", "192.168.1.9",
     "", "localhost@evil.example", "[::1", "localhost evil"],
)  # fmt: skip
async def test_other_host_names_are_refused(door, host):
    for path in ("/api/me", "/healthz", "/", "/sign-in", "/console/plain.css"):
        envelope(await door.of("olga").get(path, headers={"host": host}), 400, "bad_host")


@pytest.mark.parametrize(
    "host",
    ["localhost", "LocalHost:80", "127.0.0.1", "127.0.0.1:1", "[::1]:8400", "kitty.lab.example"],
)
async def test_our_own_host_names_are_answered(door, host):
    assert (await door.of("olga").get("/api/me", headers={"host": host})).status_code == 200


async def test_a_socket_of_another_host_is_not_opened(door):
    reader, writer = await asyncio.open_connection("127.0.0.1", httpx.URL(door.url).port)
    writer.write(
        b"GET /_nicegui_ws/socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: evil.example\r\n"
        b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    status = await asyncio.wait_for(reader.readline(), 15)
    writer.close()
    await writer.wait_closed()
    assert b" 403 " in status


async def test_two_hosts_are_refused(door):
    reader, writer = await asyncio.open_connection("127.0.0.1", httpx.URL(door.url).port)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n")
    status = await asyncio.wait_for(reader.readline(), 15)
    writer.close()
    await writer.wait_closed()
    assert b" 400 " in status


async def test_every_answer_carries_the_headers(door):
    client = door.of("olga")
    for answer in (
        await client.get("/api/me"),
        await client.get("/api/nothing"),
        await client.post("/api/query", content=b"{"),
        await door.of(None).get("/api/me"),
        await door.of(None).get("/healthz"),
        await door.of(None).get("/sign-in"),
    ):
        for name, value in (("x-content-type-options", "nosniff"), ("x-frame-options", "DENY")):
            assert answer.headers.get_list(name) == [value]
        assert len(answer.headers.get_list("referrer-policy")) == 1
        assert answer.headers["x-correlation-id"]
        assert "server" not in answer.headers
    api = await client.get("/api/me")
    assert api.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in api.headers["content-security-policy"]
    assert (
        "access-control-allow-origin"
        not in (await client.get("/api/me", headers={"origin": "https://evil.example"})).headers
    )


async def test_the_description_is_valid_and_the_page_needs_nothing_from_elsewhere(door):
    client = door.of("olga")
    document = (await client.get("/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    served = {
        path
        for _, path in routes(door)
        if path.startswith(("/api", "/health", "/ready", "/metrics"))
    }
    hidden = {"/api", "/api/{rest:path}", "/api/tools/{name}"}
    assert {p.replace("{key}", "{key:path}") for p in document["paths"]} == served - hidden
    known = document["components"]["schemas"]
    assert set(_references(document)) <= {f"#/components/schemas/{name}" for name in known}
    operations = [o for methods in document["paths"].values() for o in methods.values()]
    ids = [each["operationId"] for each in operations]
    assert len(set(ids)) == len(ids)
    for path, methods in document["paths"].items():
        for operation in methods.values():
            assert operation["summary"]
            assert operation["security"] == ([] if path in OPEN else [{"token": []}])
            assert operation["responses"]["default"]["content"]["application/json"]["schema"]
            named = {
                each["name"] for each in operation.get("parameters", ()) if each["in"] == "path"
            }
            assert named == {part[1:-1] for part in path.split("/") if part.startswith("{")}
    page = await client.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "POST /api/query" in page.text
    assert "<script" not in page.text
    assert "http://" not in page.text.replace("http://www.w3.org", "")
    assert "https://" not in page.text


def _references(value):
    if isinstance(value, dict):
        for key, each in value.items():
            if key == "$ref":
                yield each
            else:
                yield from _references(each)
    elif isinstance(value, list):
        for each in value:
            yield from _references(each)


async def test_a_wrong_method_and_a_wrong_address(door):
    client = door.of("olga")
    for method, path in (
        ("GET", "/api/query"), ("DELETE", "/api/query"), ("PUT", "/api/devices"), ("POST", "/api/me"),
        ("HEAD", "/api/me"), ("OPTIONS", "/api/query"), ("GET", "/api/tools/switch_light"),
    ):  # fmt: skip
        answer = await client.request(method, path)
        assert answer.status_code == 405, (method, path)
        if method != "HEAD":
            envelope(answer, 405, "wrong_method")
    for path in (
        "/api",
        "/api/",
        "/api/nothing",
        "/api/query/",
        "/api/../api/nothing",
        "/v1/models/x",
    ):
        envelope(await client.get(path), 404, "not_found")


async def test_tokens_never_appear_anywhere(door):
    token = door.tokens["olga"]
    client = door.of("olga")
    answers = [
        await client.post("/api/query", json={"input": {"text": f"my token is {token}"}}),
        await client.post(f"/api/tools/{token}", json={}),
        await client.get(f"/api/devices/{token}"),
        await client.get("/api/routing/logs", params={"cursor": token, "outcome": token}),
        await client.post(
            "/api/tools/switch_light", json={"target": "floor light", "on": True, token: 1}
        ),
        await client.get("/metrics"),
        await client.get("/openapi.json"),
    ]
    assert [each.status_code for each in answers[-2:]] == [200, 200]
    for answer in answers[-2:]:
        assert token not in answer.text
    log = door.log.getvalue()
    assert '"event": "request"' in log
    for each in door.tokens.values():
        assert each not in log
    assert all(token not in str(row) for row in await door.sql("select * from routing_decisions"))
    assert all(json.loads(line) for line in log.splitlines())
