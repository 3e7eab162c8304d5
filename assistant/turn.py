"""The vocabulary of the conversation core: utterances in, typed events out.

Channels decode to `Utterance` and encode these events; none has logic of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from routing.decision import RoutingDecision, Tier
from safety.entities import ConversationId, EventId, RequestId, User, ZoneId
from tools.run import CallResult
from tools.spec import Artifact

MAX_TEXT = 4_000
"""Characters in one utterance; longer ones are refused by the channels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """What someone said, whatever they said it through."""

    text: str
    speaker: User
    conversation: ConversationId
    request: RequestId
    channel: str
    """`web`, `cli`, `rest`, `voice`, ..."""
    correlation: str
    at: datetime
    heard_from: ZoneId | None = None
    """The zone the microphone or the person is in, when known."""
    force_tier: Tier | None = None
    client_key: str | None = None
    """The client's own idempotency key: the same key again returns the same answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Routed:
    """The decision is recorded; nothing else has happened yet."""

    decision: RoutingDecision


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A piece of the reply."""

    text: str
    spoken: str = ""
    """For the ear, when it should differ from `text`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acted:
    """A tool was called and this is what came of it."""

    result: CallResult
    names: Mapping[str, str] = field(default_factory=dict)
    """What people call the things that the arguments name by id, by argument."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A hazardous action waits for people."""

    event: EventId
    prompt: str
    """The action, machine and numbers in words."""
    needs: tuple[str, ...]
    """What is missing, in words."""
    hazard: str
    expires_at: datetime
    approve_url: str
    """Path of the page where people sign."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """KITTY asks back."""

    text: str
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The reply is complete; `body` is the whole of it, as POST /api/query answers."""

    body: Mapping[str, Any]


Event = Routed | Said | Acted | Waiting | Asked | Finished


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One request and its whole answer."""

    conversation: ConversationId
    request: RequestId
    said: tuple[Said, ...]
    calls: tuple[Mapping[str, Any], ...]
    """As in the HTTP answer: tool, arguments, outcome, event_id?, receipt?, reason?."""
    routing: Mapping[str, Any]
    pending: Waiting | None = None
    question: Asked | None = None
    artifacts: tuple[Artifact, ...] = ()
    citations: tuple[str, ...] = ()
