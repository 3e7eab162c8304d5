"""What no caller should send: each is told what is wrong, and nothing of it is kept."""

import asyncio
import json
import time

import httpx
import pytest
from fakes.envelopes import check, envelope

pytestmark = pytest.mark.anyio
QUERY = "/api/query"
JSON = {"content-type": "application/json"}
KEPT = ("conversation_sessions", "conversation_requests", "conversation_messages", "routing_decisions",
        "device_commands", "safety_events", "users", "api_tokens")  # fmt: skip


async def kept(door):
    """Return how much there is of everything that a request could leave behind."""
    return [await door.count(table) for table in KEPT]


def said(text):
    return json.dumps({"input": {"text": text}}, ensure_ascii=False).encode(
        "utf-8", "surrogatepass"
    )


BODIES = {
    "nothing at all": (b"", 422, "bad_request"),
    "not JSON": (b"turn on the light", 400, "bad_json"),
    "half of it": (b'{"input": {"te', 400, "bad_json"),
    "binary": (bytes(range(256)), 400, "bad_json"),
    "a compressed body": (b"\x1f\x8b\x08\x00\x00\x00\x00\x00", 400, "bad_json"),
    "UTF-16": (said("hello").decode().encode("utf-16"), 400, "bad_json"),
    "a byte order mark": (b"\xef\xbb\xbf" + said("hello"), 400, "bad_json"),
    "a list": (b"[1]", 400, "bad_json"),
    "a string": (b'"hello"', 400, "bad_json"),
    "null": (b"null", 400, "bad_json"),
    "NaN": (b'{"input": {"text": "hello"}, "x": NaN}', 400, "bad_json"),
    "Infinity": (b'{"input": {"text": "hello"}, "x": -Infinity}', 400, "bad_json"),
    "a number that is too large": (b'{"input": {"text": "hello"}, "x": 1e999}', 400, "bad_json"),
    "a number with 5000 digits": (b'{"x": ' + b"9" * 5_000 + b"}", 400, "bad_json"),
    "100 000 brackets": (b"[" * 100_000, 400, "bad_json"),
    "deep objects": (b'{"a":' * 5_000 + b"1" + b"}" * 5_000, 400, "bad_json"),
    "deep attachments": (b'{"input": {"text": "a", "attachments": [' + b'{"a":' * 40 + b"1" + b"}" * 40 + b"]}}", 400, "bad_json"),
    "a key twice": (b'{"input": {"text": "hello"}, "input": {"text": "unlock the bay door"}}', 400, "bad_json"),
    "a key twice inside": (b'{"input": {"text": "hello", "text": "stop"}}', 400, "bad_json"),
    "an escaped NUL": (b'{"input": {"text": "turn on\\u0000 the light"}}', 400, "bad_json"),
    "a raw NUL": (b'{"input": {"text": "turn on\x00 the light"}}', 400, "bad_json"),
    "half a surrogate pair": (b'{"input": {"text": "\\ud83d"}}', 400, "bad_json"),
    "half a surrogate pair, raw": (said("\ud83d"), 400, "bad_json"),
    "an empty object": (b"{}", 422, "bad_request"),
    "empty text": (said(""), 422, "empty_text"),
    "white space": (said(" \t\r\n\u3000 "), 422, "empty_text"),
    "zero-width text": (said("\u200b\u200d\u2060\ufeff"), 422, "empty_text"),
    "direction marks": (said("\u202e\u200f"), 422, "empty_text"),
    "escaped control characters": (b'{"input": {"text": "\\u0007\\u001b\\u007f"}}', 422, "empty_text"),
    "4001 characters": (said("a" * 4_001), 422, "text_too_long"),
    "a million characters": (said("a" * 1_000_000), 422, "text_too_long"),
    "over a megabyte": (said("a" * 1_048_576), 413, "body_too_large"),
    "two megabytes": (said("a" * 2_097_152), 413, "body_too_large"),
    "text that is a number": (b'{"input": {"text": 5}}', 422, "bad_request"),
    "text that is null": (b'{"input": {"text": null}}', 422, "bad_request"),
    "text that is a list": (b'{"input": {"text": ["hello"]}}', 422, "bad_request"),
    "input that is text": (b'{"input": "hello"}', 422, "bad_request"),
    "an extra field": (b'{"input": {"text": "hello"}, "user_id": "anna"}', 422, "bad_request"),
    "an extra field inside": (b'{"input": {"text": "hello", "role": "admin"}}', 422, "bad_request"),
    "a very long extra field": (b'{"' + b"k" * 500_000 + b'": 1}', 422, "bad_request"),
    "a bad conversation": (b'{"input": {"text": "hello"}, "conversation_id": "x"}', 422, "bad_request"),
    "a numeric conversation": (b'{"input": {"text": "hello"}, "conversation_id": 7}', 422, "bad_request"),
    "the zero conversation": (b'{"input": {"text": "hello"}, "conversation_id": "00000000-0000-0000-0000-000000000000"}', 404, "unknown_conversation"),
    "an unknown tier": (b'{"input": {"text": "hello"}, "force_tier": "quantum"}', 422, "bad_request"),
    "a bad channel": (b'{"input": {"text": "hello"}, "channel": "../../etc"}', 422, "bad_request"),
    "an empty client key": (b'{"input": {"text": "hello"}, "client_key": ""}', 422, "bad_request"),
    "attachments": (b'{"input": {"text": "hello", "attachments": [{"url": "file:///etc/passwd"}]}}', 422, "attachments_not_supported"),
    "nine attachments": (b'{"input": {"text": "hello", "attachments": [{},{},{},{},{},{},{},{},{}]}}', 422, "bad_request"),
}  # fmt: skip


@pytest.mark.parametrize("path", [QUERY, QUERY + "/stream"])
@pytest.mark.parametrize("what", BODIES)
async def test_a_bad_body_is_told_and_nothing_is_kept(door, what, path):
    body, status, code = BODIES[what]
    before, commands = await kept(door), len(door.devices.commands)
    envelope(await door.of("olga").post(path, content=body, headers=JSON), status, code)
    assert await kept(door) == before
    assert len(door.devices.commands) == commands


@pytest.mark.parametrize("path", [QUERY, "/api/tools/unlock_door", "/api/devices/bay-door/command"])
@pytest.mark.parametrize(
    "what", ["100 000 brackets", "a key twice inside", "NaN", "binary", "two megabytes"]
)
async def test_every_route_reads_bodies_the_same_way(door, what, path):
    body, status, code = BODIES[what]
    envelope(await door.of("olga").post(path, content=body, headers=JSON), status, code)


async def test_a_megabyte_of_brackets_is_refused_quickly(door):
    body = b'{"x": [' + b"[]," * 340_000 + b"[]]}"
    assert len(body) < 1_048_576
    start = time.process_time()
    envelope(await door.of("olga").post(QUERY, content=body, headers=JSON), 422, "bad_request")
    assert time.process_time() - start < 3


@pytest.mark.parametrize("size", [100, 2_000_000])
async def test_a_chunked_body_has_the_same_limits(door, size):
    async def pieces():
        yield b'{"input": {"text": "'
        for _ in range(size // 100):
            yield b"a" * 100
        yield b'"}}'

    answer = await door.of("olga").post(QUERY, content=pieces(), headers=JSON)
    if size < 4_000:
        assert answer.status_code == 200
    else:
        envelope(answer, 413, "body_too_large")


@pytest.mark.parametrize(
    "text",
    ["שלום עולם", "\u202ethgil eht no nrut", "مرحبا", "turn\u200b on the floor light", "🤖" * 500,
     "\x1b[31mhello\x1b[0m", "a\u0301" * 200, "'; drop table users; --", "<script>alert(1)</script>", "%s %d {0} ${x}",
     "a" * 4_000, "\n".join(["line"] * 500), "𝕥𝕦𝕣𝕟 𝕠𝕟", "\u2028\u2029hello"],
)  # fmt: skip
async def test_odd_text_is_read_and_answered(door, text):
    answer = await door.say(text)
    assert answer.status_code in {200, 202}, answer.text
    body = answer.json()
    assert body["replies"][0]["text"]
    stored = await door.sql(
        "select text from conversation_requests where id = %s", body["request_id"]
    )
    assert not any(each < " " and each not in "\t\r\n" for each in stored[0][0])


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
                                  "application/jsonp", "application/xml", ""])  # fmt: skip
async def test_what_is_not_called_json_is_not_read(door, kind):
    before = await kept(door)
    answer = await door.of("olga").post(
        QUERY, content=said("hello"), headers={"content-type": kind}
    )
    envelope(answer, 415, "not_json")
    assert await kept(door) == before


async def test_json_with_a_charset_is_read(door):
    headers = {"content-type": "Application/JSON; charset=utf-8"}
    assert (
        await door.of("olga").post(QUERY, content=said("hello"), headers=headers)
    ).status_code == 200


BAD_QUERIES = [
    ("/api/routing/logs", {"limit": "-1"}, 422, "bad_request"),
    ("/api/routing/logs", {"limit": "0"}, 422, "bad_request"),
    ("/api/routing/logs", {"limit": "501"}, 422, "bad_request"),
    ("/api/routing/logs", {"limit": "9" * 5_000}, 422, "bad_request"),
    ("/api/routing/logs", {"limit": "1e2"}, 422, "bad_request"),
    ("/api/routing/logs", {"outcome": "a\x00b"}, 422, "bad_request"),
    ("/api/routing/logs", {"outcome": "x" * 1_000}, 422, "bad_request"),
    ("/api/routing/logs", {"selected_tier": "LOCAL"}, 422, "bad_request"),
    ("/api/routing/logs", {"since": "yesterday"}, 422, "bad_request"),
    ("/api/routing/logs", {"since": "2026-01-01T00:00:00"}, 422, "bad_request"),
    ("/api/routing/logs", {"since": "0001-01-01T00:00:00+23:59"}, 422, "bad_request"),
    ("/api/routing/logs", {"since": "9999-12-31T23:59:59-23:59"}, 422, "bad_request"),
    ("/api/routing/logs", {"conversation_id": "x"}, 422, "bad_request"),
    ("/api/routing/logs", {"cursor": "x"}, 400, "bad_cursor"),
    ("/api/routing/logs", {"cursor": "é\x00"}, 400, "bad_cursor"),
    ("/api/routing/logs", {"cursor": "MDAwMS0wMS0wMVQwMDowMDowMCsyMzo1OXwwMDAwMDAwMC0wMDAwLTAwMDAtMDAwMC0wMDAwMDAwMDAwMDA="}, 400, "bad_cursor"),
    ("/api/routing/logs", {"cursor": "x" * 301}, 422, "bad_request"),
    ("/api/safety/events", {"cursor": "!!!!"}, 400, "bad_cursor"),
    ("/api/safety/events", {"limit": "-5"}, 422, "bad_request"),
    ("/api/conversations", {"cursor": "eHx5"}, 400, "bad_cursor"),
    ("/api/conversations", {"limit": "-5"}, 422, "bad_request"),
    ("/api/conversations/x/messages", {}, 422, "bad_request"),
    ("/api/users/x/keys", {}, 422, "bad_request"),
    ("/api/devices/%00", {}, 404, "unknown_device"),
    ("/api/devices/..%2f..%2fetc%2fpasswd", {}, 404, "not_found"),
    ("/api/safety/events/%F0%9F%92%A9", {}, 422, "bad_request"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "query", "status", "code"), BAD_QUERIES)
async def test_a_bad_address_is_told(door, path, query, status, code):
    envelope(await door.of("anna").get(path, params=query), status, code)


@pytest.mark.parametrize("key", ["%00", "a%00b", "%ff", "x" * 201, "%E2%80%AE", "a/../b%20"])
async def test_a_bad_key_is_told(door, key):
    envelope(await door.of("anna").delete(f"/api/keys/{key}"), 422, "bad_request")


async def raw(door, request: bytes) -> tuple[int, dict[str, str], bytes]:
    """Send bytes and read one answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", httpx.URL(door.url).port)
    try:
        async with asyncio.timeout(15):
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            lines = head.decode("latin-1").split("\r\n")
            headers = {k.lower(): v for k, v in (each.split(": ", 1) for each in lines[1:] if each)}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
    finally:
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)
    return int(lines[0].split()[1]), headers, body


def head(door, *lines: bytes, path: bytes = b"/api/me") -> bytes:
    token = f"Authorization: Bearer {door.tokens['olga']}".encode()
    return b"\r\n".join(
        [b"GET " + path + b" HTTP/1.1", b"Host: localhost", token, *lines, b"", b""]
    )


async def test_huge_headers_and_addresses_are_refused(door):
    for request, status, code in (
        (head(door, b"X-Long: " + b"x" * 40_000), 431, "headers_too_large"),
        (head(door, *(b"X-%d: y" % n for n in range(5_000))), 431, "headers_too_large"),
        (head(door, path=b"/api/me?" + b"x" * 9_000), 414, "address_too_long"),
        (head(door, path=b"/api/devices/" + b"%41" * 4_000), 414, "address_too_long"),
    ):
        found, headers, body = await raw(door, request)
        assert (found, json.loads(body)["code"]) == (status, code)
        assert json.loads(body)["correlation_id"] == headers["x-correlation-id"]


async def test_hostile_header_values_do_no_harm(door):
    for line in (b"X-Correlation-ID: <script>", b"X-Correlation-ID: ${jndi:ldap://x}", b"Cookie: kitty_session=\xff\xfe;;;=",
                 b"Accept: " + b"," * 500, b"X-Forwarded-For: 1.2.3.4", b"Content-Length: 0", b"Range: bytes=0-1"):  # fmt: skip
        status, headers, _ = await raw(door, head(door, line))
        assert status == 200
        assert "<" not in headers["x-correlation-id"]
        assert "$" not in headers["x-correlation-id"]


async def test_bytes_that_are_no_http_end_the_connection_only(door):
    for junk in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 50, b"GARBAGE\r\n\r\n",
                 b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n"):  # fmt: skip
        reader, writer = await asyncio.open_connection("127.0.0.1", httpx.URL(door.url).port)
        writer.write(junk)
        async with asyncio.timeout(15):
            assert b" 400 " in await reader.read(65_536)
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)
    assert (await door.of(None).get("/healthz")).status_code == 200


async def test_a_body_that_ends_early_leaves_nothing(door):
    before = await kept(door)
    _, writer = await asyncio.open_connection("127.0.0.1", httpx.URL(door.url).port)
    request = head(
        door, b"Content-Type: application/json", b"Content-Length: 100", path=QUERY.encode()
    )
    writer.write(request.replace(b"GET", b"POST") + b'{"input": {"text": "unlock the bay door"}}')
    await writer.drain()
    writer.close()
    await asyncio.gather(writer.wait_closed(), return_exceptions=True)
    assert (await door.say("is the floor light on?")).status_code == 200
    assert (await kept(door))[1] == before[1] + 1


async def test_bad_people(door):
    anna = door.of("anna")
    for body in (
        {"handle": "UPPER", "display_name": "X", "roles": ["operator"]},
        {"handle": "a" * 64, "display_name": "X", "roles": ["operator"]},
        {"handle": "ok", "display_name": "", "roles": ["operator"]},
        {"handle": "ok", "display_name": "X", "roles": []},
        {"handle": "ok", "display_name": "X", "roles": ["god"]},
        {"handle": "ok", "display_name": "X" * 201, "roles": ["operator"]},
        {"handle": "ok", "display_name": "X", "roles": ["operator"], "disabled": False},
        {"handle": "ok\n", "display_name": "X", "roles": ["operator"]},
        {"handle": "ok", "display_name": " \t ", "roles": ["operator"]},
        {"handle": "ok", "display_name": "X", "roles": ["operator"], "email": "x" * 321},
    ):
        answer = await anna.post("/api/users", json=body)
        assert answer.status_code in {400, 422}, (body, answer.text)
        check(answer)
