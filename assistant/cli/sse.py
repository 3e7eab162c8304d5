"""Server-sent events, read from bytes.  No I/O here.

Lines end at LF, CR or CRLF only: httpx's own line reader also splits at characters such as
U+2028, which JSON may hold.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

MAX_EVENT: Final = 4 * 1024 * 1024
"""Bytes of one event."""
_LINE: Final = re.compile(rb"\r\n|\n|\r(?!\Z)")


class StreamError(ValueError):
    """The stream is not one of server-sent events with JSON in them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerEvent:
    """One event."""

    name: str
    data: dict[str, Any]


class Decoder:
    """Turns pieces of a stream into events."""

    def __init__(self) -> None:
        self._rest = b""
        self._name = ""
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, piece: bytes) -> Iterator[ServerEvent]:
        """Take the next bytes and return the events they complete."""
        *lines, self._rest = _LINE.split(self._rest + piece)
        for line in lines:
            event = self._line(line)
            if event is not None:
                yield event
        if len(self._rest) + self._size > MAX_EVENT:
            raise StreamError(f"an event has more than {MAX_EVENT} bytes")

    def _line(self, line: bytes) -> ServerEvent | None:
        if not line:
            return self._dispatch()
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"event":
            self._name = value.decode(errors="replace")
        elif field == b"data":
            self._data.append(value)
            self._size += len(value)
        return None

    def _dispatch(self) -> ServerEvent | None:
        name, data = self._name or "message", b"\n".join(self._data)
        self._name, self._data, self._size = "", [], 0
        if not data:
            return None
        try:
            read = json.loads(data)
        except (ValueError, RecursionError):
            read = None
        if not isinstance(read, dict):
            raise StreamError("an event of the server is not a JSON object")
        return ServerEvent(name=name, data=read)
