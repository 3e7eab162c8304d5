"""What stands before every page and socket of the console: a session, and a content policy."""

import secrets
from typing import Final
from urllib.parse import parse_qs

from nicegui.client import Client
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from assistant.access import COOKIE
from assistant.channels.console import plain
from assistant.channels.console.sign_in import same_site, sign_in_path, visitor
from assistant.services import Services
from infra.db import StoreError

_LIBRARIES: Final = "/_nicegui/"
_SOCKET: Final = "/_nicegui_ws/"
_PROGRAMS: Final = ("/api/", "/v1/")
_POLICY: Final = (
    "default-src 'self'; script-src 'self' 'nonce-{nonce}' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""NiceGUI compiles its pages in the browser, which takes 'unsafe-eval'; scripts that somebody
else wrote into a page, and handlers such as `onerror=`, still do not run."""


class Guard:
    """ASGI middleware: nothing but NiceGUI's public libraries is given without a session."""

    def __init__(self, app: ASGIApp, *, services: Services) -> None:
        self._app = app
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"} or scope["path"].startswith(_LIBRARIES):
            await self._app(scope, receive, send)
            return
        if scope["path"].startswith(_PROGRAMS):
            await _no_such_route(scope)(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        try:
            user = await visitor(self._services, connection)
        except StoreError:
            await _refuse(scope, receive, send, _OUT_OF_ORDER)
            return
        if user is None:
            await _refuse(scope, receive, send, _uninvited(scope, connection))
        elif scope["path"].startswith(_SOCKET) and not _own_socket(connection):
            await _refuse(scope, receive, send, Response(status_code=403))
        else:
            scope.setdefault("state", {})["user"] = user
            await self._app(scope, receive, _with_policy(send))


_OUT_OF_ORDER: Final = plain.message(
    "Not available",
    "KITTY's database does not answer. Try again in a moment.",
    status=503,
)


def _no_such_route(scope: Scope) -> Response:
    """Tell a program that there is no such route, in the envelope of all its errors."""
    body = {
        "code": "not_found",
        "message": "There is nothing at this address. See /docs.",
        "retryable": False,
        "correlation_id": scope.get("state", {}).get("correlation", ""),
    }
    return JSONResponse(body, status_code=404)


def _uninvited(scope: Scope, connection: HTTPConnection) -> Response:
    path: str = scope["path"]
    if path.startswith(_SOCKET):
        return Response(status_code=401)
    if connection.headers.get("sec-fetch-site") == "cross-site" and scope["method"] == "GET":
        # A link from elsewhere: the strict cookie only comes with requests of our own pages.
        return plain.onward(path)
    return RedirectResponse(sign_in_path(path), status_code=303)


def _own_socket(connection: HTTPConnection) -> bool:
    """Tell whether a socket is opened by our own page, in the session that the page was made in."""
    if not same_site(connection):
        return False
    named = parse_qs(connection.scope["query_string"].decode("latin-1")).get("client_id")
    client = Client.instances.get(named[0]) if named else None
    if client is None:
        return True  # NiceGUI refuses what names no page of its own
    return client.request.cookies.get(COOKIE) == connection.cookies.get(COOKIE)


async def _refuse(scope: Scope, receive: Receive, send: Send, response: Response) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 4401, "reason": "sign in first"})
    else:
        await response(scope, receive, send)


def _with_policy(send: Send) -> Send:
    """Give each NiceGUI page a content policy and its own scripts the nonce that it asks for."""
    nonce = secrets.token_urlsafe(16)
    start: Message | None = None
    page = bytearray()

    async def answer(message: Message) -> None:
        nonlocal start
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            if headers.get("x-nicegui-content") == "page":
                headers["content-security-policy"] = _POLICY.format(nonce=nonce)
                headers["referrer-policy"] = "same-origin"
                start = message
                return
        elif start is not None and message["type"] == "http.response.body":
            page.extend(message.get("body", b""))
            if message.get("more_body", False):
                return
            body = bytes(page).replace(b"<script", b'<script nonce="' + nonce.encode() + b'"')
            MutableHeaders(scope=start)["content-length"] = str(len(body))
            await send(start)
            message = {"type": "http.response.body", "body": body}
        await send(message)

    return answer
