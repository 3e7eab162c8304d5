"""Reading over REST: who I am, the routing log, health, metrics."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse

from assistant.channels.http.people import Caller
from assistant.services import Services
from infra.metrics import CONTENT_TYPE
from infra.store.routing_log import Filter
from infra.wire import Moment

_WORD = r"^[a-z][a-z0-9_]{0,63}$"


def router(services: Services) -> APIRouter:
    """Build the routes."""
    routes = APIRouter()
    routes.routes.extend(_health(services).routes)

    @routes.get("/api/me", tags=["people"], summary="Who you are")
    async def me(user: Caller) -> dict[str, Any]:
        return {
            "id": str(user.id),
            "handle": user.handle,
            "display_name": user.display_name,
            "roles": sorted(user.roles),
        }

    @routes.get("/api/routing/logs", tags=["routing"], summary="RoutingDecisions, newest first")
    async def logs(
        _user: Caller,
        conversation_id: UUID | None = None,
        selected_tier: Literal["local", "mcp", "frontier"] | None = None,
        since: Moment | None = None,
        outcome: Annotated[str | None, Query(pattern=_WORD)] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
        cursor: Annotated[str | None, Query(max_length=300)] = None,
    ) -> dict[str, Any]:
        wanted = Filter(
            conversation=conversation_id, tier=selected_tier, since=since, outcome=outcome
        )
        items, following = await services.routing.page(wanted, limit=limit, cursor=cursor)
        return {"items": [_row_json(each) for each in items], "next_cursor": following}

    return routes


def _health(services: Services) -> APIRouter:
    """Build the routes that machines watch."""
    routes = APIRouter(tags=["health"])

    @routes.head("/healthz", include_in_schema=False)
    @routes.get("/healthz", summary="Is the process alive?")
    async def alive() -> dict[str, str]:
        return {"status": "ok"}

    @routes.head("/readyz", include_in_schema=False)
    @routes.get("/readyz", summary="Can it serve?")
    async def ready() -> JSONResponse:
        now = await services.readiness()
        body = {
            "ready": now.ready,
            "store": now.store,
            "broker": now.broker,
            "recovered": now.recovered,
        }
        return JSONResponse(body, status_code=200 if now.ready else 503)

    @routes.get("/metrics", summary="Prometheus metrics")
    async def metrics(_user: Caller) -> Response:
        return Response(services.metrics.render(), media_type=CONTENT_TYPE)

    return routes


def _row_json(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _plain(value) for key, value in row.items()}


def _plain(value: Any) -> Any:
    match value:
        case None | bool() | int() | float() | str():
            return value
        case datetime():
            return value.isoformat()
        case UUID():
            return str(value)
        case _:
            return float(value)
