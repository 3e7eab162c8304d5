"""The server's HTTP interface as the commands use it."""

import json
from collections.abc import Mapping
from datetime import timedelta
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

import httpx

from assistant.cli.leave import Code, CommandError
from assistant.cli.session import LOOPBACK, Session
from assistant.cli.words import escaped

MAX_ANSWER: Final = 8 * 1024 * 1024
"""Bytes of one answer that kitt reads."""
MAX_PAGES: Final = 100
PATIENCE: Final = timedelta(minutes=2)
"""How long the server may stay silent: a slow machine plus a slow model."""
CONNECT: Final = timedelta(seconds=5)
_UNAUTHENTICATED: Final = 401
_FORBIDDEN: Final = 403
_ERROR: Final = 400


class ApiError(CommandError):
    """The server answered with an error."""

    def __init__(self, message: str, code: Code, *, status: int, name: str) -> None:
        super().__init__(message, code)
        self.status = status
        self.name = name
        """The server's stable error code."""


def http_options(session: Session) -> dict[str, Any]:
    """Return how to reach the server, for httpx.Client and httpx.AsyncClient alike."""
    return {
        "base_url": session.url,
        "headers": {"Authorization": f"Bearer {session.token}", "User-Agent": "kitt"},
        "timeout": httpx.Timeout(PATIENCE.total_seconds(), connect=CONNECT.total_seconds()),
        "follow_redirects": False,
        # A proxy of the environment cannot reach this machine's own loopback.
        "trust_env": urlsplit(session.url).hostname not in LOOPBACK,
    }


def unreachable(session: Session, error: httpx.HTTPError) -> CommandError:
    """Say that the server does not answer."""
    why = " ".join(str(error).split()) or type(error).__name__
    return CommandError(
        f"KITTY does not answer at {session.url}: {escaped(why)}. Is it running? "
        "Start it with `kitt serve` or `kitt demo`, or give another --url.",
        Code.UNREACHABLE,
    )


def problem(status: int, body: bytes) -> ApiError:
    """Read the server's error envelope."""
    try:
        envelope = json.loads(body)
        envelope = envelope.get("error", envelope)
        name, message = str(envelope["code"]), escaped(str(envelope["message"]))
    except (ValueError, KeyError, TypeError, AttributeError):
        return ApiError(
            f"the server answered {status} without saying why. Is this a KITTY server?",
            _code(status), status=status, name="",
        )  # fmt: skip
    if status == _UNAUTHENTICATED:
        message += " Give a valid token with --token-file FILE."
    wait = envelope.get("retry_after_seconds")
    if isinstance(wait, int | float):
        message += f" Try again in {wait:g} s."
    return ApiError(message, _code(status), status=status, name=name)


def _code(status: int) -> Code:
    return Code.NOT_ALLOWED if status in {_UNAUTHENTICATED, _FORBIDDEN} else Code.FAILED


class Client:
    """One server, one person."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._http = httpx.Client(**http_options(session))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()

    def get(self, path: str, **params: str | int | None) -> dict[str, Any]:
        """Read something; parameters that are None are left out."""
        given = {name: each for name, each in params.items() if each is not None}
        return self._send(self._http.build_request("GET", path, params=given))

    def items(self, path: str, **params: str | int | None) -> list[dict[str, Any]]:
        """Read a whole list, page by page."""
        found: list[dict[str, Any]] = []
        cursor: str | None = None
        for _ in range(MAX_PAGES):
            page = self.get(path, cursor=cursor, **params)
            found += [each for each in page.get("items", ()) if isinstance(each, dict)]
            cursor = page.get("next_cursor")
            if not cursor:
                break
        return found

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Ask for something to be done."""
        return self._send(self._http.build_request("POST", path, json=dict(body or {})))

    def patch(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Change something."""
        return self._send(self._http.build_request("PATCH", path, json=dict(body)))

    def delete(self, path: str) -> dict[str, Any]:
        """Take something away."""
        return self._send(self._http.build_request("DELETE", path))

    def _send(self, request: httpx.Request) -> dict[str, Any]:
        try:
            response = self._http.send(request, stream=True)
            try:
                body = b""
                for piece in response.iter_bytes():
                    body += piece
                    if len(body) > MAX_ANSWER:
                        raise CommandError("the server's answer is too long to be right.")
            finally:
                response.close()
        except httpx.HTTPError as error:
            raise unreachable(self.session, error) from None
        if response.status_code >= _ERROR:
            raise problem(response.status_code, body)
        return _object(body)


def _object(body: bytes) -> dict[str, Any]:
    try:
        read = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        read = None
    if not isinstance(read, dict):
        raise CommandError("the server's answer is not JSON. Is this a KITTY server?")
    return read
