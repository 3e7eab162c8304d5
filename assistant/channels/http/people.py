"""Who calls, as FastAPI dependencies."""

from collections.abc import Awaitable, Callable

from fastapi import Request

from assistant.access import Meter, Problem, caller, require_role
from assistant.services import Services
from safety.entities import Role, User

CurrentUser = Callable[[Request], Awaitable[User]]


def current_user(services: Services) -> CurrentUser:
    """Return a dependency that yields the caller or answers 401 or 429."""
    meter = Meter(services.settings.limits.requests_per_minute)

    async def find(request: Request) -> User:
        now = services.now()
        user = await caller(request, services.people, now)
        if user is None:
            raise Problem(
                401,
                "not_signed_in",
                "Send a token: Authorization: Bearer ... An admin makes one: kitt users token.",
            )
        wait = meter.take(user.id, now)
        if wait:
            raise Problem(
                429,
                "too_many_requests",
                f"That was too much at once. Try again in {wait} seconds.",
                retryable=True,
                retry_after_seconds=wait,
            )
        return user

    return find


def admin(user: User) -> User:
    """Let only admins through."""
    require_role(user, Role.ADMIN)
    return user
