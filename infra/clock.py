"""The one place that reads the clock."""

import time
from datetime import UTC, datetime


def now() -> datetime:
    """Wall-clock time in UTC: for records, deadlines between machines and people."""
    return datetime.now(UTC)  # noqa: TID251


def monotonic() -> float:
    """Seconds that never go back: for waiting and measuring."""
    return time.monotonic()
