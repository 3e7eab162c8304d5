"""What every request passes: a correlation id, limits, strict JSON, one envelope for errors."""

from collections.abc import Mapping
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from infra.metrics import Metrics
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from assistant.access import Problem
from infra import ids
from infra.db import StoreError, StoreUnavailableError
from infra.store.conversations import UnknownConversationError
from infra.wire import WireError, strict_object

CORRELATION: Final = "x-correlation-id"
_MAX_CORRELATION: Final = 100
_PUBLIC: Final = frozenset({"/healthz", "/readyz"})
_log = structlog.get_logger("kitty.http")

SECURITY_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
)


class Shell:
    """ASGI middleware around the API."""

    def __init__(self, app: ASGIApp, *, body_bytes: int, metrics: Metrics) -> None:
        self._app = app
        self._body_bytes = body_bytes
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        correlation = _correlation(headers)
        scope.setdefault("state", {})["correlation"] = correlation
        status = 500

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message.get("headers", ()),
                    *SECURITY_HEADERS,
                    (CORRELATION.encode(), correlation.encode()),
                ]
            await send(message)

        with structlog.contextvars.bound_contextvars(correlation_id=correlation):
            try:
                inner = await self._checked(scope, headers, receive)
            except Problem as problem:
                await envelope(problem, correlation)(scope, receive, answer)
            else:
                await self._app(scope, inner, answer)
            finally:
                route = getattr(scope.get("route"), "path", "other")
                self._metrics.http(route, status)

    async def _checked(
        self, scope: Scope, headers: Mapping[bytes, bytes], receive: Receive
    ) -> Receive:
        """Read a JSON body within its limits and refuse what is not strict JSON."""
        api = scope["path"].startswith(("/api/", "/v1/"))
        if not api or scope["method"] not in {"POST", "PUT", "PATCH"}:
            return receive
        declared = headers.get(b"content-length", b"")
        if declared.isdigit() and int(declared) > self._body_bytes:
            raise self._too_large()
        body = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                break
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self._body_bytes:
                raise self._too_large()
        if body:
            _require_strict(bytes(body), self._body_bytes)
        return _replay(bytes(body), receive)

    def _too_large(self) -> Problem:
        return Problem(
            413, "body_too_large", f"The body is over {self._body_bytes:,} bytes. Send less."
        )


def _require_strict(body: bytes, limit: int) -> None:
    try:
        strict_object(body, limit=limit)
    except WireError as error:
        raise Problem(400, "bad_json", f"The body is not usable JSON: {error}.") from None


def _replay(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def again() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _correlation(headers: Mapping[bytes, bytes]) -> str:
    given = headers.get(CORRELATION.encode(), b"").decode("latin-1")
    usable = given.isascii() and given.replace("-", "").replace("_", "").isalnum()
    return given if usable and len(given) <= _MAX_CORRELATION else ids.correlation_id()


def envelope(problem: Problem, correlation: str) -> JSONResponse:
    """Return the one shape that all errors have."""
    body: dict[str, Any] = {
        "code": problem.code,
        "message": problem.message,
        "retryable": problem.retryable,
        "correlation_id": correlation,
    }
    headers = {}
    if problem.retry_after_seconds is not None:
        body["retry_after_seconds"] = problem.retry_after_seconds
        headers["retry-after"] = str(problem.retry_after_seconds)
    return JSONResponse(body, status_code=problem.status, headers=headers)


def correlation_of(request: Request) -> str:
    """Return the request's correlation id."""
    correlation: str = request.scope["state"]["correlation"]
    return correlation


def problem_of(error: Exception) -> Problem:
    """Say an expected error in the envelope's terms."""
    match error:
        case Problem():
            return error
        case StoreUnavailableError():
            return Problem(503, error.code, _sentence(error), retryable=True, retry_after_seconds=2)
        case UnknownConversationError():
            return Problem(404, error.code, _sentence(error))
        case StoreError():
            return Problem(400, error.code, _sentence(error))
        case RequestValidationError():
            return Problem(422, "bad_request", _explain(error))
        case HTTPException(status_code=404):
            return Problem(404, "not_found", "There is nothing at this address. See /docs.")
        case HTTPException():
            return Problem(error.status_code, "http_error", f"{error.detail}.")
        case _:
            return Problem(
                500,
                "internal_error",
                "Something went wrong inside KITTY. It is in the log under the correlation id.",
                retryable=True,
            )


def _sentence(error: Exception) -> str:
    text = str(error)
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")


def _explain(error: RequestValidationError) -> str:
    parts = [
        f"{'.'.join(str(each) for each in item['loc'][1:]) or 'body'}: {item['msg'].lower()}"
        for item in error.errors()[:5]
    ]
    return f"The request does not fit: {'; '.join(parts)}. See /docs."


def install(app: FastAPI) -> None:
    """Answer every expected error with the envelope."""

    async def handle(request: Request, error: Exception) -> JSONResponse:
        problem = problem_of(error)
        if problem.code == "internal_error":
            _log.error("request_failed", path=request.url.path, exc_info=error)
        return envelope(problem, correlation_of(request))

    for kind in (Problem, StoreError, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, handle)
