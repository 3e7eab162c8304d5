"""What the gate is made of, and the few steps that all of its parts take."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from safety import errors
from safety.checks import Misfit, changed, tampered
from safety.entities import CommandId, EventId, Hazard, UserId
from safety.envelope import command_for
from safety.execution import Executor, closed_outcome
from safety.permit import Drivers
from safety.policy import Circumstances, Clear, Refusal, Support, Waits, assess, case_of
from safety.ports import Facts, Ledger
from safety.records import (
    Command,
    CommandStatus,
    EventStatus,
    LogEntry,
    Outcome,
    Pending,
    Proposal,
    Refused,
    Rejected,
    SafetyEvent,
    Sources,
    entry_for,
)
from safety.webauthn import Rules

RAN_OUT: Final = "It ran out before everybody had signed. Ask again if it is still wanted."


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """How long things stay valid."""

    approval: timedelta = timedelta(seconds=300)
    """From the request to the last signature and the start (origin: 300 s)."""
    command: timedelta = timedelta(seconds=5)
    """From the command row to the device's deadline."""
    patience: timedelta = timedelta(seconds=5)
    """From the device's deadline until a lost answer counts as lost."""


Announce = Callable[[EventId, Outcome], None]
"""Told of every change of a waiting event; must not block."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What asking, answering and settling share."""

    facts: Facts
    ledger: Ledger
    drivers: Drivers
    sources: Sources
    times: Times
    announce: Announce
    executor: Executor
    site: str
    """Name of the site, in every document that people sign; empty if it has none."""
    passkeys: Rules
    """What signatures made in a browser must fulfil."""

    async def circumstances(self, proposal: Proposal) -> Circumstances:
        """Look at the world afresh."""
        seen = await self.facts.circumstances(proposal.action, proposal.requester.id)
        return replace(seen, has_driver=self.drivers.find(proposal.action) is not None)

    async def asked(self, proposal: Proposal, now: datetime) -> Circumstances:
        """Look at the world for a new request: with what its requester has asked for before."""
        seen = await self.circumstances(proposal)
        case = case_of(proposal.action, seen, Support(tainted=proposal.tainted), now)
        if case is None:
            return seen
        traffic = await self.facts.traffic(case.requester.id, case.zone.id, case.policy, now)
        return replace(seen, asked=traffic)

    def command(self, proposal: Proposal, hazard: Hazard, event: SafetyEvent | None) -> Command:
        """Make the command that carries out a proposal; nothing starts after the event's end."""
        now = self.sources.now()
        deadline = now + self.times.command
        return Command(
            id=CommandId(self.sources.new_id()) if event is None else command_for(event.id),
            proposal=proposal,
            hazard=hazard,
            event=None if event is None else event.id,
            created_at=now,
            deadline=deadline if event is None else min(deadline, event.expires_at),
        )

    async def refuse(self, proposal: Proposal, code: str, reason: str) -> Refused:
        """Refuse what was asked for, and log it."""
        entry = entry_for(proposal, self.sources.now(), "refused")
        await self.ledger.refuse(replace(entry, code=code, detail={"reason": reason}))
        return Refused(code=code, reason=reason)

    async def refuse_step(
        self, event: SafetyEvent, actor: UserId, code: str, reason: str
    ) -> Refused:
        """Refuse one answer to a waiting event; the event itself goes on waiting."""
        entry = entry_for(event.proposal, self.sources.now(), "refused", event=event.id)
        await self.ledger.refuse(replace(entry, actor=actor, code=code))
        return Refused(code=code, reason=reason, event=event.id)

    async def no_event(self, event: EventId, actor: UserId) -> Refused:
        """Refuse an answer to something that does not exist."""
        await self.ledger.refuse(
            LogEntry(
                at=self.sources.now(),
                verdict="refused",
                code=errors.UNKNOWN_EVENT,
                actor=actor,
                action=None,
                detail={"event": str(event)},
            )
        )
        return no_such_event()

    async def found(self, command: Command) -> Outcome:
        """Go on with a command found in the ledger, whose turn may be gone since long."""
        if command.result is None and command.status is CommandStatus.PENDING:
            misfit = await self._misfit(command)
            if misfit is not None:
                code, reason = misfit
                return await self.executor.close(command, Rejected(code=code, detail=reason))
        return await self.executor.carry_on(command)

    async def _misfit(self, command: Command) -> Misfit | None:
        """Say why an unsent command would not be let through again; None if it would."""
        seen = await self.circumstances(command.proposal)
        support = Support()
        if command.event is not None:
            event = await self.ledger.event(command.event)
            assert event is not None
            misfit = tampered(event) or changed(event, seen)
            if misfit is not None:
                return misfit
            support = support_of(event)
        match assess(command.proposal.action, seen, support, self.sources.now()):
            case Clear():
                return None
            case Waits():
                return errors.NOT_AUTHORISED, "Its approvals do not count any more."
            case Refusal(code, reason):
                return code, reason

    async def standing(self, event_id: EventId) -> Outcome:
        """Return what has come of an event so far; reads only."""
        event = await self.ledger.event(event_id)
        if event is None:
            return no_such_event()
        if event.status is EventStatus.DENIED:
            return Refused(
                code=event.reason_code or errors.DENIED_BY_PERSON,
                reason=event.reason or "It was denied.",
                event=event.id,
            )
        if event.consumed_by is not None:
            command = await self.ledger.command(event.consumed_by)
            if command is not None and command.result is not None:
                return closed_outcome(command)
        if event.abandoned:
            return Refused(
                code=event.reason_code or errors.EXPIRED,
                reason=event.reason or RAN_OUT,
                event=event.id,
            )
        return waiting(event)


def waiting(event: SafetyEvent) -> Pending:
    """Say that an event waits for people."""
    return Pending(
        event=event.id, hazard=event.hazard, needs=event.needs, expires_at=event.expires_at
    )


def no_such_event() -> Refused:
    """Say that there is no such event."""
    return Refused(
        code=errors.UNKNOWN_EVENT, reason="There is no such request. List the approvals first."
    )


def support_of(event: SafetyEvent) -> Support:
    """Return what speaks for an event so far."""
    return Support(
        confirmed=event.confirmed_at is not None,
        signers=event.signers,
        tainted=event.proposal.tainted,
    )


def lasts(event: SafetyEvent, now: datetime) -> bool:
    """Tell whether an event's time is not over."""
    return now < event.expires_at
