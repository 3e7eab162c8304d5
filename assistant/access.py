"""Who is calling: bearer tokens for programs, a cookie for the console; and how often."""

import re
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from infra.store.people import People
from safety.entities import Role, User, UserId

COOKIE: Final = "kitty_session"
_READS: Final = frozenset({"GET", "HEAD"})
_FROM_PAGES: Final = re.compile(
    r"/api/safety/events/[0-9a-f-]{36}/approve|/api/webauthn/[a-z/]+"
    r"|/api/users/[0-9a-f-]{36}/enrolment-link"
)
"""What the console's own pages may change by cookie; everything else takes a token."""
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
    """Return who calls: by bearer token, or by the console's cookie.

    The cookie reads; it changes only what the console's own pages are there to change.
    """
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token:
        return await people.by_token(token.strip(), now)
    cookie = connection.cookies.get(COOKIE)
    if cookie and _may_use_cookie(connection):
        return await people.by_session(cookie, now)
    return None


def _may_use_cookie(connection: HTTPConnection) -> bool:
    if connection.scope.get("method", "GET") in _READS:
        return True
    return _FROM_PAGES.fullmatch(connection.scope["path"]) is not None and from_own_page(connection)


def from_own_page(connection: HTTPConnection) -> bool:
    """Tell whether a script of our own pages sent this: browsers say so, and no page can lie."""
    origin = connection.headers.get("origin", "")
    ours = bool(origin) and urlsplit(origin).netloc == connection.headers.get("host")
    return ours and connection.headers.get("sec-fetch-site", "same-origin") == "same-origin"


def require_role(user: User, *roles: Role) -> None:
    """Raise a 403 Problem unless the person has one of these roles."""
    if not user.roles & set(roles):
        wanted = " or ".join(sorted(roles))
        raise Problem(403, "not_allowed", f"Only people with the role {wanted} may do that.")
