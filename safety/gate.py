"""The only way from an action to its effect.

    submit --> refused
           --> clear: command row --> driver --> done | failed | unknown
           --> waits: event row --> confirm / sign ... --> approved --> claim --> (as clear)

What was approved is what runs: the action is stored when it is proposed and the stored one is
carried out.  Once, or not at all: an approval is consumed by one atomic statement that also
stores its one command, and a command is sent by whoever marks it as sent.

`safety.asking` takes proposals, `safety.answering` people's answers, `safety.settling` brings
events to their end, `safety.execution` alone calls drivers.
"""

from collections.abc import Sequence
from datetime import datetime

from safety.answering import Answering
from safety.asking import Asking
from safety.entities import EventId, KeyId, User, UserId
from safety.execution import Executor
from safety.explaining import Explanation
from safety.parts import Announce, Parts, Times
from safety.permit import Drivers
from safety.ports import Facts, Ledger
from safety.records import Outcome, Proposal, Sources
from safety.settling import Settling
from safety.webauthn import Rules

__all__ = ["Announce", "Gate", "Times"]


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
        site: str = "",
        passkeys: Rules | None = None,
    ) -> None:
        """`site` is signed with every event, so that no other site's devices obey it.

        `passkeys` says what signatures made in a browser must fulfil; without it none counts.
        """
        self._parts = Parts(
            facts=facts,
            ledger=ledger,
            drivers=drivers,
            sources=sources,
            times=times,
            announce=announce,
            site=site,
            passkeys=passkeys or Rules(),
            executor=Executor(
                facts=facts,
                ledger=ledger,
                drivers=drivers,
                sources=sources,
                patience=times.patience,
            ),
        )
        self._settling = Settling(self._parts)
        self._asking = Asking(self._parts)
        self._answering = Answering(self._parts, self._settling)

    async def submit(self, proposal: Proposal) -> Outcome:
        """Run the action now if nothing is missing, else store what it waits for, or refuse.

        Submitting the same proposal key again never runs anything twice: it returns what has
        come of the first so far.
        """
        return await self._asking.submit(proposal)

    async def explain(self, proposal: Proposal, at: datetime) -> Explanation:
        """Say what `submit` would come to at a moment, and why; nothing is stored or sent."""
        return await self._asking.explain(proposal, at)

    async def sign(
        self, event_id: EventId, key_id: KeyId, signature: bytes, *, relayed_by: UserId
    ) -> Outcome:
        """Add one person's signature, and carry the action out if it was the last one needed."""
        return await self._answering.sign(event_id, key_id, signature, relayed_by=relayed_by)

    async def confirm(self, event_id: EventId, user: User) -> Outcome:
        """Take the requester's explicit yes to a low hazard, bound to this very event."""
        return await self._answering.confirm(event_id, user)

    async def deny(self, event_id: EventId, user: User, reason: str) -> Outcome:
        """Let the requester withdraw, or an authorised person deny, a pending request."""
        return await self._answering.deny(event_id, user, reason)

    async def standing(self, event_id: EventId) -> Outcome:
        """Return what has come of an event so far; reads only."""
        return await self._parts.standing(event_id)

    async def proposal(self, event_id: EventId) -> Proposal | None:
        """Return what an event is about; None if there is no such event."""
        event = await self._parts.ledger.event(event_id)
        return None if event is None else event.proposal

    async def expire(self) -> Sequence[EventId]:
        """Settle what has run out: waiting events, and commands whose answer never came."""
        return await self._settling.expire()

    async def recover(self) -> Sequence[Outcome]:
        """After a crash: finish what was approved or under way, without doing any of it twice."""
        return await self._settling.recover()
