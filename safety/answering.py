"""The gate's second half: people sign, confirm or deny what waits for them."""

from dataclasses import replace

from safety import errors
from safety.entities import EventId, Hazard, KeyId, PublicKey, Role, User, UserId
from safety.parts import RAN_OUT, Parts, lasts
from safety.policy import may_sign
from safety.records import EventStatus, Outcome, Refused, SafetyEvent, Signature, entry_for
from safety.settling import Settling
from safety.signatures import verify
from safety.webauthn import WebAuthnError, misfit, unpack

MAX_REASON = 500
"""Characters of the reason that somebody gives for a denial."""
_UNKNOWN_KEY = (errors.UNKNOWN_KEY, "That key is not enrolled here. Ask an admin to enrol it.")


class Answering:
    """Takes people's answers to waiting events."""

    def __init__(self, parts: Parts, settling: Settling) -> None:
        self._parts = parts
        self._settling = settling

    async def sign(
        self, event_id: EventId, key_id: KeyId, signature: bytes, *, relayed_by: UserId
    ) -> Outcome:
        """Add one person's signature, and carry the action out if it was the last one needed."""
        parts = self._parts
        event = await parts.ledger.event(event_id)
        if event is None:
            return await parts.no_event(event_id, relayed_by)
        unfit = await self._settled(event, relayed_by) or await self._early(event, relayed_by)
        if unfit is not None:
            return unfit
        key = await parts.facts.key(key_id)
        refusal = await self._unsound(event, key, signature)
        if key is None or refusal is not None:
            return await parts.refuse_step(event, relayed_by, *(refusal or _UNKNOWN_KEY))
        now = parts.sources.now()
        entry = entry_for(event.proposal, now, "signed", event=event.id)
        added = await parts.ledger.sign(
            event.id,
            Signature(
                key=key.id, user=key.user, algorithm=key.algorithm, value=signature, signed_at=now
            ),
            replace(
                entry,
                actor=key.user,
                detail={"key": key.id, "kind": key.kind, "relayed_by": str(relayed_by)},
            ),
        )
        return await (self._settling.proceed(event.id) if added else self._not_added(event, key))

    async def _not_added(self, event: SafetyEvent, key: PublicKey) -> Outcome:
        latest = await self._parts.ledger.event(event.id) or event
        return await self._settled(latest, key.user) or await self._parts.refuse_step(
            event,
            key.user,
            errors.ALREADY_SIGNED,
            "This person, or this key, has signed already. Another person has to sign.",
        )

    async def _unsound(
        self, event: SafetyEvent, key: PublicKey | None, signature: bytes
    ) -> tuple[str, str] | None:
        """Return why this signature does not count, or None if it does."""
        if event.hazard is Hazard.LOW:
            return (
                errors.NO_SIGNATURE_NEEDED,
                "This needs no signature, only the requester's confirmation.",
            )
        if key is None:
            return _UNKNOWN_KEY
        if key.revoked_at is not None:
            return (errors.REVOKED_KEY, "That key has been revoked. Ask an admin to enrol another.")
        odd = self._odd(event, key, signature)
        if odd is not None:
            return odd
        if not verify(key, signature, event.digest):
            return (
                errors.BAD_SIGNATURE,
                "The signature does not fit this request and this key. Fetch it and sign again.",
            )
        user = await self._parts.facts.user(key.user)
        seen = await self._parts.circumstances(event.proposal)
        if user is None or seen.policy is None or not may_sign(user.roles, seen.policy):
            roles = ", ".join(sorted(seen.policy.required_roles)) if seen.policy else "none"
            return (
                errors.NOT_AUTHORISED,
                f"Only people with one of these roles may approve this: {roles}.",
            )
        return None

    def _odd(self, event: SafetyEvent, key: PublicKey, signature: bytes) -> tuple[str, str] | None:
        """Return why a signature made in a browser does not count; None for all others."""
        if key.passkey is None:
            return None
        try:
            made = unpack(signature)
        except WebAuthnError as error:
            return error.code, str(error)
        rules = self._parts.passkeys
        return misfit(made, key.passkey, event.digest, event.hazard, rules)

    async def confirm(self, event_id: EventId, user: User) -> Outcome:
        """Take the requester's explicit yes to a low hazard, bound to this very event."""
        parts = self._parts
        event = await parts.ledger.event(event_id)
        if event is None:
            return await parts.no_event(event_id, user.id)
        unfit = await self._settled(event, user.id) or await self._early(event, user.id)
        if unfit is not None:
            return unfit
        if event.hazard is not Hazard.LOW:
            return await parts.refuse_step(
                event,
                user.id,
                errors.NEEDS_SIGNATURE,
                "Words are not enough for this: it needs signatures by people's own keys.",
            )
        if event.proposal.requester.id != user.id:
            return await parts.refuse_step(
                event,
                user.id,
                errors.NOT_REQUESTER,
                f"Only {event.proposal.requester.display_name}, who asked, can confirm this.",
            )
        now = parts.sources.now()
        entry = entry_for(event.proposal, now, "confirmed", event=event.id)
        await parts.ledger.confirm(event.id, now, entry)
        return await self._settling.proceed(event.id)

    async def deny(self, event_id: EventId, user: User, reason: str) -> Outcome:
        """Let the requester withdraw, or an authorised person deny, a pending request."""
        parts = self._parts
        event = await parts.ledger.event(event_id)
        if event is None:
            return await parts.no_event(event_id, user.id)
        unfit = await self._settled(event, user.id)
        if unfit is not None:
            return unfit
        mine = event.proposal.requester.id == user.id
        if not mine and not await self._may_deny(event, user):
            return await parts.refuse_step(
                event, user.id, errors.NOT_AUTHORISED, "You may not deny this request."
            )
        code = errors.WITHDRAWN if mine else errors.DENIED_BY_PERSON
        words = _storable(reason) or (
            f"{user.display_name} withdrew the request."
            if mine
            else f"{user.display_name} said no."
        )
        return await self._settling.deny(event, code, words, actor=user.id)

    async def _may_deny(self, event: SafetyEvent, user: User) -> bool:
        person = await self._parts.facts.user(user.id)
        if person is None:
            return False
        seen = await self._parts.circumstances(event.proposal)
        return bool(person.roles & {Role.SAFETY, Role.ADMIN}) or (
            seen.policy is not None and may_sign(person.roles, seen.policy)
        )

    async def _settled(self, event: SafetyEvent, actor: UserId) -> Outcome | None:
        """Say that an event takes no answer any more; None if it still does."""
        if event.status is not EventStatus.PENDING:
            standing = await self._parts.standing(event.id)
            reason = "This request is settled already."
            if isinstance(standing, Refused):
                reason = f"{reason} {standing.reason}"
            return await self._parts.refuse_step(event, actor, errors.ALREADY_SETTLED, reason)
        if not lasts(event, self._parts.sources.now()):
            return await self._settling.deny(event, errors.EXPIRED, RAN_OUT, actor=None)
        return None

    async def _early(self, event: SafetyEvent, actor: UserId) -> Outcome | None:
        """Refuse an answer from before the question: the clock was set back."""
        if event.not_before <= self._parts.sources.now():
            return None
        return await self._parts.refuse_step(
            event,
            actor,
            errors.NOT_YET_VALID,
            "KITTY's clock was set back behind this request. Check the clock, then ask again.",
        )


def _storable(reason: str) -> str:
    """Return a reason as the store can keep it: one line, nothing invisible, not endless."""
    plain = "".join(each if each.isprintable() else " " for each in reason[:MAX_REASON])
    return " ".join(plain.split())
