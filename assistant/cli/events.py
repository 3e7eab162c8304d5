"""Finding the SafetyEvent that a person means."""

from typing import Any, Final
from uuid import UUID

from assistant.cli.client import Client
from assistant.cli.leave import Code, CommandError
from assistant.cli.screen import SHORT
from assistant.cli.words import escaped, quoted

LAST: Final = "last"
EVENTS: Final = "/api/safety/events"
_MAX_LISTED: Final = 10


def pending_events(client: Client) -> list[dict[str, Any]]:
    """Return everything that waits for people, newest first."""
    items = client.items(EVENTS, status="pending")
    return sorted(items, key=lambda each: str(each.get("created_at", "")), reverse=True)


def resolve(client: Client, given: str | None) -> str:
    """Return the id of the event meant by an id, a prefix of one, `last` or nothing."""
    whole = _whole(given)
    if whole is not None:
        return whole
    waiting = pending_events(client)
    if not waiting:
        raise CommandError("nothing waits for approval now.", Code.FAILED)
    if given == LAST:
        return str(waiting[0]["id"])
    prefix = (given or "").lower()
    found = [each for each in waiting if str(each.get("id", "")).startswith(prefix)]
    if len(found) == 1:
        return str(found[0]["id"])
    if not found:
        raise CommandError(
            f"nothing that waits begins with {quoted(prefix)}. `kitt approvals` lists what waits."
        )
    listed = "".join(f"\n  {line(each)}" for each in found[:_MAX_LISTED])
    raise CommandError(f"{len(found)} events wait; say which one:{listed}", Code.USAGE)


def line(event: dict[str, Any]) -> str:
    """Name an event on one line."""
    return f"{escaped(str(event.get('id', '')))[:SHORT]}  {escaped(str(event.get('what', '')))}"


def _whole(given: str | None) -> str | None:
    try:
        return str(UUID(given)) if given else None
    except ValueError:
        return None
