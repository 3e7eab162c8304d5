"""Who is calling: bearer tokens for programs, a cookie for the console; and how often."""

from datetime import datetime, timedelta
from typing import Final

from starlette.requests import HTTPConnection

from infra.store.people import People
from safety.entities import Role, User, UserId

COOKIE: Final = "kitty_session"
_WINDOW: Final = timedelta(minutes=1)


class Problem(Exception):  # noqa: N818  # it is what the client is told, not a fault of ours
    """An answer that is not the one asked for, in the one envelope of all doors."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        retryable: bool = False,
        retry_after_seconds: int | None = None,
    ) -> None:
        """`status` is HTTP's, `code` is ours and stable, `message` says what to do."""
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.retryable = retryable
        self.retry_after_seconds = retry_after_seconds


class Meter:
    """Counts each person's requests in windows of a minute.  Time is an argument."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._windows: dict[UserId, tuple[datetime, int]] = {}

    def take(self, user: UserId, now: datetime) -> int:
        """Count one request; return 0, or the seconds to wait when there were too many."""
        began, count = self._windows.get(user, (now, 0))
        if now - began >= _WINDOW:
            began, count = now, 0
        self._windows[user] = (began, count + 1)
        if count < self._per_minute:
            return 0
        return max(1, int((began + _WINDOW - now).total_seconds()) + 1)


async def caller(connection: HTTPConnection, people: People, now: datetime) -> User | None:
    """Return who calls: by bearer token, or on reads by the console's cookie."""
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token:
        return await people.by_token(token.strip(), now)
    cookie = connection.cookies.get(COOKIE)
    method = connection.scope.get("method", "GET")
    if cookie and method in {"GET", "HEAD"}:
        return await people.by_session(cookie, now)
    return None


def require_role(user: User, *roles: Role) -> None:
    """Raise a 403 Problem unless the person has one of these roles."""
    if not user.roles & set(roles):
        wanted = " or ".join(sorted(roles))
        raise Problem(403, "not_allowed", f"Only people with the role {wanted} may do that.")
