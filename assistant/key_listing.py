"""Keys as lists show them, over HTTP and in the console."""

from typing import Any

from infra.store.credentials import ListedKey
from safety.webauthn import base64url


def key_listing(key: ListedKey) -> dict[str, Any]:
    """Return a key's fields as JSON values."""
    return {
        "id": key.id,
        "user_id": str(key.user),
        "handle": key.handle,
        "display_name": key.display_name,
        "kind": key.kind,
        "algorithm": key.algorithm,
        "label": key.label,
        "state": key.state,
        "created_at": key.created_at.isoformat(),
        "revoked_at": None if key.revoked_at is None else key.revoked_at.isoformat(),
        "last_used": None if key.last_used is None else key.last_used.isoformat(),
        "confirmed_by": key.confirmed_by,
        "credential_id": None if key.credential_id is None else base64url(key.credential_id),
        "rp_id": key.rp_id,
        "aaguid": None if key.aaguid is None else str(key.aaguid),
        "synced": key.synced,
        "backed_up": key.backed_up,
        "transports": list(key.transports),
    }
