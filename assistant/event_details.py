"""A SafetyEvent as people and their signing tools need it."""

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from assistant.words import NameOf, approve_path, need_words, wish
from infra.store.approval_log import ApprovalLog
from safety.entities import EventId, User, UserId
from safety.policy import Support, Waits, assess
from safety.ports import Facts, Ledger
from safety.records import EventStatus, SafetyEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """Looks up events; callable with an id."""

    ledger: Ledger
    facts: Facts
    name_of: NameOf
    now: Callable[[], Any]
    log: ApprovalLog

    async def page(
        self, *, status: str | None, limit: int, cursor: str | None
    ) -> tuple[Sequence[UUID], str | None]:
        """Return the ids of events, newest first, and the cursor of the next page."""
        return await self.log.page(status=status, limit=limit, cursor=cursor)

    async def __call__(self, event: UUID) -> Mapping[str, Any] | None:
        """Return everything about one event, with the exact bytes to sign; None if unknown."""
        stored = await self.ledger.event(EventId(event))
        if stored is None:
            return None
        outcome = None
        if stored.consumed_by is not None:
            command = await self.ledger.command(stored.consumed_by)
            outcome = command.result.value if command is not None and command.result else None
        signers = [await self._person(each.user) for each in stored.signers]
        return {
            "id": str(stored.id),
            "status": "denied" if stored.abandoned else stored.status.value,
            "what": wish(stored.proposal.action, self.name_of(str(stored.proposal.action.device))),
            "action_kind": type(stored.proposal.action).__name__,
            "device_id": str(stored.proposal.action.device),
            "zone_id": str(stored.proposal.action.zone),
            "arguments": stored.proposal.action.arguments,
            "hazard": stored.hazard.word,
            "needs": list(await self._needs(stored)),
            "signed_by": [person.display_name for person in signers if person],
            "signer_ids": [str(each.user) for each in stored.signers],
            "requested_by": _person_json(stored.proposal.requester),
            "created_at": stored.created_at.isoformat(),
            "expires_at": stored.expires_at.isoformat(),
            "outcome": outcome,
            "reason": stored.reason,
            "reason_code": stored.reason_code,
            "command_id": None if stored.consumed_by is None else str(stored.consumed_by),
            "conversation_id": None
            if stored.proposal.conversation is None
            else str(stored.proposal.conversation),
            "correlation_id": stored.proposal.correlation,
            "approve_url": approve_path(stored.id),
            "canonical": base64.b64encode(stored.canonical).decode(),
            "digest": stored.digest.hex(),
        }

    async def _person(self, user: UserId) -> User | None:
        return await self.facts.user(user)

    async def _needs(self, event: SafetyEvent) -> tuple[str, ...]:
        """Say what is missing as things stand now."""
        if event.status is not EventStatus.PENDING:
            return ()
        proposal = event.proposal
        seen = await self.facts.circumstances(proposal.action, proposal.requester.id)
        support = Support(
            confirmed=event.confirmed_at is not None,
            signers=event.signers,
            tainted=proposal.tainted,
        )
        verdict = assess(proposal.action, seen, support, self.now())
        needs = verdict.needs if isinstance(verdict, Waits) else event.needs
        return need_words([need.value for need in needs])


def _person_json(user: User) -> dict[str, str]:
    return {"id": str(user.id), "handle": user.handle, "display_name": user.display_name}
