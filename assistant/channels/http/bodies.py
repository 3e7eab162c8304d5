"""Reading a request's body: within its limits, in time, strict JSON."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from starlette.types import Message, Receive

from assistant.access import Problem
from infra.wire import WireError, strict_object

READ_WITHIN: Final = timedelta(seconds=30)
"""How long a caller may take to send a body."""


async def read_object(headers: Mapping[bytes, bytes], receive: Receive, *, limit: int) -> Receive:
    """Read a body of at most `limit` bytes and refuse what is not one strict JSON object.

    Returns where the application reads the same body from.  Raises Problem.
    """
    declared = headers.get(b"content-length", b"")
    if declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    try:
        async with asyncio.timeout(READ_WITHIN.total_seconds()):
            body = await _read(receive, limit)
    except TimeoutError:
        raise Problem(
            408, "body_too_slow", "The body did not arrive in time. Send it again.", retryable=True
        ) from None
    if body:
        _require_json(headers.get(b"content-type", b""))
        try:
            strict_object(body, limit=limit)
        except WireError as error:
            raise Problem(400, "bad_json", f"The body is not usable JSON: {error}.") from None
    return _replay(body, receive)


async def _read(receive: Receive, limit: int) -> bytes:
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Problem(400, "body_cut_off", "The body ended early. Send it again.")
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > limit:
            raise _too_large(limit)
    return bytes(body)


def _too_large(limit: int) -> Problem:
    return Problem(413, "body_too_large", f"The body is over {limit:,} bytes. Send less.")


def _require_json(content_type: bytes) -> None:
    if content_type.partition(b";")[0].strip().lower() != b"application/json":
        raise Problem(415, "not_json", "Send JSON, and say so: Content-Type: application/json.")


def _replay(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def again() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
