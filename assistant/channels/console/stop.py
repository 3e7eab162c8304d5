"""The stop that needs no socket: plain HTTP, for when the page has lost its connection."""

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse

from assistant.channels.console.sign_in import same_site, visitor
from assistant.channels.console.visit import stop_everything
from assistant.services import Services


def router(services: Services) -> APIRouter:
    """Build the route."""
    routes = APIRouter(include_in_schema=False)

    @routes.post("/stop")
    async def stop(request: Request) -> JSONResponse:
        user = await visitor(services, request) if same_site(request) else None
        if user is None:
            return JSONResponse({"message": "You are signed out. Sign in again."}, status_code=401)
        return JSONResponse({"message": await stop_everything(services, user)})

    return routes
