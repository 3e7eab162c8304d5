"""POST /api/tools/{name}: every tool, from its one declaration."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from assistant.access import Problem
from assistant.channels.http.people import Caller
from assistant.channels.http.problems import correlation_of
from assistant.codec import call_json
from assistant.services import Services
from infra import ids
from routing.decision import Tier
from safety.entities import RequestId, User
from tools.run import CallOutcome, CallResult
from tools.spec import Tool

_STATUS: Final[Mapping[str, int]] = {
    "bad_arguments": 422,
    "unknown_tool": 404,
    "unknown_device": 404,
    "unknown_zone": 404,
    "unknown_job": 404,
    "unknown_event": 404,
    "device_offline": 404,
    "not_authorised": 403,
    "no_presence": 403,
    "no_policy": 403,
    "outside_hours": 403,
    "tainted_request": 403,
    "too_many_pending": 429,
    "too_many_requests": 429,
    "ambiguous": 409,
}


def router(services: Services) -> APIRouter:
    """Build one route per tool."""
    routes = APIRouter(prefix="/api/tools", tags=["tools"])

    @routes.get("", summary="All tools with their arguments and hazards")
    async def catalogue(_user: Caller) -> dict[str, Any]:
        return {"items": [tool_json(tool) for tool in services.catalog], "next_cursor": None}

    for tool in services.catalog:
        routes.post(
            f"/{tool.name}",
            summary=tool.summary.splitlines()[0],
            description=tool.summary,
            name=tool.name,
            openapi_extra={
                "requestBody": {"content": {"application/json": {"schema": _schema(tool)}}}
            },
        )(_endpoint(services, tool))

    @routes.post("/{name}", include_in_schema=False)
    async def unknown(name: str, _user: Caller) -> None:
        raise Problem(404, "unknown_tool", f"There is no tool {name[:60]!r}. See GET /api/tools.")

    return routes


def _schema(tool: Tool) -> dict[str, Any]:
    return tool.arguments.model_json_schema(ref_template="#/components/schemas/{model}")


def tool_json(tool: Tool) -> dict[str, Any]:
    """Describe a tool for programs."""
    return {
        "name": tool.name,
        "family": tool.family,
        "description": tool.summary,
        "hazard": tool.hazard.word,
        "arguments": tool.schema,
    }


def _endpoint(services: Services, tool: Tool) -> Callable[..., Awaitable[JSONResponse]]:
    async def call(request: Request, user: Caller) -> JSONResponse:
        arguments = await request.json() if await request.body() else {}
        return await call_tool(services, request, user, tool.name, arguments)

    return call


async def call_tool(
    services: Services, request: Request, user: User, tool: str, arguments: Mapping[str, Any]
) -> JSONResponse:
    """Call a tool for a program, count it, and answer."""
    correlation, began = correlation_of(request), services.now()
    result = await services.core.call_tool(
        tool, arguments, user, RequestId(ids.uuid7()), began, correlation=correlation
    )
    outcome, took = result.outcome.value, services.now() - began
    services.metrics.command(tool, outcome)
    services.metrics.routed(
        Tier.LOCAL.value, outcome, latency_ms=took / timedelta(milliseconds=1), cost=Decimal(0)
    )
    return tool_answer(result, correlation)


def tool_answer(result: CallResult, correlation: str) -> JSONResponse:
    """Answer a direct call: outcome, result?, event_id?, reason?, correlation_id."""
    body = call_json(result) | {"correlation_id": correlation}
    body.pop("tool", None)
    body.pop("arguments", None)
    if result.outcome is CallOutcome.PENDING:
        return JSONResponse(body, status_code=202)
    status = (
        _STATUS.get(str(body.get("code")), 200) if result.outcome is CallOutcome.REFUSED else 200
    )
    if status >= 400:  # noqa: PLR2004
        body |= {"message": body.get("reason", ""), "retryable": False}
    return JSONResponse(body, status_code=status)
