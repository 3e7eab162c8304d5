"""Policies over REST: what the zones demand, and what a wish would need.  Reads only."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from assistant.access import Problem, require_role
from assistant.channels.http.people import Caller
from assistant.policies import NotUnderstoodError, Question
from assistant.services import Services
from assistant.turn import MAX_TEXT
from assistant.understanding.reading import Call
from infra.wire import Moment
from safety.entities import Role, User


class ExplainBody(BaseModel):
    """A wish in words, or a tool with its arguments; for whom, and when."""

    model_config = ConfigDict(extra="forbid", populate_by_name=False)
    text: Annotated[str, Field(min_length=1, max_length=MAX_TEXT)] | None = None
    tool: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    arguments: Mapping[str, Any] | None = None
    person: Annotated[str, Field(min_length=1, max_length=100)] | None = Field(
        default=None, alias="as"
    )
    """Handle of who would ask; without it you."""
    at: Moment | None = None
    """When they would ask; without it now."""
    tainted: Annotated[bool, Field(strict=True)] = False
    """As if untrusted text had led to it."""


def router(services: Services) -> APIRouter:
    """Build the routes."""
    routes = APIRouter(prefix="/api/policies", tags=["safety"])

    @routes.get("", summary="All zones with their policies")
    async def policies(_user: Caller) -> dict[str, Any]:
        return {"items": await services.policies.zones(), "next_cursor": None}

    @routes.post("/explain", summary="What a wish would need; nothing is done")
    async def explain(body: ExplainBody, user: Caller) -> dict[str, Any]:
        if (body.text is None) is (body.tool is None) or (
            body.arguments is not None and body.tool is None
        ):
            raise Problem(422, "bad_request", "Give text, or a tool with its arguments. See /docs.")
        question = Question(
            person=await _person(services, user, body.person),
            at=body.at or services.now(),
            text=body.text or "",
            call=None
            if body.tool is None
            else Call(tool=body.tool, arguments=body.arguments or {}),
            tainted=body.tainted,
        )
        try:
            return await services.policies.explain(question)
        except NotUnderstoodError as error:
            raise Problem(422, "not_understood", str(error)) from None

    return routes


async def _person(services: Services, caller: User, handle: str | None) -> User:
    """Return whom the question is about: yourself, or anybody for safety officers and admins."""
    if handle is None or handle == caller.handle:
        return caller
    require_role(caller, Role.SAFETY, Role.ADMIN)
    found = await services.people.by_handle(handle)
    if found is None:
        raise Problem(404, "unknown_person", f"There is nobody called {handle[:60]!r}.")
    return found
