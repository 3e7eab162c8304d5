"""Finding the SafetyEvent that a person means."""

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from assistant.cli.client import Client
from assistant.cli.leave import Code, CommandError
from assistant.cli.words import escaped, quoted

LAST: Final = "last"
EVENTS: Final = "/api/safety/events"
SHORT: Final = 8
"""Characters of an id that people see, if that is enough to tell ids apart."""
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
    shorts = short_ids(str(each.get("id", "")) for each in waiting)
    listed = "".join(
        f"\n  {escaped(short)}  {escaped(str(each.get('what', '')))}"
        for short, each in zip(shorts, waiting, strict=True)
        if each in found[:_MAX_LISTED]
    )
    raise CommandError(f"{len(found)} events wait; say which one:{listed}", Code.USAGE)


def short_ids(identities: Iterable[str]) -> list[str]:
    """Shorten ids to what still tells them apart: ids made at one time begin alike."""
    whole = list(identities)
    for length in range(SHORT, max(map(len, whole), default=SHORT)):
        short = [each[:length] for each in whole]
        if len(set(short)) == len(set(whole)):
            return short
    return whole


def _whole(given: str | None) -> str | None:
    try:
        return str(UUID(given)) if given else None
    except ValueError:
        return None
