"""Which host names we answer to: on loopback only our own, so that no page can rebind its name."""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import urlsplit

_OURS: Final = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Hosts:
    """The names; None means any."""

    names: frozenset[str] | None

    @classmethod
    def of(cls, bound_to: str, public_url: str | None) -> Self:
        """Return the names of a server that listens on an address."""
        if not _is_loopback(bound_to):
            return cls(None)
        public = urlsplit(public_url or "").hostname
        return cls(_OURS | {bound_to.lower()} | ({public} if public else set()))

    def allow(self, headers: Iterable[tuple[bytes, bytes]]) -> bool:
        """Tell whether a request names exactly one host, and one of ours."""
        if self.names is None:
            return True
        given = [value for name, value in headers if name == b"host"]
        return len(given) == 1 and _name(given[0].decode("latin-1")) in self.names


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _name(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None
