"""The lab's control port: one line of JSON orders a fault, one line answers."""

import json
import socket
from collections.abc import Callable, Mapping
from typing import Any, Final

from infra.demo.hub import Hub
from infra.demo.machine import Fault
from infra.demo.pipes import MAX_LINE
from infra.demo.wire import WireError, decode, encode

PATIENCE_SECONDS: Final = 2.0
"""How long somebody may take to say what they want."""
BADGES: Final = "badges"
"""What an order to the badge readers names as its device."""
Deliver = Callable[[str, Mapping[str, Any]], bool]
"""Passes an order on to a device; False if there is no such device."""


class ControlPort:
    """Listens on loopback only."""

    def __init__(self, hub: Hub, *, port: int, deliver: Deliver) -> None:
        """`port` 0 takes any free one."""
        self._server = socket.create_server(("127.0.0.1", port))
        self._deliver = deliver
        hub.watch(self._server, self)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.getsockname()[1])

    def readable(self) -> None:
        """Take one order."""
        try:
            caller, _ = self._server.accept()
            with caller:
                caller.settimeout(PATIENCE_SECONDS)
                caller.sendall(encode(self._obey(_line(caller))) + b"\n")
        except OSError:
            return  # the caller has gone; whoever comes next is served

    def writable(self) -> None:
        """Nothing is ever written to a listening socket."""

    def _obey(self, line: bytes) -> Mapping[str, Any]:
        try:
            order = decode(line)
        except WireError as error:
            return {"ok": False, "detail": str(error)}
        device, fault = order.get("device"), order.get("fault")
        if not isinstance(device, str):
            return {"ok": False, "detail": "the order names no device"}
        if device != BADGES and fault not in set(Fault):
            return {"ok": False, "detail": f"the faults are {', '.join(Fault)}, not {fault!r}"}
        if not self._deliver(device, order):
            return {"ok": False, "detail": f"there is no device {device!r}"}
        return {"ok": True, "detail": ""}


def send_order(port: int, order: str) -> dict[str, Any]:
    """Give the lab an order, a line of JSON; return its answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS) as lab:
        lab.sendall(order.encode() + b"\n")
        answer: dict[str, Any] = json.loads(_line(lab))
        return answer


def _line(sock: socket.socket) -> bytes:
    received = b""
    while b"\n" not in received and len(received) < MAX_LINE:
        more = sock.recv(MAX_LINE)
        if not more:
            break
        received += more
    return received.split(b"\n", 1)[0]
