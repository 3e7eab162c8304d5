"""A guard against tests that reach another machine."""

import ipaddress
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_OWN_NAME = socket.gethostname()
_guarded: list[str] = []
"""What runs under guard now; an audit hook cannot be taken off again, so it asks here."""


class LeftTheMachineError(AssertionError):
    """A test tried to reach another machine."""


@contextmanager
def loopback_only(name: str) -> Iterator[None]:
    """Refuse connections, datagrams and name look-ups that are not for this machine."""
    _guarded.append(name)
    try:
        yield
    finally:
        _guarded.remove(name)


def _is_here(host: Any) -> bool:
    text = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host or "")
    if text in {"", "localhost", _OWN_NAME}:
        return True
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if not _guarded:
        return
    if event in {"socket.connect", "socket.sendto"} and isinstance(arguments[1], tuple):
        target = arguments[1][0]
    elif event == "socket.getaddrinfo":
        target = arguments[0]
    else:
        return
    if not _is_here(target):
        raise LeftTheMachineError(f"{_guarded[-1]} tried to reach {target!r} ({event})")


sys.addaudithook(_hook)
