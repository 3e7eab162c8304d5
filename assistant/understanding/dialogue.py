"""What a conversation remembers between turns.  Kept as `ConversationSession.state`."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from assistant.understanding.reading import Call

QUESTION_LIFETIME: Final = timedelta(seconds=300)
"""How long an answer still belongs to a question (origin: 300 s to confirm)."""
FOLLOW_UP_LIFETIME: Final = timedelta(minutes=10)
"""How long "it" and "the other one" still mean what was spoken of last."""

ASK_AGAIN: Final = "ask_again"
"""Rule of an `Ask` that repeats the open question: it stays open, and as old as it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What KITTY asked last, and what an answer would mean."""

    kind: str
    """`choose`, `slot` or `confirm`."""
    asked_at: datetime
    text: str
    options: tuple[Call, ...] = ()
    missing: str = ""
    partial: Call | None = None
    event: str = ""
    """For `confirm`: id of the SafetyEvent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialogue:
    """The state that follow-ups, corrections and answers are read against."""

    question: Question | None = None
    last_calls: tuple[Call, ...] = ()
    """The calls of the last turn that made any."""
    last_at: datetime | None = None

    def open_question(self, now: datetime) -> Question | None:
        """Return the question that an answer would still belong to."""
        if self.question is None or not _fresh(self.question.asked_at, now, QUESTION_LIFETIME):
            return None
        return self.question

    def recent_calls(self, now: datetime) -> tuple[Call, ...]:
        """Return the calls that "it" may still refer to."""
        if self.last_at is None or not _fresh(self.last_at, now, FOLLOW_UP_LIFETIME):
            return ()
        return self.last_calls


def _fresh(then: datetime, now: datetime, lifetime: timedelta) -> bool:
    return timedelta(0) <= now - then < lifetime
