"""The lab's own clock; it may not use the product's."""

import time
from datetime import UTC, datetime


def now() -> datetime:
    """Wall-clock time in UTC."""
    return datetime.now(UTC)  # noqa: TID251 - devices have clocks of their own


def monotonic() -> float:
    """Seconds that never go back: for waiting."""
    return time.monotonic()
