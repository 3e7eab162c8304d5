"""The one thread of a device process: sockets, timers and a way to stop it."""

import heapq
import itertools
import os
import selectors
import signal
import socket
from collections.abc import Callable
from typing import Final, Protocol

from infra.demo import clock

LONGEST_WAIT: Final = 1.0
"""Seconds after which the hub looks whether its parent is still there."""
Action = Callable[[], None]


class Reader(Protocol):
    """Something with a socket."""

    def readable(self) -> None:
        """Take what has arrived."""
        ...

    def writable(self) -> None:
        """Send what could not be sent before."""
        ...


class HasFileno(Protocol):
    """A socket or a pipe."""

    def fileno(self) -> int:
        """Return the file descriptor."""
        ...


class Hub:
    """Runs timers and sockets until it is told to stop, or its parent has gone."""

    def __init__(self, *, parent: int) -> None:
        """`parent` is the process id without which this process has no business."""
        self._selector = selectors.DefaultSelector()
        self._timers: list[tuple[float, int, Action]] = []
        self._order = itertools.count()
        self._stopping = False
        self._parent = parent
        self._wake, self._waker = socket.socketpair()
        for end in (self._wake, self._waker):
            end.setblocking(False)  # noqa: FBT003 - the library's signature
        self._selector.register(self._wake, selectors.EVENT_READ)

    def later(self, seconds: float, action: Action) -> None:
        """Run something after some seconds."""
        heapq.heappush(self._timers, (clock.monotonic() + seconds, next(self._order), action))

    def every(self, seconds: float, action: Action) -> None:
        """Run something again and again, first after `seconds`."""

        def again() -> None:
            self.later(seconds, again)
            action()

        self.later(seconds, again)

    def watch(self, sock: HasFileno, reader: Reader, *, write: bool = False) -> None:
        """Tell the reader when its socket is readable, and with `write` when it is writable."""
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if write else 0)
        if sock in self._selector.get_map():
            self._selector.modify(sock, events, reader)
        else:
            self._selector.register(sock, events, reader)

    def forget(self, sock: HasFileno) -> None:
        """Look at a socket no longer."""
        if sock in self._selector.get_map():
            self._selector.unregister(sock)

    def stop_on(self, *numbers: signal.Signals) -> None:
        """Stop when one of these signals comes."""
        for number in numbers:
            signal.signal(number, lambda *_: self.stop())

    def stop(self) -> None:
        """End `run` soon; fine to call from a signal handler."""
        self._stopping = True
        self._waker.send(b"!")

    def run(self) -> None:
        """Work until stopped."""
        while not self._stopping and os.getppid() == self._parent:
            self._turn()

    def drain(self, seconds: float, *, until: Callable[[], bool]) -> None:
        """Go on for at most some seconds, until a condition holds."""
        end = clock.monotonic() + seconds
        while not until() and clock.monotonic() < end:
            self._turn(longest=0.05)

    def _turn(self, longest: float = LONGEST_WAIT) -> None:
        wait = min(self._timers[0][0] - clock.monotonic(), longest) if self._timers else longest
        for key, events in self._selector.select(max(wait, 0.0)):
            if key.data is None:
                self._wake.recv(64)
                continue
            if events & selectors.EVENT_READ:
                key.data.readable()
            if events & selectors.EVENT_WRITE:
                key.data.writable()
        while self._timers and self._timers[0][0] <= clock.monotonic():
            heapq.heappop(self._timers)[2]()
