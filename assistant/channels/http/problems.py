"""One envelope for everything that goes wrong at this door."""

from typing import Any, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from assistant.access import Problem
from infra.db import StoreError, StoreUnavailableError
from infra.store.conversations import UnknownConversationError

_SHOWN: Final = 60
"""Characters of a name from outside that a message repeats."""
_log = structlog.get_logger("kitty.http")


class Envelope(BaseModel):
    """What every error looks like."""

    code: str
    """Stable, for programs."""
    message: str
    """For people: what, why, what to do."""
    retryable: bool
    correlation_id: str
    retry_after_seconds: int | None = None


def envelope(problem: Problem, correlation: str) -> JSONResponse:
    """Return the one shape that all errors have."""
    headers = {}
    if problem.retry_after_seconds is not None:
        headers["retry-after"] = str(problem.retry_after_seconds)
    if problem.status == 401:  # noqa: PLR2004
        headers["www-authenticate"] = "Bearer"
    return JSONResponse(
        problem_json(problem, correlation), status_code=problem.status, headers=headers
    )


def problem_json(problem: Problem, correlation: str) -> dict[str, Any]:
    """Return the envelope's fields."""
    body: dict[str, Any] = {
        "code": problem.code,
        "message": problem.message,
        "retryable": problem.retryable,
        "correlation_id": correlation,
    }
    if problem.retry_after_seconds is not None:
        body["retry_after_seconds"] = problem.retry_after_seconds
    return body


def correlation_of(request: Request) -> str:
    """Return the request's correlation id."""
    correlation: str = request.scope["state"]["correlation"]
    return correlation


def problem_of(error: Exception) -> Problem:
    """Say an error in the envelope's terms; what nobody expected is written to the log."""
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
            _log.error("request_failed", exc_info=error)
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
    """Name each field that does not fit and why, without echoing its value."""
    parts = [
        f"{_place(item['loc'][1:])}: {item['msg'][:1].lower()}{item['msg'][1:]}"
        for item in error.errors()[:5]
    ]
    return f"The request does not fit: {'; '.join(parts)}. See /docs."


def _place(where: tuple[str | int, ...]) -> str:
    text = ".".join(str(each) for each in where) or "body"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def install(app: FastAPI) -> None:
    """Answer every expected error with the envelope; the shell takes care of the others."""

    async def handle(request: Request, error: Exception) -> JSONResponse:
        return envelope(problem_of(error), correlation_of(request))

    for kind in (Problem, StoreError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, handle)
