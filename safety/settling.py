"""How a waiting event ends: it runs, it is denied, it runs out, or it is found after a crash."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from safety import errors
from safety.checks import changed, tampered
from safety.entities import AccessPolicy, EventId, Hazard, UserId
from safety.parts import RAN_OUT, Parts, lasts, no_such_event, support_of, waiting
from safety.policy import Refusal, Support, Waits, assess, counted
from safety.records import Command, EventStatus, Outcome, SafetyEvent, entry_for

_NOT_STORABLE: Final = (
    "The approved command could not be stored, so nothing was done. Please ask again."
)


class Settling:
    """Takes events to their end."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def proceed(self, event_id: EventId) -> Outcome:
        """Go on with an event as far as its approvals carry it."""
        parts = self._parts
        event = await parts.ledger.event(event_id)
        if event is None:
            return no_such_event()
        if event.consumed_by is not None or event.abandoned or event.status is EventStatus.DENIED:
            return await parts.standing(event_id)
        seen = await parts.circumstances(event.proposal)
        misfit = tampered(event) or changed(event, seen)
        if misfit is not None:
            return await self.deny(event, *misfit, actor=None)
        now = parts.sources.now()
        if not lasts(event, now):
            return await self.deny(event, errors.EXPIRED, RAN_OUT, actor=None)
        if now < event.not_before:  # the clock was set back: wait until it is right again
            return waiting(event)
        support = support_of(event)
        verdict = assess(event.proposal.action, seen, support, now)
        if isinstance(verdict, Refusal):
            return await self.deny(event, verdict.code, verdict.reason, actor=None)
        if isinstance(verdict, Waits):
            outcome: Outcome = replace(waiting(event), needs=verdict.needs)
        else:
            assert seen.policy is not None
            outcome = await self._approve_and_run(event, support, seen.policy)
        parts.announce(event.id, outcome)
        return outcome

    async def _approve_and_run(
        self, event: SafetyEvent, support: Support, policy: AccessPolicy
    ) -> Outcome:
        parts = self._parts
        if event.status is EventStatus.PENDING:
            now = parts.sources.now()
            approver, signature = _approval(event, support, policy)
            entry = entry_for(event.proposal, now, "approved", event=event.id)
            await parts.ledger.approve(
                event.id, approver, signature, now, replace(entry, actor=approver)
            )
        command = parts.command(event.proposal, event.hazard, event)
        entry = entry_for(
            event.proposal, command.created_at, "claimed", event=event.id, command=command.id
        )
        if not await parts.ledger.claim(event, command, entry):
            return await self._unclaimed(event.id)
        return await parts.executor.carry_on(command)

    async def _unclaimed(self, event_id: EventId) -> Outcome:
        """Find out why an event could not be claimed; what nobody can claim ends here."""
        parts = self._parts
        event = await parts.ledger.event(event_id)
        if event is None or event.status is not EventStatus.APPROVED or event.abandoned:
            return await parts.standing(event_id)
        if event.consumed_by is not None:
            return await parts.standing(event_id)
        if lasts(event, parts.sources.now()):
            return await self.deny(event, errors.NOT_STORABLE, _NOT_STORABLE, actor=None)
        return await self.deny(event, errors.EXPIRED, RAN_OUT, actor=None)

    async def deny(
        self, event: SafetyEvent, code: str, reason: str, *, actor: UserId | None
    ) -> Outcome:
        """Settle an event that has not run so that it never runs; return where it stands now."""
        parts = self._parts
        now = parts.sources.now()
        entry = replace(
            entry_for(event.proposal, now, "denied", event=event.id),
            actor=actor,
            code=code,
            detail={"reason": reason},
        )
        if event.status is EventStatus.APPROVED:
            await parts.ledger.abandon(event.id, reason, now, entry)
        else:
            await parts.ledger.deny(event.id, code, reason, now, entry)
        outcome = await parts.standing(event.id)
        parts.announce(event.id, outcome)
        return outcome

    async def expire(self) -> Sequence[EventId]:
        """Settle what has run out; return the events that were."""
        parts = self._parts
        settled = []
        for event in await parts.ledger.unfinished_events():
            if lasts(event, parts.sources.now()):
                continue
            await self.deny(event, errors.EXPIRED, RAN_OUT, actor=None)
            settled.append(event.id)
        for command in await parts.ledger.open_commands():
            if parts.executor.forsaken(command):
                await self._carry_on(command)
                settled += [command.event] if command.event is not None else []
        return settled

    async def recover(self) -> Sequence[Outcome]:
        """After a crash: finish what was approved or under way, without doing any of it twice."""
        outcomes = [
            await self.proceed(event.id)
            for event in await self._parts.ledger.unfinished_events()
            if event.status is EventStatus.APPROVED or event.confirmed_at or event.endorsements
        ]
        outcomes += [
            await self._carry_on(command) for command in await self._parts.ledger.open_commands()
        ]
        return outcomes

    async def _carry_on(self, command: Command) -> Outcome:
        outcome = await self._parts.found(command)
        if command.event is not None:
            self._parts.announce(command.event, await self._parts.standing(command.event))
        return outcome


def _approval(event: SafetyEvent, support: Support, policy: AccessPolicy) -> tuple[UserId, str]:
    """Return who completed the approval and the signature's name for the seed's fields."""
    requester = event.proposal.requester.id
    if event.hazard is Hazard.LOW:
        return requester, f"confirmation:{event.proposal.request}"
    signers = counted(support.signers, policy)
    others = [signer for signer in signers if signer.user != requester]
    last = (others or list(signers))[-1]
    return last.user, last.key
