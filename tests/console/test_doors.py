"""What the console gives to those who have not signed in, and how they get in."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fakes.console import OPERATOR, House
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from assistant.channels.console.mount import mount
from assistant.channels.console.sign_in import safe_path

pytestmark = pytest.mark.anyio


@pytest.fixture
async def client(house: House) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    mount(app, house.services())
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="https://kitty.test") as opened:
        yield opened


@pytest.mark.parametrize("path", ["/", "/approvals", "/routing", "/approvals/x", "/nowhere"])
async def test_every_page_leads_to_signing_in(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/sign-in")
    assert "Bay lights" not in answer.text


async def test_a_socket_needs_a_session(client: httpx.AsyncClient) -> None:
    answer = await client.get("/_nicegui_ws/socket.io/?EIO=4&transport=polling")
    assert answer.status_code == 401


async def test_unknown_api_paths_answer_programs_in_json(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/nowhere")
    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"


async def test_a_link_from_another_site_is_opened_once_more_from_ours(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.get("/approvals", headers={"sec-fetch-site": "cross-site"})
    assert answer.status_code == 200
    assert 'content="0;url=/approvals"' in answer.text


async def test_the_cookie_is_for_https_and_for_us_only(
    client: httpx.AsyncClient, house: House
) -> None:
    house.people.links["once"] = OPERATOR
    answer = await client.get("/sign-in?code=once")
    assert answer.headers["location"] == "/"
    cookie = answer.headers["set-cookie"].lower()
    for word in ("kitty_session=", "httponly", "samesite=strict", "secure", "path=/"):
        assert word in cookie
    again = await client.get("/sign-in?code=once")
    assert again.status_code == 403
    assert "set-cookie" not in again.headers


async def test_a_form_of_another_site_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.post(
        "/sign-in", content="token=operator-token", headers={"origin": "https://evil.test"}
    )
    assert answer.status_code == 400
    assert "set-cookie" not in answer.headers


async def test_a_stop_of_another_site_is_refused(client: httpx.AsyncClient, house: House) -> None:
    await client.post("/sign-in", content="token=operator-token")
    refused = await client.post("/stop", headers={"origin": "https://evil.test"})
    assert refused.status_code == 401
    assert house.core.heard == []
    stopped = await client.post("/stop", headers={"origin": "https://kitty.test"})
    assert stopped.json() == {"message": "I heard: stop everything"}


@pytest.mark.parametrize("body", [b"\xff\xfe", b"token=" + b"x" * 9_000, b"a=1&" * 50, b""])
async def test_bad_forms_are_refused(client: httpx.AsyncClient, body: bytes) -> None:
    answer = await client.post("/sign-in", content=body)
    assert answer.status_code in {400, 403}


async def test_what_was_asked_for_cannot_write_into_the_page(client: httpx.AsyncClient) -> None:
    answer = await client.get("/sign-in", params={"next": '/"><script>alert(1)</script>'})
    assert "<script>" not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]


async def test_our_files_are_asked_for_again(client: httpx.AsyncClient) -> None:
    answer = await client.get("/console/console.css")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-cache"


@given(st.text(max_size=40).map(lambda text: f"/{text}") | st.text(max_size=40))
def test_signing_in_never_leads_away(path: str) -> None:
    safe = safe_path(path)
    assert httpx.URL("https://kitty.test").join(safe).host == "kitty.test"
    assert safe.startswith("/")
    assert not safe.startswith(("//", "/\\"))
