"""For which host and pages people's browsers sign: it follows from KITTY's public address."""

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

_LOCAL = "localhost"


@dataclass(frozen=True, slots=True, kw_only=True)
class RelyingParty:
    """What browsers call a site that keys sign for."""

    rp_id: str
    """Host name."""
    origin: str
    """The one address whose pages may ask for signatures, for example `https://kitty.example`."""


def relying_party(public_url: str) -> RelyingParty | None:
    """Return the site of a public address; None if browsers do not let keys sign there.

    They want a host name, not an address, and https (on this machine itself http will do).
    """
    parts = urlsplit(public_url)
    host = parts.hostname or ""
    if not host or _is_address(host) or (parts.scheme != "https" and host != _LOCAL):
        return None
    usual = {"https": 443, "http": 80}[parts.scheme]
    port = "" if parts.port in {None, usual} else f":{parts.port}"
    return RelyingParty(rp_id=host, origin=f"{parts.scheme}://{host}{port}")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
