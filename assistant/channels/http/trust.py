"""The trust file over REST, for the people who carry it to the devices."""

from fastapi import APIRouter, Response

from assistant.access import require_role
from assistant.channels.http.people import Caller
from assistant.services import Services
from safety.entities import Role


def router(services: Services) -> APIRouter:
    """Build the route."""
    routes = APIRouter(tags=["safety"])

    @routes.get("/api/safety/trust", summary="Whom devices are to trust (docs/edge.md)")
    async def trust(caller: Caller) -> Response:
        require_role(caller, Role.ADMIN)
        file = await services.trust()
        return Response(
            file.write(), media_type="application/json", headers={"cache-control": "no-store"}
        )

    return routes
