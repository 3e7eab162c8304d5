"""Carry out a stored command, once, and store what came of it.

Only this module holds the permit's seal, and only the gate calls it.
"""

from dataclasses import replace
from datetime import datetime
from typing import assert_never

from safety.permit import _SEAL, Drivers, Permit
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


class Executor:
    """Sends stored commands through their drivers."""

    def __init__(self, *, facts: Facts, ledger: Ledger, drivers: Drivers, sources: Sources) -> None:
        self._facts = facts
        self._ledger = ledger
        self._drivers = drivers
        self._sources = sources

    async def carry_on(self, command: Command) -> Outcome:
        return (
            closed_outcome(command) if command.result is not None else await self._execute(command)
        )

    async def _execute(self, command: Command) -> Outcome:
        """Send a stored command, or send it again under the same key, and store what came of it."""
        action = command.proposal.action
        driver = self._drivers.find(action)
        seen = await self._facts.circumstances(
            command.proposal.action, command.proposal.requester.id
        )
        if driver is None or seen.device is None:
            receipt: Receipt = Rejected(code="no_driver", detail="the device is gone")
        elif self._sources.now() >= command.deadline:
            receipt = _too_late(command)
        else:
            permit = Permit(
                action,
                seen.device,
                command.id,
                command.event,
                self._sources.now(),
                command.deadline,
                command.proposal.correlation,
                _SEAL,
            )

            async def before_send() -> None:
                await self._ledger.mark_sent(command.id, self._sources.now())

            receipt = await driver(permit, before_send=before_send)
        if isinstance(receipt, NoAnswer) and await self._ledger.carried_out(command.id):
            receipt = Carried(at=self._sources.now(), detail="seen in the device's state")
        return await self._close(command, receipt)

    async def _close(self, command: Command, receipt: Receipt) -> Outcome:
        now = self._sources.now()
        closed = _with_receipt(command, receipt, now)
        assert closed.result is not None
        entry = entry_for(
            command.proposal, now, closed.result.value, event=command.event, command=command.id
        )
        stored = await self._ledger.close(
            closed, replace(entry, code=closed.code or "", detail={"detail": closed.detail or ""})
        )
        return closed_outcome(stored)


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


def _too_late(command: Command) -> Receipt:
    """Judge a command found after its deadline: the device will not act on it any more."""
    if command.status is CommandStatus.PENDING:
        return Rejected(code="expired_before_sending", detail="it was never sent")
    return NoAnswer()


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
