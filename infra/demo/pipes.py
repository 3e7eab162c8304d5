"""Lines of JSON between the lab's own processes: what is seen, and what is ordered."""

import os
from collections.abc import Callable, Mapping
from typing import Any, Final

from infra.demo.hub import Hub
from infra.demo.wire import WireError, decode, encode

MAX_LINE: Final = 4_096
"""Bytes that a pipe takes at once, also from several writers (PIPE_BUF)."""
Handler = Callable[[Mapping[str, Any]], None]


class Pipe:
    """A pipe made before forking: any process of the lab may write, one listens."""

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)

    def say(self, message: Mapping[str, Any]) -> bool:
        """Write one line; return whether there was room for it."""
        line = encode(message) + b"\n"
        if len(line) > MAX_LINE:
            return False
        try:
            os.write(self._writer, line)
        except BlockingIOError:
            return False
        return True

    def listen(self, hub: Hub, handler: Handler) -> None:
        """Hand every line from now on to a handler; broken ones are skipped."""
        hub.watch(self, _Listener(self._reader, handler))

    def fileno(self) -> int:
        """Return the end that is read."""
        return self._reader


class _Listener:
    """Cuts what arrives into lines."""

    def __init__(self, reader: int, handler: Handler) -> None:
        self._reader = reader
        self._handler = handler
        self._rest = b""

    def readable(self) -> None:
        """Take what has arrived."""
        *lines, self._rest = (self._rest + os.read(self._reader, 65_536)).split(b"\n")
        for line in lines:
            try:
                self._handler(decode(line))
            except WireError:
                continue

    def writable(self) -> None:
        """Nothing is ever written at this end."""
