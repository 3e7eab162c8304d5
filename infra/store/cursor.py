"""Where a page of a list ended: a time and an id, as text that callers hand back."""

import base64
import binascii
from datetime import UTC, datetime
from uuid import UUID

from infra.db import StoreError

Place = tuple[datetime, UUID]
"""What a list is ordered by."""


class BadCursorError(StoreError):
    """The cursor is not one that this list gave out."""

    code = "bad_cursor"


def cursor_of(at: datetime, identity: UUID) -> str:
    """Return the cursor of the page after this row."""
    return base64.urlsafe_b64encode(f"{at.isoformat()}|{identity}".encode()).decode()


def place_of(cursor: str | None) -> Place | tuple[None, None]:
    """Return where a cursor stands; nowhere without one.  Raises BadCursorError."""
    if not cursor:
        return None, None
    try:
        at, _, identity = base64.urlsafe_b64decode(cursor.encode()).decode().partition("|")
        return datetime.fromisoformat(at).astimezone(UTC), UUID(identity)
    except (ValueError, OverflowError, binascii.Error):
        raise BadCursorError("that cursor is not valid; start again without one") from None
