"""Security keys and passkeys over REST: add, list, rename, confirm, revoke; one-time links."""

from typing import Any, Final
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from assistant.access import COOKIE, Problem, require_role
from assistant.channels.http.people import Caller
from assistant.key_listing import key_listing
from assistant.relying import RelyingParty, relying_party
from assistant.services import Services
from infra.store.entry import LINK_TTL
from safety.credentials import ALGORITHMS, read_credential
from safety.entities import KeyId, Role, User, UserId
from safety.webauthn import WebAuthnError, base64url, challenge_of, from_base64url

_BASE64URL: Final = r"^[A-Za-z0-9_-]+$"
_TOUCH_WITHIN_MS: Final = 120_000
"""How long the browser waits for the person and their key."""


class NewBrowserKey(BaseModel):
    """What `navigator.credentials.create` returned, in base64url."""

    model_config = ConfigDict(extra="forbid")
    label: str = Field(min_length=1, max_length=200)
    authenticator_data: str = Field(min_length=1, max_length=2_800, pattern=_BASE64URL)
    client_data_json: str = Field(min_length=1, max_length=1_400, pattern=_BASE64URL)
    transports: list[str] = Field(default_factory=list, max_length=16)


class NamedKey(BaseModel):
    """Which key."""

    model_config = ConfigDict(extra="forbid")
    key_id: str = Field(min_length=1, max_length=200)


class Renamed(NamedKey):
    """A key and its new name."""

    label: str = Field(min_length=1, max_length=200)


def router(services: Services) -> APIRouter:
    """Build the routes."""
    routes = APIRouter()
    for part in (_registration, _keys, _links):
        routes.routes.extend(part(services).routes)
    return routes


def _registration(services: Services) -> APIRouter:
    routes = APIRouter(prefix="/api/webauthn", tags=["people"])
    people = services.people

    @routes.post("/registration", summary="Begin to add a security key or passkey of your own")
    async def begin(user: Caller) -> dict[str, Any]:
        site = _site(services)
        keys = await people.listed_keys(user.id)
        return {
            "rp": {"id": site.rp_id, "name": "KITTY"},
            "user": {
                "id": base64url(user.id.bytes),
                "name": user.handle,
                "displayName": user.display_name,
            },
            "challenge": base64url(await people.challenge(user.id, services.now())),
            "pubKeyCredParams": [{"type": "public-key", "alg": each} for each in ALGORITHMS],
            "timeout": _TOUCH_WITHIN_MS,
            "attestation": "none",
            "excludeCredentials": [
                {
                    "type": "public-key",
                    "id": base64url(key.credential_id),
                    "transports": list(key.transports),
                }
                for key in keys
                if key.credential_id is not None
            ],
            "authenticatorSelection": {
                "userVerification": "required",
                "residentKey": "preferred",
            },
        }

    @routes.post("/keys", status_code=201, summary="Add the key that the browser has made")
    async def add(body: NewBrowserKey, request: Request, user: Caller) -> dict[str, Any]:
        site, now = _site(services), services.now()
        session = None if "authorization" in request.headers else request.cookies.get(COOKIE)
        try:
            client_data = from_base64url(body.client_data_json)
            challenge = challenge_of(client_data)
            if challenge is None or not await people.use_challenge(user.id, challenge, now):
                raise Problem(
                    409, "challenge_over", "That took too long, or was done already. Begin again."
                )
            credential = read_credential(
                from_base64url(body.authenticator_data),
                client_data,
                challenge=challenge,
                rp_id=site.rp_id,
                origins=frozenset({site.origin}),
            )
        except WebAuthnError as error:
            raise Problem(422, error.code, str(error)) from None
        except ValueError:
            raise Problem(422, "bad_request", "That is not base64url. See /docs.") from None
        key = await people.register(
            user.id,
            credential,
            rp_id=site.rp_id,
            label=body.label,
            transports=body.transports,
            now=now,
            session=session,
        )
        _tell(services)
        return key_listing(key)

    return routes


def _keys(services: Services) -> APIRouter:
    routes = APIRouter(prefix="/api/webauthn", tags=["people"])
    people = services.people

    @routes.get("/keys", summary="Your keys, or everybody's for admins; of every kind and state")
    async def keys(user: Caller, *, everybody: bool = False) -> dict[str, Any]:
        if everybody:
            require_role(user, Role.ADMIN)
        found = await people.listed_keys(None if everybody else user.id)
        return {"items": [key_listing(each) for each in found], "next_cursor": None}

    @routes.post("/keys/rename", summary="Give a key of yours another name")
    async def rename(body: Renamed, user: Caller) -> dict[str, Any]:
        await _own_or_admin(services, body.key_id, user)
        key = await people.rename_key(KeyId(body.key_id), body.label)
        _tell(services)
        return key_listing(key)

    @routes.post("/keys/confirm", summary="Let somebody's new key count (admins)")
    async def confirm(body: NamedKey, user: Caller) -> dict[str, Any]:
        require_role(user, Role.ADMIN)
        key = await people.confirm_key(KeyId(body.key_id), user, services.now())
        _tell(services)
        return key_listing(key)

    @routes.post("/keys/revoke", summary="Revoke a key of yours, for good; admins anybody's")
    async def revoke(body: NamedKey, user: Caller) -> dict[str, Any]:
        await _own_or_admin(services, body.key_id, user)
        await people.revoke_key(KeyId(body.key_id), services.now())
        _tell(services)
        return key_listing(await people.listed_key(KeyId(body.key_id)))

    return routes


def _links(services: Services) -> APIRouter:
    routes = APIRouter(tags=["people"])

    @routes.post(
        "/api/users/{user}/enrolment-link",
        status_code=201,
        summary="Make a link that lets a person in once, to add a first key (admins)",
    )
    async def link(user: UUID, caller: Caller) -> dict[str, Any]:
        require_role(caller, Role.ADMIN)
        now = services.now()
        code = await services.people.enrolment_link(UserId(user), now)
        return {
            "url": f"{services.public_url}/sign-in?code={code}&next=/keys",
            "expires_at": (now + LINK_TTL).isoformat(),
        }

    return routes


def _site(services: Services) -> RelyingParty:
    site = relying_party(services.public_url)
    if site is None:
        raise Problem(
            409,
            "no_browser_keys",
            f"Browsers let keys sign for a host name over https only, not for "
            f"{services.public_url}. Set KITTY_PUBLIC_URL.",
        )
    return site


async def _own_or_admin(services: Services, key: str, user: User) -> None:
    if (await services.people.listed_key(KeyId(key))).user != user.id:
        require_role(user, Role.ADMIN)


def _tell(services: Services) -> None:
    """Let open pages show keys, and who may sign, anew."""
    services.feed.tell("keys", {})
