"""Turn rows of the gate's tables into the gate's values."""

import base64
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, LiteralString
from uuid import UUID

from safety.actions import revive
from safety.entities import (
    CommandId,
    ConversationId,
    DeviceId,
    EventId,
    Hazard,
    KeyId,
    KeyKind,
    Passkey,
    PolicyId,
    PublicKey,
    RequestId,
    Role,
    User,
    UserId,
    ZoneId,
)
from safety.policy import Need
from safety.records import (
    Command,
    CommandStatus,
    Endorsement,
    EventStatus,
    Proposal,
    Result,
    SafetyEvent,
)

Row = Mapping[str, Any]

USER_COLUMNS: Final[LiteralString] = (
    """u.id as user_id, u.display_name, u.handle, u.roles, u.email, u.tailscale_id"""
)


KEY_COLUMNS: Final[LiteralString] = (
    "k.id, k.user_id, k.algorithm, k.spki, k.label, k.revoked_at, k.kind, k.rp_id, k.synced, "
    "k.sign_count"
)


def user_of(row: Row) -> User:
    """Build the person of a row that has USER_COLUMNS."""
    return User(
        id=UserId(row["user_id"]),
        display_name=row["display_name"],
        handle=row["handle"],
        roles=frozenset(Role(each) for each in row["roles"]),
        email=row["email"],
        tailscale_id=row["tailscale_id"],
    )


def _proposal(row: Row, device: DeviceId, zone: ZoneId, arguments: Mapping[str, Any]) -> Proposal:
    conversation = row["conversation_id"]
    return Proposal(
        key=row["proposal_key"],
        action=revive(row["action_kind"], device, zone, arguments),
        requester=user_of(row),
        request=RequestId(row["request_id"]),
        conversation=None if conversation is None else ConversationId(conversation),
        correlation=row["correlation_id"] or "",
        tainted=row.get("tainted", False),
        evidence=row.get("evidence", {}),
    )


def event_of(row: Row) -> SafetyEvent:
    """Build a SafetyEvent from a row of EVENT_QUERY."""
    device, zone = DeviceId(row["device_id"]), ZoneId(row["zone_id"])
    consumed = row["consumed_by_command"]
    return SafetyEvent(
        id=EventId(row["id"]),
        proposal=_proposal(row, device, zone, row["action"]),
        hazard=Hazard[row["hazard"].upper()],
        canonical=bytes(row["canonical"]),
        digest=bytes.fromhex(row["digest"]),
        nonce=row["nonce"],
        policy=PolicyId(row["policy_id"]),
        policy_version=row["policy_version"],
        not_before=row["not_before"],
        expires_at=row["expires_at"],
        status=EventStatus(row["status"]),
        needs=frozenset(Need(each) for each in row["needs"]),
        confirmed_at=row["confirmed_at"],
        endorsements=tuple(_endorsement(each) for each in row["endorsements"]),
        reason_code=row["reason_code"],
        reason=row["reason"],
        consumed_by=None if consumed is None else CommandId(consumed),
        abandoned=row["status"] == "approved"
        and consumed is None
        and row["resolved_at"] is not None,
        created_at=row["created_at"],
    )


def key_of(row: Row) -> PublicKey:
    """Build the key of a row that has KEY_COLUMNS."""
    kind = KeyKind(row["kind"])
    passkey = None
    if kind is KeyKind.WEBAUTHN:
        passkey = Passkey(
            rp_id=row["rp_id"], synced=row["synced"], sign_count=row["sign_count"]
        )  # fmt: skip
    return PublicKey(
        id=KeyId(row["id"]),
        user=UserId(row["user_id"]),
        algorithm=row["algorithm"],
        spki=bytes(row["spki"]),
        label=row["label"],
        revoked_at=row["revoked_at"],
        kind=kind,
        passkey=passkey,
    )


def _endorsement(each: Mapping[str, Any]) -> Endorsement:
    revoked = each["revoked_at"]
    plain = {
        "user_id": UUID(each["user_id"]),
        "spki": base64.b64decode(each["spki"]),
        "revoked_at": None if revoked is None else datetime.fromisoformat(revoked),
    }
    return Endorsement(
        key=key_of({**each, **plain}),
        value=base64.b64decode(each["signature"]),
        roles=frozenset(Role(role) for role in each["roles"]),
        disabled=each["disabled"],
    )


def command_of(row: Row) -> Command:
    """Build a Command from a row of COMMAND_QUERY."""
    device, zone = DeviceId(row["device_id"]), ZoneId(row["zone_id"])
    event, outcome = row["safety_event_id"], row["outcome"]
    done = outcome == Result.DONE
    closed: datetime | None = row["closed_at"]
    return Command(
        id=CommandId(row["id"]),
        proposal=_proposal(row, device, zone, row["payload"]),
        hazard=Hazard[row["hazard"].upper()],
        event=None if event is None else EventId(event),
        status=CommandStatus(row["status"]),
        created_at=row["created_at"],
        deadline=row["deadline"],
        result=None if outcome is None else Result(outcome),
        code=None if done else row["failure_code"],
        detail=(row["receipt"] or {}).get("detail") if done else row["failure_detail"],
        closed_at=closed,
    )
