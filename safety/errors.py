"""Refusals that callers must tell apart, with stable codes."""

from typing import Final

UNKNOWN_EVENT: Final = "unknown_event"
ALREADY_SETTLED: Final = "already_settled"
EXPIRED: Final = "expired"
UNKNOWN_KEY: Final = "unknown_key"
REVOKED_KEY: Final = "revoked_key"
BAD_SIGNATURE: Final = "bad_signature"
NOT_AUTHORISED: Final = "not_authorised"
ALREADY_SIGNED: Final = "already_signed"
NOT_REQUESTER: Final = "not_requester"
NO_SIGNATURE_NEEDED: Final = "needs_confirmation"
NEEDS_SIGNATURE: Final = "needs_signature"
STATE_CHANGED: Final = "state_changed"
POLICY_CHANGED: Final = "policy_changed"
WITHDRAWN: Final = "withdrawn"
DENIED_BY_PERSON: Final = "denied"
