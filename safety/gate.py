"""The only way from an action to its effect.

    submit --> refused
           --> clear: command row --> driver --> done | failed | unknown
           --> waits: event row --> confirm / sign ... --> approved --> claim --> (as clear)

What was approved is what runs: the action is stored when it is proposed and the stored one is
carried out.  Once, or not at all: an approval is consumed by one atomic statement that also
stores its one command, and the command's id is the key that the device remembers.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from safety import errors
from safety.canonical import (
    canonical,
    digest,
    event_document,
)
from safety.checks import changed, tampered
from safety.entities import CommandId, EventId, Hazard, KeyId, PublicKey, Role, User, UserId
from safety.execution import Executor, closed_outcome
from safety.permit import Drivers
from safety.policy import (
    QUORUM,
    Circumstances,
    Clear,
    Need,
    Refusal,
    Support,
    Waits,
    assess,
    may_sign,
)
from safety.ports import Facts, Ledger
from safety.records import (
    Command,
    EventStatus,
    LogEntry,
    Outcome,
    Pending,
    Proposal,
    Refused,
    SafetyEvent,
    Signature,
    Sources,
    entry_for,
)
from safety.signatures import verify


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """How long things stay valid."""

    approval: timedelta = timedelta(seconds=300)
    """From the request to the last signature and the start (origin: 300 s)."""
    command: timedelta = timedelta(seconds=5)
    """From the command row to the device's deadline."""


Announce = Callable[[EventId, Outcome], None]
"""Told of every change of a waiting event; must not block."""


class Gate:
    """Turns proposed actions into outcomes."""

    def __init__(
        self,
        *,
        facts: Facts,
        ledger: Ledger,
        drivers: Drivers,
        sources: Sources,
        times: Times,
        announce: Announce,
    ) -> None:
        self._facts = facts
        self._ledger = ledger
        self._drivers = drivers
        self._executor = Executor(facts=facts, ledger=ledger, drivers=drivers, sources=sources)
        self._sources = sources
        self._times = times
        self._announce = announce

    # -- asking ---------------------------------------------------------------------------

    async def submit(self, proposal: Proposal) -> Outcome:
        """Run the action now if nothing is missing, else store what it waits for, or refuse.

        Submitting the same proposal key again never runs anything twice: it returns, or waits
        for, what came of the first.
        """
        now = self._sources.now()
        seen = await self._circumstances(proposal)
        support = Support(tainted=proposal.tainted)
        match assess(proposal.action, proposal.requester, seen, support, now):
            case Refusal(code, reason):
                return await self._earlier(proposal) or await self._refuse(proposal, code, reason)
            case Waits(hazard, needs):
                return await self._open_event(proposal, seen, hazard, needs, now)
            case Clear(hazard):
                return await self._open_command(proposal, hazard, now)

    async def _earlier(self, proposal: Proposal) -> Outcome | None:
        command = await self._ledger.command_of(proposal.key)
        if command is not None:
            return await self._executor.carry_on(command)
        event = await self._ledger.event_of(proposal.key)
        return None if event is None else await self.standing(event.id)

    async def _refuse(self, proposal: Proposal, code: str, reason: str) -> Outcome:
        await self._ledger.refuse(
            LogEntry(
                at=self._sources.now(),
                verdict="refused",
                code=code,
                actor=proposal.requester.id,
                action=proposal.action,
                correlation=proposal.correlation,
                detail={"reason": reason},
            )
        )
        return Refused(code=code, reason=reason)

    async def _open_command(self, proposal: Proposal, hazard: Hazard, now: datetime) -> Outcome:
        command = self._command(proposal, hazard, None, now)
        stored = await self._ledger.open_command(
            command, entry_for(proposal, now, "allowed", command=command.id)
        )
        return await self._executor.carry_on(stored)

    async def _open_event(
        self,
        proposal: Proposal,
        seen: Circumstances,
        hazard: Hazard,
        needs: frozenset[Need],
        now: datetime,
    ) -> Outcome:
        event = self._event(proposal, seen, hazard, needs, now)
        entry = entry_for(proposal, now, "waits", event=event.id)
        stored = await self._ledger.open_event(
            event, replace(entry, detail={"needs": sorted(needs), "hazard": hazard.word})
        )
        outcome = await self.standing(stored.id) if stored.id != event.id else _waiting(stored)
        self._announce(stored.id, outcome)
        return outcome

    def _event(
        self,
        proposal: Proposal,
        seen: Circumstances,
        hazard: Hazard,
        needs: frozenset[Need],
        now: datetime,
    ) -> SafetyEvent:
        assert seen.device is not None
        assert seen.zone is not None
        assert seen.policy is not None
        identity, nonce = EventId(self._sources.new_id()), self._sources.nonce()
        expires_at = now + self._times.approval
        body = canonical(
            event_document(
                event=identity,
                action=proposal.action,
                device=seen.device,
                zone=seen.zone,
                policy=seen.policy,
                requester=proposal.requester,
                hazard=hazard,
                quorum=QUORUM[hazard],
                state=seen.state,
                evidence=proposal.evidence,
                nonce=nonce,
                not_before=now,
                expires_at=expires_at,
                tainted=proposal.tainted,
            )
        )
        return SafetyEvent(
            id=identity,
            proposal=proposal,
            hazard=hazard,
            canonical=body,
            digest=digest(body),
            nonce=nonce,
            policy=seen.policy.id,
            policy_version=seen.policy.version,
            not_before=now,
            expires_at=expires_at,
            needs=needs,
            created_at=now,
        )

    # -- answering ------------------------------------------------------------------------

    async def sign(
        self, event_id: EventId, key_id: KeyId, signature: bytes, *, relayed_by: UserId
    ) -> Outcome:
        """Add one person's signature, and carry the action out if it was the last one needed."""
        now = self._sources.now()
        event = await self._ledger.event(event_id)
        if event is None:
            return await self._no_event(event_id, relayed_by)
        unfit = await self._settled_or_stale(event, now)
        if unfit is not None:
            return unfit
        key = await self._facts.key(key_id)
        refusal = await self._unsound(event, key, signature)
        if key is None or refusal is not None:
            code, reason = refusal or _UNKNOWN_KEY
            return await self._refuse_step(event, relayed_by, code, reason)
        entry = entry_for(event.proposal, now, "signed", event=event.id)
        added = await self._ledger.sign(
            event.id,
            Signature(
                key=key.id,
                user=key.user,
                algorithm=key.algorithm,
                value=signature,
                signed_at=now,
            ),
            replace(entry, actor=key.user, detail={"key": key.id, "relayed_by": str(relayed_by)}),
        )
        if not added:
            return await self._refuse_step(
                event,
                key.user,
                errors.ALREADY_SIGNED,
                "This person, or this key, has signed already. Another person has to sign.",
            )
        return await self._proceed(event.id)

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
        if not verify(key, signature, event.digest):
            return (
                errors.BAD_SIGNATURE,
                "The signature does not fit this request and this key. Fetch it and sign again.",
            )
        user = await self._facts.user(key.user)
        seen = await self._circumstances(event.proposal)
        if user is None or seen.policy is None or not may_sign(user.roles, seen.policy):
            roles = ", ".join(sorted(seen.policy.required_roles)) if seen.policy else "none"
            return (
                errors.NOT_AUTHORISED,
                f"Only people with one of these roles may approve this: {roles}.",
            )
        return None

    async def confirm(self, event_id: EventId, user: User) -> Outcome:
        """Take the requester's explicit yes to a low hazard, bound to this very event."""
        now = self._sources.now()
        event = await self._ledger.event(event_id)
        if event is None:
            return await self._no_event(event_id, user.id)
        unfit = await self._settled_or_stale(event, now)
        if unfit is not None:
            return unfit
        if event.hazard is not Hazard.LOW:
            return await self._refuse_step(
                event,
                user.id,
                errors.NEEDS_SIGNATURE,
                "Words are not enough for this: it needs signatures by people's own keys.",
            )
        if event.proposal.requester.id != user.id:
            return await self._refuse_step(
                event,
                user.id,
                errors.NOT_REQUESTER,
                f"Only {event.proposal.requester.display_name}, who asked, can confirm this.",
            )
        entry = entry_for(event.proposal, now, "confirmed", event=event.id)
        await self._ledger.confirm(event.id, now, entry)
        return await self._proceed(event.id)

    async def deny(self, event_id: EventId, user: User, reason: str) -> Outcome:
        """Let the requester withdraw, or an authorised person deny, a pending request."""
        now = self._sources.now()
        event = await self._ledger.event(event_id)
        if event is None:
            return await self._no_event(event_id, user.id)
        unfit = await self._settled_or_stale(event, now)
        if unfit is not None:
            return unfit
        mine = event.proposal.requester.id == user.id
        seen = await self._circumstances(event.proposal)
        trusted = bool(user.roles & {Role.SAFETY, Role.ADMIN}) or (
            seen.policy is not None and may_sign(user.roles, seen.policy)
        )
        if not mine and not trusted:
            return await self._refuse_step(
                event, user.id, errors.NOT_AUTHORISED, "You may not deny this request."
            )
        code = errors.WITHDRAWN if mine else errors.DENIED_BY_PERSON
        words = reason or (
            f"{user.display_name} withdrew the request."
            if mine
            else f"{user.display_name} said no."
        )
        return await self._deny(event, code, words, actor=user.id)

    async def standing(self, event_id: EventId) -> Outcome:
        """Return what has come of an event so far; reads only."""
        event = await self._ledger.event(event_id)
        if event is None:
            return _no_such_event()
        if event.status is EventStatus.DENIED:
            return Refused(
                code=event.reason_code or errors.DENIED_BY_PERSON,
                reason=event.reason or "It was denied.",
                event=event.id,
            )
        if event.consumed_by is not None:
            command = await self._ledger.command(event.consumed_by)
            if command is not None and command.result is not None:
                return closed_outcome(command)
        if event.abandoned:
            return Refused(
                code=event.reason_code or errors.EXPIRED,
                reason=event.reason or _RAN_OUT,
                event=event.id,
            )
        return _waiting(event)

    async def proposal(self, event_id: EventId) -> Proposal | None:
        """Return what an event is about; None if there is no such event."""
        event = await self._ledger.event(event_id)
        return None if event is None else event.proposal

    # -- time and crashes -----------------------------------------------------------------

    async def expire(self) -> Sequence[EventId]:
        """Settle what has run out; return the events that were."""
        now = self._sources.now()
        settled = []
        for event in await self._ledger.unfinished_events():
            if now < event.expires_at:
                continue
            if event.status is EventStatus.PENDING:
                await self._deny(event, errors.EXPIRED, _RAN_OUT, actor=None)
            else:
                entry = replace(
                    entry_for(event.proposal, now, "failed", event=event.id), code=errors.EXPIRED
                )
                await self._ledger.abandon(event.id, _RAN_OUT, now, entry)
                self._announce(event.id, await self.standing(event.id))
            settled.append(event.id)
        return settled

    async def recover(self) -> Sequence[Outcome]:
        """After a crash: finish what was approved or under way, without doing any of it twice."""
        outcomes = [
            await self._proceed(event.id)
            for event in await self._ledger.unfinished_events()
            if event.status is EventStatus.APPROVED or event.confirmed_at is not None
        ]
        for command in await self._ledger.open_commands():
            outcome = await self._executor.carry_on(command)
            if command.event is not None:
                self._announce(command.event, outcome)
            outcomes.append(outcome)
        return outcomes

    # -- the way to the driver ------------------------------------------------------------

    async def _proceed(self, event_id: EventId) -> Outcome:
        """Go on with an event as far as its approvals carry it."""
        now = self._sources.now()
        event = await self._ledger.event(event_id)
        if event is None:
            return _no_such_event()
        if event.consumed_by is not None or event.status is EventStatus.DENIED:
            return await self.standing(event_id)
        seen = await self._circumstances(event.proposal)
        misfit = tampered(event) or changed(event, seen)
        if misfit is not None:
            return await self._deny(event, *misfit, actor=None)
        support = Support(
            confirmed=event.confirmed_at is not None,
            signers=event.signers,
            tainted=event.proposal.tainted,
        )
        verdict = assess(event.proposal.action, event.proposal.requester, seen, support, now)
        if isinstance(verdict, Refusal):
            return await self._deny(event, verdict.code, verdict.reason, actor=None)
        outcome = (
            replace(_waiting(event), needs=verdict.needs)
            if isinstance(verdict, Waits)
            else await self._approve_and_run(event, now)
        )
        self._announce(event.id, outcome)
        return outcome

    async def _approve_and_run(self, event: SafetyEvent, now: datetime) -> Outcome:
        if now >= event.expires_at:
            return await self._deny(event, errors.EXPIRED, _RAN_OUT, actor=None)
        if event.status is EventStatus.PENDING:
            approver, signature = _approval(event)
            entry = replace(
                entry_for(event.proposal, now, "approved", event=event.id), actor=approver
            )
            await self._ledger.approve(event.id, approver, signature, now, entry)
        command = self._command(event.proposal, event.hazard, event.id, now)
        entry = entry_for(event.proposal, now, "claimed", event=event.id, command=command.id)
        if not await self._ledger.claim(event, command, entry):
            return await self.standing(event.id)
        return await self._executor.carry_on(command)

    # -- small things ---------------------------------------------------------------------

    def _command(
        self, proposal: Proposal, hazard: Hazard, event: EventId | None, now: datetime
    ) -> Command:
        return Command(
            id=CommandId(self._sources.new_id()),
            proposal=proposal,
            hazard=hazard,
            event=event,
            created_at=now,
            deadline=now + self._times.command,
        )

    async def _circumstances(self, proposal: Proposal) -> Circumstances:
        seen = await self._facts.circumstances(proposal.action, proposal.requester.id)
        return replace(seen, has_driver=self._drivers.find(proposal.action) is not None)

    async def _settled_or_stale(self, event: SafetyEvent, now: datetime) -> Outcome | None:
        if event.status is not EventStatus.PENDING:
            standing = await self.standing(event.id)
            reason = "This request is settled already."
            if isinstance(standing, Refused):
                reason = f"{reason} {standing.reason}"
            return Refused(code=errors.ALREADY_SETTLED, reason=reason, event=event.id)
        if now >= event.expires_at:
            return await self._deny(event, errors.EXPIRED, _RAN_OUT, actor=None)
        return None

    async def _deny(
        self, event: SafetyEvent, code: str, reason: str, *, actor: UserId | None
    ) -> Outcome:
        now = self._sources.now()
        entry = replace(
            entry_for(event.proposal, now, "denied", event=event.id),
            actor=actor,
            code=code,
            detail={"reason": reason},
        )
        if event.status is EventStatus.APPROVED:
            await self._ledger.abandon(event.id, reason, now, entry)
        else:
            await self._ledger.deny(event.id, code, reason, now, entry)
        outcome = await self.standing(event.id)
        self._announce(event.id, outcome)
        return outcome

    async def _refuse_step(
        self, event: SafetyEvent, actor: UserId, code: str, reason: str
    ) -> Outcome:
        """Refuse one answer to a waiting event; the event itself goes on waiting."""
        entry = replace(
            entry_for(event.proposal, self._sources.now(), "refused", event=event.id),
            actor=actor,
            code=code,
        )
        await self._ledger.refuse(entry)
        return Refused(code=code, reason=reason, event=event.id)

    async def _no_event(self, event_id: EventId, actor: UserId) -> Outcome:
        await self._ledger.refuse(
            LogEntry(
                at=self._sources.now(),
                verdict="refused",
                code=errors.UNKNOWN_EVENT,
                actor=actor,
                action=None,
                detail={"event": str(event_id)},
            )
        )
        return _no_such_event()


_RAN_OUT = "It ran out before everybody had signed. Ask again if it is still wanted."
_UNKNOWN_KEY = (errors.UNKNOWN_KEY, "That key is not enrolled here. Ask an admin to enrol it.")


def _waiting(event: SafetyEvent) -> Pending:
    return Pending(
        event=event.id, hazard=event.hazard, needs=event.needs, expires_at=event.expires_at
    )


def _no_such_event() -> Refused:
    return Refused(
        code=errors.UNKNOWN_EVENT, reason="There is no such request. List the approvals first."
    )


def _approval(event: SafetyEvent) -> tuple[UserId, str]:
    """Return who completed the approval and the signature's name for the seed's fields."""
    requester = event.proposal.requester.id
    if event.hazard is Hazard.LOW:
        return requester, f"confirmation:{event.proposal.request}"
    others = [signer for signer in event.signers if signer.user != requester]
    last = (others or list(event.signers))[-1]
    return last.user, last.key
