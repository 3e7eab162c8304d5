"""Put the REST door together."""

from importlib.metadata import version
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.routing import Match

from assistant.access import Problem
from assistant.channels.http import (
    admin,
    devices,
    policies,
    query,
    safety,
    tools,
    trust,
    views,
    webauthn,
)
from assistant.channels.http.problems import Envelope, install
from assistant.channels.http.reference_page import CONTENT_POLICY, reference_page
from assistant.channels.http.shell import Shell
from assistant.services import Services

_OPEN: Final = frozenset({"/healthz", "/readyz"})
_ANY_METHOD: Final = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def build(services: Services) -> FastAPI:
    """Return the FastAPI application with all routes; the console is mounted on it later."""
    app = FastAPI(
        title="KITTY",
        version=version("kitty-assistant"),
        description="The assistant that people on a shop floor can talk to.",
        openapi_url=None,
        redirect_slashes=False,
    )
    install(app)
    for part in (views, query, tools, devices, safety, policies, trust, admin, webauthn):
        # Not include_router: it matches every path twice.
        app.router.routes.extend(part.router(services).routes)
    _document(app)
    _close(app)
    app.add_middleware(Shell, services=services)
    return app


def _document(app: FastAPI) -> None:
    """Serve the description of the API: as OpenAPI, and as a page that needs no network."""
    described: dict[str, Any] = {}

    def openapi() -> dict[str, Any]:
        if not described:
            described.update(describe(app))
        return described

    @app.get("/openapi.json", include_in_schema=False)
    async def document() -> JSONResponse:
        return JSONResponse(openapi())

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(
            reference_page(openapi()), headers={"content-security-policy": CONTENT_POLICY}
        )


def describe(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document: every route takes a token and has one shape of error."""
    found = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    schemas = found.setdefault("components", {}).setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas["Error"] = Envelope.model_json_schema()
    found["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    error = {
        "description": "What went wrong",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
    for path, methods in found["paths"].items():
        for operation in methods.values():
            for content in operation.get("requestBody", {}).get("content", {}).values():
                schemas |= content["schema"].pop("$defs", {})
            operation["responses"].pop("422", None)
            operation["responses"]["default"] = error
            operation["security"] = [] if path in _OPEN else [{"token": []}]
    return found


def _close(app: FastAPI) -> None:
    """Answer for what no route takes, before the console's pages are asked."""

    async def nothing(request: Request) -> None:
        if any(each.matches(request.scope)[0] is Match.PARTIAL for each in app.router.routes):
            raise Problem(405, "wrong_method", f"{request.method} is not possible here. See /docs.")
        raise Problem(404, "not_found", "There is nothing at this address. See /docs.")

    for path in ("/api", "/api/{rest:path}", "/v1", "/v1/{rest:path}"):
        app.add_api_route(path, nothing, methods=_ANY_METHOD, include_in_schema=False)
