"""The gate's first half: what is asked for runs at once, waits, or is refused."""

from dataclasses import replace
from datetime import datetime
from typing import Final

from safety import errors
from safety.canonical import CanonicalFormError, canonical, check_size, digest, event_document
from safety.entities import EventId, Hazard
from safety.explaining import Explanation, explain
from safety.parts import Parts, waiting
from safety.policy import QUORUM, Circumstances, Clear, Need, Refusal, Support, Waits, assess
from safety.records import Outcome, Proposal, SafetyEvent, entry_for

_CANNOT_BE_SIGNED: Final = Refusal(
    errors.CANNOT_BE_SIGNED,
    "That holds something that cannot be written down for signing. Ask differently.",
)


class Asking:
    """Takes proposals."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def submit(self, proposal: Proposal) -> Outcome:
        """Run the action now if nothing is missing, else store what it waits for, or refuse."""
        now = self._parts.sources.now()
        seen = await self._parts.asked(proposal, now)
        match assess(proposal.action, seen, Support(tainted=proposal.tainted), now):
            case Refusal(code, reason):
                earlier = await self._earlier(proposal)
                return earlier or await self._parts.refuse(proposal, code, reason)
            case Waits(hazard, needs):
                return await self._open_event(proposal, seen, hazard, needs, now)
            case Clear(hazard):
                return await self._open_command(proposal, hazard)

    async def explain(self, proposal: Proposal, at: datetime) -> Explanation:
        """Say what a new request would come to at a moment; reads only."""
        seen = await self._parts.asked(proposal, at)
        found = explain(proposal.action, seen, Support(tainted=proposal.tainted), at)
        if isinstance(found.verdict, Waits):
            try:
                _ = self._event(proposal, seen, found.hazard, found.verdict.needs, at)
            except CanonicalFormError:
                return replace(found, verdict=_CANNOT_BE_SIGNED)
        return found

    async def _open_command(self, proposal: Proposal, hazard: Hazard) -> Outcome:
        command = self._parts.command(proposal, hazard, None)
        entry = entry_for(proposal, command.created_at, "allowed", command=command.id)
        if not await self._parts.ledger.open_command(command, entry):
            return await self._known(proposal)
        return await self._parts.executor.carry_on(command)

    async def _open_event(
        self,
        proposal: Proposal,
        seen: Circumstances,
        hazard: Hazard,
        needs: frozenset[Need],
        now: datetime,
    ) -> Outcome:
        try:
            event = self._event(proposal, seen, hazard, needs, now)
        except CanonicalFormError:
            return await self._parts.refuse(
                proposal, _CANNOT_BE_SIGNED.code, _CANNOT_BE_SIGNED.reason
            )
        entry = entry_for(proposal, now, "waits", event=event.id)
        entry = replace(entry, detail={"needs": sorted(needs), "hazard": hazard.word})
        if not await self._parts.ledger.open_event(event, entry):
            return await self._not_opened(proposal, now)
        outcome = waiting(event)
        self._parts.announce(event.id, outcome)
        return outcome

    async def _not_opened(self, proposal: Proposal, now: datetime) -> Outcome:
        """Say why an event was not stored: it was made before, or others came first."""
        earlier = await self._earlier(proposal)
        if earlier is not None:
            return earlier
        seen = await self._parts.asked(proposal, now)
        again = assess(proposal.action, seen, Support(tainted=proposal.tainted), now)
        if isinstance(again, Refusal):
            return await self._parts.refuse(proposal, again.code, again.reason)
        return await self._known(proposal)

    async def _known(self, proposal: Proposal) -> Outcome:
        """Return what came of a proposal key that the ledger holds already."""
        return await self._earlier(proposal) or await self._parts.refuse(
            proposal, errors.KEY_REUSED, "That request was made already. Please ask again."
        )

    async def _earlier(self, proposal: Proposal) -> Outcome | None:
        """Return what came of the same proposal made before; None if it is new."""
        parts = self._parts
        command = await parts.ledger.command_of(proposal.key)
        if command is not None:
            if not _same(command.proposal, proposal):
                return await self._reused(proposal)
            return await parts.found(command)
        event = await parts.ledger.event_of(proposal.key)
        if event is None:
            return None
        if not _same(event.proposal, proposal):
            return await self._reused(proposal)
        return await parts.standing(event.id)

    async def _reused(self, proposal: Proposal) -> Outcome:
        return await self._parts.refuse(
            proposal,
            errors.KEY_REUSED,
            "That request was made already, for something else. Please ask again.",
        )

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
        assert seen.requester is not None
        sources = self._parts.sources
        identity, nonce = EventId(sources.new_id()), sources.nonce()
        expires_at = now + self._parts.times.approval
        body = canonical(
            event_document(
                event=identity,
                action=proposal.action,
                device=seen.device,
                zone=seen.zone,
                policy=seen.policy,
                requester=seen.requester,
                hazard=hazard,
                quorum=QUORUM[hazard],
                state=seen.state,
                evidence=proposal.evidence,
                nonce=nonce,
                not_before=now,
                expires_at=expires_at,
                tainted=proposal.tainted,
                site=self._parts.site,
            )
        )
        check_size(body)
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


def _same(earlier: Proposal, proposal: Proposal) -> bool:
    """Tell whether two proposals are the same person's wish for the same effect."""
    return (
        type(earlier.action) is type(proposal.action)
        and earlier.action.device == proposal.action.device
        and earlier.action.arguments == proposal.action.arguments
        and earlier.requester.id == proposal.requester.id
    )
