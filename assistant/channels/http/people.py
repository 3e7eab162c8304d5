"""Who calls, as a FastAPI dependency."""

from typing import Annotated

from fastapi import Depends, Request

from assistant.access import Problem
from safety.entities import User


async def _caller(request: Request) -> User:
    """Return whom the shell let in."""
    user = request.scope["state"].get("user")
    if not isinstance(user, User):
        raise Problem(401, "not_signed_in", "Send a token: Authorization: Bearer ...")
    return user


Caller = Annotated[User, Depends(_caller)]
"""The person who calls; answers 401 for anybody else."""
