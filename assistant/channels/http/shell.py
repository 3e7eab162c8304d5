"""What every request passes: a host we answer to, a correlation id, a known caller, limits."""

from collections.abc import Mapping
from time import perf_counter
from typing import Final

import structlog
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from assistant.access import Meter, Problem, caller
from assistant.channels.http.bodies import read_object
from assistant.channels.http.hosts import Hosts
from assistant.channels.http.problems import envelope, problem_of
from assistant.services import Services
from infra import ids

CORRELATION: Final = "x-correlation-id"
MAX_HEADERS: Final = 32_768
"""Bytes of all headers together."""
MAX_TARGET: Final = 8_192
"""Bytes of path and query together."""
_MAX_CORRELATION: Final = 100
_PUBLIC: Final = frozenset({"/healthz", "/readyz"})
_GUARDED: Final = ("/api", "/v1", "/docs", "/openapi.json", "/metrics")
"""Paths of programs, with all below them.  The console keeps its own pages."""
_READS: Final = frozenset({"GET", "HEAD"})
_SERVER_ERROR: Final = 500
_log = structlog.get_logger("kitty.http")

SECURITY_HEADERS: Final = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
PROGRAM_HEADERS: Final = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
}


class Shell:
    """ASGI middleware around everything that is served on the port."""

    def __init__(self, app: ASGIApp, *, services: Services) -> None:
        limits, http = services.settings.limits, services.settings.http
        self._app = app
        self._services = services
        self._body_bytes = limits.body_bytes
        self._meter = Meter(limits.requests_per_minute)
        self._hosts = Hosts.of(http.host, http.public_url)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket" and not self._hosts.allow(scope["headers"]):
            await receive()
            await send({"type": "websocket.close", "code": 4403, "reason": "unknown host"})
        else:
            await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        correlation = _correlation(dict(scope["headers"]))
        scope.setdefault("state", {})["correlation"] = correlation
        answer = _Answer(send, correlation, for_programs=_is_guarded(scope["path"]))
        began = perf_counter()
        with structlog.contextvars.bound_contextvars(correlation_id=correlation):
            try:
                await self._app(scope, await self._admit(scope, receive), answer)
            except Exception as error:  # noqa: BLE001  # the last resort of this door
                problem = problem_of(error)
                if answer.status is None:
                    await envelope(problem, correlation)(scope, receive, answer)
            finally:
                self._note(scope, answer.status or _SERVER_ERROR, perf_counter() - began)

    async def _admit(self, scope: Scope, receive: Receive) -> Receive:
        """Let the request in, or raise a Problem; return where its checked body is read from."""
        self._check_sizes(scope)
        if not self._hosts.allow(scope["headers"]):
            raise Problem(
                400, "bad_host", "KITTY does not answer to this host name. See KITTY_PUBLIC_URL."
            )
        path = scope["path"]
        if path in _PUBLIC or not _is_guarded(path):
            return receive
        await self._identify(scope)
        if scope["method"] in _READS:
            return receive
        return await read_object(dict(scope["headers"]), receive, limit=self._body_bytes)

    async def _identify(self, scope: Scope) -> None:
        now = self._services.now()
        user = await caller(HTTPConnection(scope), self._services.people, now)
        if user is None:
            raise Problem(
                401,
                "not_signed_in",
                "Send a token: Authorization: Bearer ... An admin makes one: kitt users token.",
            )
        wait = self._meter.take(user.id, now)
        if wait:
            raise Problem(
                429,
                "too_many_requests",
                f"That was too much at once. Try again in {wait} seconds.",
                retryable=True,
                retry_after_seconds=wait,
            )
        scope["state"]["user"] = user

    def _check_sizes(self, scope: Scope) -> None:
        if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > MAX_TARGET:
            raise Problem(414, "address_too_long", f"The address is over {MAX_TARGET:,} bytes.")
        if sum(len(name) + len(value) for name, value in scope["headers"]) > MAX_HEADERS:
            raise Problem(431, "headers_too_large", f"The headers are over {MAX_HEADERS:,} bytes.")

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "") or "other"
        self._services.metrics.http(route, status)
        if _is_guarded(scope["path"]):
            say = _log.debug if scope["method"] in _READS and status < 400 else _log.info  # noqa: PLR2004
            say(
                "request",
                method=scope["method"],
                route=route,
                status=status,
                ms=round(seconds * 1000, 1),
            )


class _Answer:
    """Sends the answer with the headers that all answers have."""

    def __init__(self, send: Send, correlation: str, *, for_programs: bool) -> None:
        self._send = send
        self._headers = {CORRELATION: correlation, **SECURITY_HEADERS}
        if for_programs:
            self._headers |= PROGRAM_HEADERS
        self.status: int | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in self._headers.items():
                headers.setdefault(name, value)
        await self._send(message)


def _is_guarded(path: str) -> bool:
    return any(path == each or path.startswith(f"{each}/") for each in _GUARDED)


def _correlation(headers: Mapping[bytes, bytes]) -> str:
    given = headers.get(CORRELATION.encode(), b"").decode("latin-1")
    usable = given.isascii() and given.replace("-", "").replace("_", "").isalnum()
    return given if usable and len(given) <= _MAX_CORRELATION else ids.correlation_id()
