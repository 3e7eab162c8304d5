"""Approvals over REST: list, look, sign, confirm, deny.  The signature is what counts."""

import base64
import binascii
from typing import Annotated, Any, Final, Literal, assert_never
from uuid import UUID

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from assistant.access import Problem
from assistant.channels.http.people import Caller
from assistant.services import Services
from assistant.words import need_words
from safety import errors
from safety.entities import EventId, KeyId
from safety.records import Done, Failed, Outcome, Pending, Refused, Unknown
from safety.webauthn import Assertion, Code, from_base64url

_STATUS: dict[str, int] = {
    errors.UNKNOWN_EVENT: 404,
    errors.UNKNOWN_KEY: 403,
    errors.REVOKED_KEY: 403,
    errors.BAD_SIGNATURE: 403,
    errors.NOT_AUTHORISED: 403,
    errors.NOT_REQUESTER: 403,
    errors.ALREADY_SETTLED: 409,
    errors.ALREADY_SIGNED: 409,
    errors.EXPIRED: 409,
    errors.STATE_CHANGED: 409,
    errors.POLICY_CHANGED: 409,
    errors.NO_SIGNATURE_NEEDED: 409,
    errors.NEEDS_SIGNATURE: 409,
}

_STATUS |= dict.fromkeys(Code, 403)

_BASE64URL: Final = r"^[A-Za-z0-9_-]+$"
_DENIALS = frozenset({errors.WITHDRAWN, errors.DENIED_BY_PERSON})


class BrowserSignature(BaseModel):
    """What `navigator.credentials.get` returned, in base64url; the challenge is the digest."""

    model_config = ConfigDict(extra="forbid")
    credential_id: str = Field(min_length=1, max_length=1_400, pattern=_BASE64URL)
    authenticator_data: str = Field(min_length=1, max_length=400, pattern=_BASE64URL)
    client_data_json: str = Field(min_length=1, max_length=1_400, pattern=_BASE64URL)
    signature: str = Field(min_length=1, max_length=120, pattern=_BASE64URL)

    def packed(self) -> bytes:
        """Return it as the gate takes it."""
        return Assertion(
            authenticator_data=from_base64url(self.authenticator_data),
            client_data=from_base64url(self.client_data_json),
            signature=from_base64url(self.signature),
        ).packed()


class ApproveBody(BaseModel):
    """One person's signature over the event's digest: `signature` or `webauthn`."""

    model_config = ConfigDict(extra="forbid")
    key_id: str = Field(min_length=1, max_length=200)
    signature: str | None = Field(default=None, min_length=1, max_length=400)
    """Base64."""
    webauthn: BrowserSignature | None = None
    """Made in a browser by a security key or passkey."""


class DenyBody(BaseModel):
    """Why not."""

    model_config = ConfigDict(extra="forbid")
    reason: str = Field(default="", max_length=500)


def router(services: Services) -> APIRouter:
    """Build the routes."""
    routes = APIRouter(prefix="/api/safety/events", tags=["safety"])

    @routes.get("", summary="Requests that wait, or waited, for people")
    async def events(
        _user: Caller,
        status: Annotated[Literal["pending", "approved", "denied"] | None, Query()] = None,
        limit: Annotated[int, Query(ge=1, le=100)] = 50,
        cursor: Annotated[str | None, Query(max_length=300)] = None,
    ) -> dict[str, Any]:
        ids, following = await services.event_details.page(
            status=status, limit=limit, cursor=cursor
        )
        items = [await services.event_details(each) for each in ids]
        return {"items": [each for each in items if each is not None], "next_cursor": following}

    @routes.get("/{event}", summary="One request, with the exact bytes to sign")
    async def one(event: UUID, _user: Caller) -> JSONResponse:
        return JSONResponse(await _details(services, event))

    @routes.post("/{event}/approve", summary="Add a person's signature")
    async def approve(event: UUID, body: ApproveBody, user: Caller) -> JSONResponse:
        signature = await _signature(services, body)
        outcome = await services.gate.sign(
            EventId(event), KeyId(body.key_id), signature, relayed_by=user.id
        )
        return await _answer(services, event, outcome)

    @routes.post("/{event}/confirm", summary="Confirm your own low-hazard request")
    async def confirm(event: UUID, user: Caller) -> JSONResponse:
        return await _answer(services, event, await services.gate.confirm(EventId(event), user))

    @routes.post("/{event}/deny", summary="Say no, or withdraw your own request")
    async def deny(event: UUID, body: DenyBody, user: Caller) -> JSONResponse:
        outcome = await services.gate.deny(EventId(event), user, body.reason)
        if isinstance(outcome, Refused) and outcome.code in _DENIALS:
            stored = await _details(services, event)
            return JSONResponse(_body(stored, "refused", outcome.reason))
        return await _answer(services, event, outcome)

    return routes


async def _signature(services: Services, body: ApproveBody) -> bytes:
    """Return the one signature of a body as the gate takes it."""
    if (body.signature is None) is (body.webauthn is None):
        raise Problem(422, "bad_request", "Give one of signature and webauthn. See /docs.")
    try:
        if body.signature is not None:
            return base64.b64decode(body.signature, validate=True)
        assert body.webauthn is not None
        made = body.webauthn.packed()
    except (binascii.Error, ValueError):
        raise Problem(422, "bad_signature", "The signature is not base64.") from None
    await _check_name(services, body.key_id, from_base64url(body.webauthn.credential_id))
    return made


async def _check_name(services: Services, key: str, credential: bytes) -> None:
    """Refuse a browser's key under the name of another; an unknown one is the gate's to refuse."""
    found = await services.people.named(credential)
    if found is not None and found != key:
        raise Problem(403, "wrong_credential", "That key is another one than it says it is.")


async def _details(services: Services, event: UUID) -> dict[str, Any]:
    stored = await services.event_details(event)
    if stored is None:
        raise Problem(404, errors.UNKNOWN_EVENT, "There is no such request.")
    return dict(stored)


async def _answer(services: Services, event: UUID, outcome: Outcome) -> JSONResponse:
    if isinstance(outcome, Refused):
        raise Problem(_STATUS.get(outcome.code, 409), outcome.code, outcome.reason)
    stored = await _details(services, event)
    match outcome:
        case Pending(needs=needs):
            words = list(need_words([need.value for need in needs]))
            return JSONResponse(_body(stored, "pending", None) | {"needs": words}, status_code=202)
        case Done(command=command, at=at, detail=detail):
            receipt = {"command_id": str(command), "at": at.isoformat(), "detail": detail}
            return JSONResponse(_body(stored, "done", None) | {"receipt": receipt})
        case Failed(reason=reason):
            return JSONResponse(_body(stored, "failed", reason))
        case Unknown(reason=reason):
            return JSONResponse(_body(stored, "unknown", reason))
        case _ as unreachable:
            assert_never(unreachable)


def _body(stored: Any, outcome: str, reason: str | None) -> dict[str, Any]:
    return {
        "id": stored["id"],
        "status": stored["status"],
        "what": stored["what"],
        "outcome": outcome,
        "needs": stored["needs"],
        "signed_by": stored["signed_by"],
        "reason": reason,
    }
