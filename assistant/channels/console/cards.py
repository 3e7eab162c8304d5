"""What the console shows of a request that waits, or waited, for people."""

import base64
import json
from collections.abc import Mapping
from typing import Any, Final

from assistant.channels.console.signing import signing
from assistant.services import Services
from assistant.words import approve_path, capital
from safety.entities import EventId, Hazard, Role, User
from tools.desk import ApprovalView

Card = Mapping[str, Any]

_ENDS: Final[Mapping[str, tuple[str, str, str]]] = {
    "done": ("Done", "check_circle", "good"),
    "failed": ("Failed", "error", "bad"),
    "unknown": ("Not known", "help", "warn"),
}
"""Word, icon and tone of each outcome."""


async def card_of(services: Services, event: EventId, user: User) -> Card | None:
    """Return the card of one request as this person sees it; None if there is none."""
    view = await services.approvals.get(event)
    return None if view is None else await full_card(services, view, user)


async def full_card(services: Services, view: ApprovalView, user: User) -> Card:
    """Return a card with the place, the rules and the equipment, from the bytes to sign."""
    details = await services.event_details(view.event) or {}
    document = document_of(details) if details else {}
    sign = await signing(services, view, user, details, document)
    return card_json(view, user, document) | {"sign": sign}


def document_of(details: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the signed document of a request."""
    document: Mapping[str, Any] = json.loads(base64.b64decode(details["canonical"]))
    return document


def card_json(view: ApprovalView, user: User, document: Mapping[str, Any]) -> dict[str, Any]:
    """Put a request into the words and fields that the browser shows.  Pure."""
    mine = view.requested_by.id == user.id
    word, icon, tone = _standing(view)
    zone = document.get("zone", {}).get("name")
    device = document.get("device", {}).get("name")
    signs = view.hazard in {Hazard.MEDIUM.word, Hazard.HIGH.word}
    return {
        "id": str(view.event),
        "what": capital(view.what),
        "hazard": view.hazard,
        "open": view.status == "pending",
        "word": word,
        "icon": icon,
        "tone": tone,
        "where": ", ".join(each for each in (device, zone) if each),
        "requested_by": view.requested_by.display_name,
        "signed_by": list(view.signed_by),
        "needs": list(view.needs),
        "ppe": list(document.get("ppe", ())),
        "reason": view.reason,
        "created_at": view.created_at.isoformat(),
        "expires_at": view.expires_at.isoformat(),
        "mine": mine,
        "may_deny": mine or _trusted(user, document),
        "command": f"kitt approve {view.event} --key FILE" if signs else None,
        "url": approve_path(view.event),
    }


def _trusted(user: User, document: Mapping[str, Any]) -> bool:
    """Tell whether the gate would take a no from this person; the gate decides in the end."""
    allowed = set(document.get("policy", {}).get("roles", ()))
    return bool(user.roles & {Role.SAFETY, Role.ADMIN}) or bool(allowed & user.roles)


def _standing(view: ApprovalView) -> tuple[str, str, str]:
    if view.status == "pending":
        return ("Waiting", "hourglass_top", "waiting")
    if view.status == "denied":
        return ("Refused", "block", "idle")
    return _ENDS.get(view.outcome or "", ("Approved", "verified", "good"))
