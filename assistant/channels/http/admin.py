"""People, keys and tokens over REST, for admins."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from assistant.access import Problem, require_role
from assistant.channels.http.people import Caller
from assistant.services import Services
from infra.store.people_records import ApiToken
from safety.entities import KeyId, PublicKey, Role, User, UserId


class NewUser(BaseModel):
    """A person to add."""

    model_config = ConfigDict(extra="forbid")
    handle: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")
    display_name: str = Field(min_length=1, max_length=200)
    roles: list[Role] = Field(min_length=1, max_length=4)
    email: str | None = Field(default=None, max_length=320)


class ChangedUser(BaseModel):
    """What changes."""

    model_config = ConfigDict(extra="forbid")
    roles: list[Role] | None = Field(default=None, min_length=1, max_length=4)
    disabled: bool | None = None


class NewKey(BaseModel):
    """A public key to enrol."""

    model_config = ConfigDict(extra="forbid")
    label: str = Field(min_length=1, max_length=200)
    spki: str = Field(min_length=1, max_length=4_096)
    """PEM, or base64 of the DER SubjectPublicKeyInfo."""


class NewTokenBody(BaseModel):
    """A bearer token to make."""

    model_config = ConfigDict(extra="forbid")
    label: str = Field(min_length=1, max_length=200)


def router(services: Services) -> APIRouter:
    """Build the routes."""
    routes = APIRouter()
    for part in (_users, _tokens, _keys):
        routes.routes.extend(part(services).routes)
    return routes


def _users(services: Services) -> APIRouter:
    routes = APIRouter(tags=["people"])
    people = services.people

    @routes.get("/api/users", summary="Everybody")
    async def users(caller: Caller) -> dict[str, Any]:
        require_role(caller, Role.ADMIN)
        accounts = await people.users()
        return {
            "items": [
                user_json(each.user) | {"disabled": each.disabled_at is not None}
                for each in accounts
            ],
            "next_cursor": None,
        }

    @routes.post("/api/users", status_code=201, summary="Add a person")
    async def add(body: NewUser, caller: Caller) -> dict[str, Any]:
        require_role(caller, Role.ADMIN)
        user = await people.create(
            handle=body.handle,
            display_name=body.display_name,
            roles=body.roles,
            email=body.email,
            now=services.now(),
        )
        return user_json(user)

    @routes.patch("/api/users/{user}", summary="Change roles, disable or enable")
    async def change(user: UUID, body: ChangedUser, caller: Caller) -> dict[str, Any]:
        require_role(caller, Role.ADMIN)
        changed: User | None = None
        if body.roles is not None:
            changed = await people.set_roles(UserId(user), body.roles)
        if body.disabled is True:
            changed = await people.disable(UserId(user), services.now())
        elif body.disabled is False:
            changed = await people.enable(UserId(user))
        if changed is None:
            raise Problem(422, "nothing_to_change", "Give roles or disabled.")
        return user_json(changed)

    return routes


def _tokens(services: Services) -> APIRouter:
    routes = APIRouter(tags=["people"])
    people = services.people

    @routes.post("/api/users/{user}/tokens", status_code=201, summary="Make a bearer token")
    async def token(user: UUID, body: NewTokenBody, caller: Caller) -> dict[str, Any]:
        _self_or_admin(caller, user)
        made = await people.create_token(UserId(user), body.label, services.now())
        return {"token": made.text} | token_json(made.token)

    @routes.get("/api/users/{user}/tokens", summary="A person's bearer tokens, without their text")
    async def tokens(user: UUID, caller: Caller) -> dict[str, Any]:
        _self_or_admin(caller, user)
        found = await people.tokens(UserId(user))
        return {"items": [token_json(each) for each in found], "next_cursor": None}

    @routes.delete("/api/tokens/{token}", summary="Revoke a bearer token")
    async def revoke(token: UUID, caller: Caller) -> dict[str, bool]:
        require_role(caller, Role.ADMIN)
        return {"revoked": await people.revoke_token(token, services.now())}

    return routes


def _keys(services: Services) -> APIRouter:
    routes = APIRouter(tags=["people"])
    people = services.people

    @routes.get("/api/users/{user}/keys", summary="A person's public keys")
    async def keys(user: UUID, caller: Caller) -> dict[str, Any]:
        _self_or_admin(caller, user)
        found = await people.keys(UserId(user))
        return {"items": [key_json(each) for each in found], "next_cursor": None}

    @routes.post("/api/users/{user}/keys", status_code=201, summary="Enrol a public key")
    async def enrol(user: UUID, body: NewKey, caller: Caller) -> dict[str, Any]:
        require_role(caller, Role.ADMIN)
        key = await people.enrol_key(UserId(user), body.spki, body.label, services.now())
        return key_json(key)

    @routes.delete("/api/keys/{key:path}", summary="Revoke a key, for good")
    async def revoke(
        key: Annotated[str, Path(pattern=r"^[\x21-\x7e]{1,200}$")], caller: Caller
    ) -> dict[str, bool]:
        require_role(caller, Role.ADMIN)
        return {"revoked": await people.revoke_key(KeyId(key), services.now())}

    return routes


def _self_or_admin(caller: User, user: UUID) -> None:
    if caller.id != user:
        require_role(caller, Role.ADMIN)


def user_json(user: User) -> dict[str, Any]:
    """Return a person."""
    return {
        "id": str(user.id),
        "handle": user.handle,
        "display_name": user.display_name,
        "email": user.email,
        "roles": sorted(user.roles),
    }


def key_json(key: PublicKey) -> dict[str, Any]:
    """Return a public key."""
    return {
        "id": key.id,
        "user_id": str(key.user),
        "algorithm": key.algorithm,
        "label": key.label,
        "revoked_at": None if key.revoked_at is None else key.revoked_at.isoformat(),
    }


def token_json(token: ApiToken) -> dict[str, Any]:
    """Return what may be shown of a token."""
    return {
        "id": str(token.id),
        "user_id": str(token.user),
        "label": token.label,
        "created_at": token.created_at.isoformat(),
        "last_used_at": None if token.last_used_at is None else token.last_used_at.isoformat(),
        "expires_at": None if token.expires_at is None else token.expires_at.isoformat(),
        "revoked_at": None if token.revoked_at is None else token.revoked_at.isoformat(),
    }
