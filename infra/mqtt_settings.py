"""How to reach a broker, what can go wrong, what is counted."""

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path


class BusUnavailableError(ConnectionError):
    """The broker cannot be reached; the message was certainly not sent."""

    code = "broker_unavailable"


class UnconfirmedError(BusUnavailableError):
    """The broker did not confirm the message in time; it may arrive yet."""

    code = "broker_unconfirmed"


@dataclass(frozen=True, slots=True, kw_only=True)
class BusSettings:
    """Where the broker is and who we are."""

    host: str
    port: int
    client_id: str
    """Fixed per home: the broker keeps messages for it while we are away."""
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    ca_file: Path | None = None
    keepalive: timedelta = timedelta(seconds=30)
    publish_within: timedelta = timedelta(seconds=5)
    """How long a publication may wait for the broker's confirmation."""
    reconnect_max: timedelta = timedelta(seconds=8)
    """Attempts are 1, 2, 4 s apart, up to this."""
    backlog: int = 20_000
    """Messages that may wait for handlers."""
    close_within: timedelta = timedelta(seconds=2)
    """How long handlers may take to finish at the end."""


@dataclass(slots=True, kw_only=True)
class BusCounters:
    """What went through, and what did not."""

    received: int = 0
    published: int = 0
    dropped_qos0: int = 0
    """Not guaranteed by their sender and too many at once."""
    postponed: int = 0
    """Too many at once; left with the broker, which sends them again."""
    unclaimed: int = 0
    """Nobody here wanted them."""
    connections: int = 0
    refused_subscriptions: int = 0
