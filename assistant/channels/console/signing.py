"""Whether a person can sign a request in this browser, and if not, what is missing."""

from collections.abc import Mapping, Sequence
from typing import Any

from assistant.relying import relying_party
from assistant.services import Services
from infra.settings import SyncedKeys
from infra.store.credentials import KeyState, ListedKey
from safety.entities import Hazard, KeyKind, User
from safety.webauthn import base64url
from tools.desk import ApprovalView

_SIGNED_FOR = frozenset({Hazard.MEDIUM.word, Hazard.HIGH.word})


async def signing(
    services: Services,
    view: ApprovalView,
    user: User,
    details: Mapping[str, Any],
    document: Mapping[str, Any],
) -> dict[str, Any] | None:
    """Return the person's keys for a request, or in words what is missing; None if it is over."""
    if view.status != "pending" or view.hazard not in _SIGNED_FOR:
        return None
    site = relying_party(services.public_url)
    roles = set(document.get("policy", {}).get("roles", ()))
    if str(user.id) in details.get("signer_ids", ()):
        return _missing("You have signed. Somebody else has to sign too.")
    if not roles & user.roles:
        return _missing(f"Only people with the role {_either(sorted(roles))} may sign this.")
    if site is None:
        return _missing(
            "Signing in the browser needs https and a host name: KITTY_PUBLIC_URL says neither.",
        )
    keys = [key for key in await services.people.listed_keys(user.id) if _is_for(key, site.rp_id)]
    strict = services.settings.gate.synced_keys is SyncedKeys.REFUSE
    high = view.hazard == Hazard.HIGH.word
    usable = [key for key in _valid(keys) if not (strict and high and key.synced)]
    if not usable:
        return _missing(_why_none(keys), keys_page=True)
    return {
        "why": None,
        "keys_page": False,
        "rp_id": site.rp_id,
        "origin": site.origin,
        "keys": [
            {
                "key_id": key.id,
                "credential_id": base64url(key.credential_id or b""),
                "transports": list(key.transports),
            }
            for key in usable
        ],
    }


def _missing(why: str, *, keys_page: bool = False) -> dict[str, Any]:
    return {"why": why, "keys_page": keys_page, "rp_id": None, "origin": None, "keys": []}


def _is_for(key: ListedKey, rp_id: str) -> bool:
    return key.kind is KeyKind.WEBAUTHN and key.rp_id == rp_id


def _valid(keys: Sequence[ListedKey]) -> list[ListedKey]:
    return [key for key in keys if key.state is KeyState.VALID]


def _why_none(keys: Sequence[ListedKey]) -> str:
    if _valid(keys):
        return (
            "Your passkey can be copied to other devices, so it does not count for high hazards. "
            "Add a security key."
        )
    if any(key.state is KeyState.WAITS for key in keys):
        return "Your key waits until an admin has confirmed it."
    return "You have no security key or passkey here yet. Add one, then you can sign."


def _either(words: Sequence[str]) -> str:
    return " or ".join(words) if words else "that the zone asks for"
