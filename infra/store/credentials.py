"""Security keys and passkeys: from the browser's first word to a key that counts.

A browser's key counts when an admin has confirmed it.  Only the very first key of a person who
came in by a one-time link within the hour confirms itself: the link came from an admin.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from infra import ids
from infra.store import credentials_sql as sql
from infra.store.entry import Connected, Entry, digest_of, unknown_user
from infra.store.people_records import PeopleError, checked_label
from infra.store.people_sql import REVOKE_KEY
from infra.store.rows import Row
from safety.credentials import NewCredential
from safety.entities import KeyId, KeyKind, User, UserId
from safety.signatures import key_id

MAX_PER_PERSON: Final = 50
"""Live keys, and live tokens, that one person may have."""
CHALLENGE_TTL: Final = timedelta(minutes=10)
"""How long somebody may take to touch their new key."""
LINK_COUNTS_FOR: Final = timedelta(hours=1)
"""How long after a one-time link was used a first key confirms itself."""
TRANSPORTS: Final = frozenset({"usb", "nfc", "ble", "smart-card", "hybrid", "internal", "cable"})
"""Ways to a key that browsers name; others are left out."""


class KeyState(StrEnum):
    """Where a key stands."""

    WAITS = "waits"
    """For an admin."""
    VALID = "valid"
    REVOKED = "revoked"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedKey:
    """A key of any kind as lists show it."""

    id: KeyId
    user: UserId
    handle: str
    display_name: str
    kind: KeyKind
    algorithm: str
    label: str
    state: KeyState
    created_at: datetime
    revoked_at: datetime | None
    last_used: datetime | None
    confirmed_by: str | None
    """Name of the admin who confirmed it."""
    credential_id: bytes | None
    """Exactly for browsers' keys: what the browser calls it."""
    rp_id: str | None
    aaguid: UUID | None
    synced: bool
    backed_up: bool
    transports: Sequence[str]


class Credentials(Entry):
    """Browsers' keys, and lists of all keys."""

    async def challenge(self, user: UserId, now: datetime) -> bytes:
        """Return what the person's new key is to sign; good once and for a few minutes."""
        made = ids.challenge()
        values = {"digest": _digest(made), "user": user, "now": now, "expires": now + CHALLENGE_TTL}
        async with self._store() as store:
            if await store.one(sql.OPEN_CHALLENGE, values) is None:
                raise unknown_user()
        return made

    async def use_challenge(self, user: UserId, challenge: bytes, now: datetime) -> bool:
        """Use a challenge up; False if it is not this person's, was used, or has run out."""
        values = {"digest": _digest(challenge), "user": user, "now": now}
        async with self._store() as store:
            return await store.one(sql.USE_CHALLENGE, values) is not None

    async def register(
        self,
        user: UserId,
        credential: NewCredential,
        *,
        rp_id: str,
        label: str,
        transports: Sequence[str],
        now: datetime,
        session: str | None,
    ) -> ListedKey:
        """Store a new browser's key; it waits for an admin unless it may confirm itself."""
        new = key_id(credential.spki)
        row = {
            "id": new,
            "user": user,
            "credential": credential.credential_id,
            "algorithm": credential.algorithm,
            "spki": credential.spki,
            "rp_id": rp_id,
            "label": checked_label(label),
            "aaguid": credential.aaguid,
            "sign_count": credential.sign_count,
            "synced": credential.synced,
            "backed_up": credential.backed_up,
            "transports": sorted(TRANSPORTS & set(transports)),
            "now": now,
        }
        async with self._changing() as store:
            await _refuse_too_many(store, user)
            first = await store.one(sql.HAS_HAD_KEYS, {"user": user}) is None
            if await store.one(sql.REGISTER, row) is None:
                raise PeopleError(
                    "key_taken", "this key is known already, or you may not add one; use another"
                )
            if first and await _by_fresh_link(store, user, session, now):
                await store.one(sql.CONFIRM, {"id": new, "by": None, "now": now})
                await store.one(sql.ADMIT, {"id": new, "now": now})
            return await _listed(store, new)

    async def confirm_key(self, key: KeyId, admin: User, now: datetime) -> ListedKey:
        """Let a waiting key count from now on."""
        async with self._changing() as store:
            listed = await _listed(store, key)
            alone = await store.one(sql.OTHER_ADMINS, {"user": admin.id}) is None
            if listed.user == admin.id and not alone:
                raise PeopleError("own_key", "another admin has to confirm your own key")
            if await store.one(sql.CONFIRM, {"id": key, "by": admin.id, "now": now}) is None:
                raise PeopleError("not_waiting", "this key does not wait to be confirmed")
            await store.one(sql.ADMIT, {"id": key, "now": now})
            return await _listed(store, key)

    async def revoke_key(self, key: KeyId, now: datetime) -> bool:
        """Refuse a key's signatures from now on, for good; tell whether it was in use."""
        async with self._changing() as store:
            for statement in (REVOKE_KEY, sql.REFUSE):
                if await store.one(statement, {"id": key, "now": now}) is not None:
                    return True
        return False

    async def rename_key(self, key: KeyId, label: str) -> ListedKey:
        """Give a key another name."""
        async with self._changing() as store:
            await store.one(sql.RENAME, {"id": key, "label": checked_label(label)})
            return await _listed(store, key)

    async def listed_keys(self, user: UserId | None = None) -> list[ListedKey]:
        """Return the keys of a person, or all, of every kind and state."""
        async with self._store() as store:
            return [_key(row) for row in await store.every(sql.LIST, {"user": user, "id": None})]

    async def named(self, credential: bytes) -> KeyId | None:
        """Return which key a browser means by this name."""
        async with self._store() as store:
            row = await store.one(sql.NAMED, {"credential": credential})
        return None if row is None else KeyId(row["key_id"])

    async def listed_key(self, key: KeyId) -> ListedKey:
        """Return one key; raise PeopleError if there is none."""
        async with self._store() as store:
            return await _listed(store, key)


async def _listed(store: Connected, key: KeyId) -> ListedKey:
    row = await store.one(sql.LIST, {"user": None, "id": key})
    if row is None:
        raise PeopleError("unknown_key", "there is no such key; see the list of keys")
    return _key(row)


async def _by_fresh_link(
    store: Connected, user: UserId, session: str | None, now: datetime
) -> bool:
    if session is None:
        return False
    values = {
        "digest": digest_of(session),
        "user": user,
        "now": now,
        "since": now - LINK_COUNTS_FOR,
    }
    return await store.one(sql.FRESH_LINK, values) is not None


async def _refuse_too_many(store: Connected, user: UserId) -> None:
    rows = await store.every(sql.LIST, {"user": user, "id": None})
    live = [row for row in rows if not row["revoked_at"] and not row["refused_at"]]
    if len(live) >= MAX_PER_PERSON:
        raise PeopleError(
            "too_many", f"a person has at most {MAX_PER_PERSON} public keys; revoke one first"
        )


def _key(row: Row) -> ListedKey:
    return ListedKey(
        id=KeyId(row["id"]),
        user=UserId(row["user_id"]),
        handle=row["handle"],
        display_name=row["display_name"],
        kind=KeyKind(row["kind"]),
        algorithm=row["algorithm"],
        label=row["label"],
        state=_state(row),
        created_at=row["created_at"],
        revoked_at=row["revoked_at"],
        last_used=row["last_used"],
        confirmed_by=row["confirmed_by"],
        credential_id=None if row["credential_id"] is None else bytes(row["credential_id"]),
        rp_id=row["rp_id"],
        aaguid=row["aaguid"],
        synced=row["synced"],
        backed_up=row["backed_up"],
        transports=tuple(row["transports"]),
    )


def _state(row: Row) -> KeyState:
    if row["revoked_at"] is not None:
        return KeyState.REVOKED
    if row["refused_at"] is not None:
        return KeyState.REFUSED
    return KeyState.WAITS if row["waits"] else KeyState.VALID


def _digest(challenge: bytes) -> str:
    return hashlib.sha256(challenge).hexdigest()
