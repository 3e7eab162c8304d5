"""Carry out a stored command, once, and store what came of it.

Only this module holds the permit's seal, and only the gate calls it.  Whoever moves a command
from pending to sent sends it, and nobody else ever does: not a second process, not the same
turn taken up again after a crash.  Making safe alone may be sent again, under the same key.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, assert_never

from safety.envelope import Envelope, Seal
from safety.permit import _SEAL, Drivers, Permit
from safety.policy import Circumstances, counted
from safety.ports import Facts, Ledger
from safety.records import (
    Carried,
    Command,
    CommandStatus,
    Done,
    Failed,
    NoAnswer,
    Outcome,
    Receipt,
    Rejected,
    Result,
    Sources,
    Unknown,
    entry_for,
)

SKEW: Final = timedelta(seconds=1)
"""How far clocks are set back in everyday life; beyond that time cannot be told."""


class _UnderWayError(Exception):
    """Somebody else has sent the command."""


class _TooLateError(Exception):
    """The command's time is over, or the clock was set back; nothing was sent."""


class Executor:
    """Sends stored commands through their drivers."""

    def __init__(
        self,
        *,
        facts: Facts,
        ledger: Ledger,
        drivers: Drivers,
        sources: Sources,
        patience: timedelta,
    ) -> None:
        """`patience` is how long after the deadline an answer may still come."""
        self._facts = facts
        self._ledger = ledger
        self._drivers = drivers
        self._sources = sources
        self._patience = patience

    async def carry_on(self, command: Command) -> Outcome:
        """Return what came of a command, sending it if nobody has."""
        if command.result is not None:
            return closed_outcome(command)
        if not _in_time(command, self._sources.now()):
            return await self._run_out(command)
        if command.status is CommandStatus.PENDING or command.proposal.action.makes_safe:
            return await self._execute(command)
        return await self._look(command)

    def forsaken(self, command: Command) -> bool:
        """Tell whether nobody can be waiting for this open command's answer any more."""
        now = self._sources.now()
        return not command.created_at - SKEW <= now < command.deadline + self._patience

    async def _execute(self, command: Command) -> Outcome:
        action = command.proposal.action
        driver = self._drivers.find(action)
        seen = await self._facts.circumstances(action, command.proposal.requester.id)
        if driver is None or seen.device is None:
            gone = Rejected(code="no_driver", detail="the device is gone")
            return await self.close(command, _what_is_certain(command.status, gone))
        permit = Permit(
            action,
            seen.device,
            command.id,
            command.event,
            self._sources.now(),
            command.deadline,
            command.proposal.correlation,
            await self._envelope(command, seen),
            _SEAL,
        )
        ticket = _Ticket(command, self._sources.now, self._ledger.mark_sent)
        try:
            receipt = await driver(permit, before_send=ticket.before_send)
        except _UnderWayError:
            return await self._look(await self._ledger.command(command.id) or command)
        except _TooLateError:
            receipt = _never_sent()
        return await self.close(command, _what_is_certain(ticket.found, receipt))

    async def _envelope(self, command: Command, seen: Circumstances) -> Envelope | None:
        """Return what was signed with the signatures that count; None where nobody signed."""
        event = None if command.event is None else await self._ledger.event(command.event)
        if event is None or seen.policy is None:
            return None
        counting = {each.key for each in counted(event.signers, seen.policy)}
        seals = tuple(
            Seal(key=each.key.id, value=each.value)
            for each in event.endorsements
            if each.key.id in counting
        )
        return Envelope(payload=event.canonical, signatures=seals) if seals else None

    async def _look(self, command: Command) -> Outcome:
        """Find out about a command that somebody else has sent."""
        if command.result is not None:
            return closed_outcome(command)
        if await self._ledger.carried_out(command.id):
            return await self.close(command, NoAnswer())
        return Unknown(
            command=command.id, event=command.event, reason="it was sent; no answer has come yet"
        )

    async def _run_out(self, command: Command) -> Outcome:
        """Judge a command found when its time is over: the device will not act on it any more."""
        if command.status is CommandStatus.PENDING:
            return await self.close(command, _never_sent())
        if self.forsaken(command):
            return await self.close(command, NoAnswer())
        return await self._look(command)

    async def close(self, command: Command, receipt: Receipt) -> Outcome:
        """Store what came of a command and return it; the first to close it is believed."""
        if isinstance(receipt, NoAnswer) and await self._ledger.carried_out(command.id):
            receipt = Carried(at=self._sources.now(), detail="seen in the device's state")
        now = self._sources.now()
        closed = _with_receipt(command, receipt, now)
        assert closed.result is not None
        entry = entry_for(
            command.proposal, now, closed.result.value, event=command.event, command=command.id
        )
        stored = await self._ledger.close(
            closed, replace(entry, code=closed.code or "", detail={"detail": closed.detail or ""})
        )
        # Given up elsewhere a moment before the answer came: the answer counts.
        if (
            stored.result is Result.UNKNOWN
            and closed.result is not Result.UNKNOWN
            and await self._ledger.reconcile(command.id, closed.result, now)
        ):
            return closed_outcome(closed)
        return closed_outcome(stored)


class _Ticket:
    """Decides, right before sending, whether this process may send this command."""

    def __init__(
        self,
        command: Command,
        now: Callable[[], datetime],
        mark_sent: Callable[..., Awaitable[bool]],
    ) -> None:
        self._command = command
        self._now = now
        self._mark_sent = mark_sent
        self.found = command.status
        """Where the command stood when it was about to be sent."""

    async def before_send(self) -> None:
        """Note that the command is sent; raise if it must not be."""
        now = self._now()
        if not _in_time(self._command, now):
            raise _TooLateError
        if await self._mark_sent(self._command.id, now):
            return
        self.found = CommandStatus.SENT
        if not self._command.proposal.action.makes_safe:
            raise _UnderWayError


def _in_time(command: Command, now: datetime) -> bool:
    """Tell whether a command may start now.

    With the clock set back behind its making nobody knows how old it is: only making safe is
    right at any time.
    """
    known_age = command.proposal.action.makes_safe or now >= command.created_at - SKEW
    return known_age and now < command.deadline


def _never_sent() -> Receipt:
    return Rejected(code="expired_before_sending", detail="it was never sent")


def _what_is_certain(found: CommandStatus, receipt: Receipt) -> Receipt:
    """Of a second copy a refusal says nothing about the first."""
    if found is not CommandStatus.PENDING and isinstance(receipt, Rejected):
        return NoAnswer()
    return receipt


def _with_receipt(command: Command, receipt: Receipt, now: datetime) -> Command:
    match receipt:
        case Carried(at=at, detail=detail):
            return replace(command, result=Result.DONE, detail=detail, closed_at=at)
        case Rejected(code=code, detail=detail):
            return replace(command, result=Result.FAILED, code=code, detail=detail, closed_at=now)
        case NoAnswer(detail=detail):
            return replace(
                command, result=Result.UNKNOWN, code="ack_timeout", detail=detail, closed_at=now
            )
        case _ as unreachable:
            assert_never(unreachable)


def closed_outcome(command: Command) -> Outcome:
    """Put a closed command's result into an outcome."""
    match command.result:
        case Result.DONE:
            assert command.closed_at is not None
            return Done(
                command=command.id,
                event=command.event,
                at=command.closed_at,
                detail=command.detail or "",
            )
        case Result.FAILED:
            return Failed(
                command=command.id,
                event=command.event,
                code=command.code or "device_error",
                reason=command.detail or "the device refused",
            )
        case Result.UNKNOWN | None:
            return Unknown(
                command=command.id,
                event=command.event,
                reason=command.detail or "no answer before the deadline",
            )
