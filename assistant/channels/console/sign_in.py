"""Signing in and out: one-time links and personal tokens become a session cookie."""

from typing import Annotated, Final
from urllib.parse import parse_qs, quote, urlsplit

from fastapi import APIRouter, Query, Request
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse, Response

from assistant.access import COOKIE
from assistant.channels.console import plain
from assistant.services import Services
from infra.store.people import SESSION_TTL
from safety.entities import User

MAX_FORM: Final = 8_192
"""Bytes of a form."""
MAX_CODE: Final = 200
MAX_PATH: Final = 500
_SEE_OTHER: Final = 303
_NOT_KNOWN: Final = "That token is not known, or is no longer valid. Check it, or ask an admin."
_USED: Final = (
    "That link has been used already, or has run out. Ask an admin for a new one, or paste your "
    "personal token."
)


def same_site(connection: HTTPConnection) -> bool:
    """Tell whether a request comes from our own pages (or from no page at all)."""
    origin = connection.headers.get("origin")
    if origin is None:
        return connection.headers.get("sec-fetch-site", "none") in {"none", "same-origin"}
    return urlsplit(origin).netloc == connection.headers.get("host", "")


def safe_path(path: str) -> str:
    """Return the path if it stays on this server, else the console's own."""
    inside = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if inside and "\\" not in path else "/"


def sign_in_path(wanted: str) -> str:
    """Return where to sign in to see a page."""
    return "/sign-in" if wanted == "/" else f"/sign-in?next={quote(wanted, safe='/')}"


async def visitor(services: Services, connection: HTTPConnection) -> User | None:
    """Return whose session the request carries."""
    token = connection.cookies.get(COOKIE)
    return None if not token else await services.people.by_session(token, services.now())


def router(services: Services) -> APIRouter:
    """Build the routes."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/sign-in")
    async def sign_in(
        request: Request,
        code: Annotated[str | None, Query(max_length=MAX_CODE)] = None,
        next_path: Annotated[str, Query(alias="next", max_length=MAX_PATH)] = "/",
    ) -> Response:
        if code is not None:
            return await _with_code(services, request, code, safe_path(next_path))
        if await visitor(services, request) is not None:
            return RedirectResponse(safe_path(next_path), status_code=_SEE_OTHER)
        return plain.sign_in(next_path=safe_path(next_path))

    @routes.post("/sign-in")
    async def with_token(request: Request) -> Response:
        return await _with_token(services, request)

    @routes.post("/sign-out")
    async def sign_out(request: Request) -> Response:
        return await _leave(services, request)

    @routes.get("/session")
    async def session(request: Request) -> Response:
        user = await visitor(services, request)
        return Response(status_code=401 if user is None else 204)

    return routes


async def _with_code(services: Services, request: Request, code: str, path: str) -> Response:
    user = await services.people.redeem(code, services.now())
    if user is None:
        return plain.sign_in(_USED, status=403)
    return await _enter(services, request, user, path, by_link=True)


async def _with_token(services: Services, request: Request) -> Response:
    form = await _form(request)
    if form is None or not same_site(request):
        return plain.sign_in("That form did not come from this page.", status=400)
    wanted = safe_path(form.get("next", "/"))
    user = await services.people.by_token(form.get("token", "").strip(), services.now())
    if user is None:
        return plain.sign_in(_NOT_KNOWN, wanted, status=403)
    return await _enter(services, request, user, wanted)


async def _leave(services: Services, request: Request) -> Response:
    token = request.cookies.get(COOKIE)
    if token and same_site(request):
        await services.people.close_session(token, services.now())
    response = RedirectResponse("/sign-in", status_code=_SEE_OTHER)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return response


async def _enter(
    services: Services, request: Request, user: User, path: str, *, by_link: bool = False
) -> Response:
    token = await services.people.open_session(user.id, services.now(), by_link=by_link)
    response = RedirectResponse(path, status_code=_SEE_OTHER)
    response.set_cookie(
        COOKIE,
        token,
        max_age=int(SESSION_TTL.total_seconds()),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https" or services.public_url.startswith("https:"),
    )
    response.headers["cache-control"] = "no-store"
    response.headers["referrer-policy"] = "no-referrer"
    return response


async def _form(request: Request) -> dict[str, str] | None:
    """Return a small form's fields; None if it is too large or no text."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_FORM:
            return None
    try:
        fields = parse_qs(body.decode(), max_num_fields=8, strict_parsing=False)
    except (UnicodeDecodeError, ValueError):
        return None
    return {name: values[0] for name, values in fields.items()}
