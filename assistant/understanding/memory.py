"""How the dialogue's state moves on with a turn, and how it is kept as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from assistant.understanding.dialogue import ASK_AGAIN, Dialogue, Question
from assistant.understanding.reading import Act, Ask, Call, Reading, Stop


def after(dialogue: Dialogue, reading: Reading, now: datetime, *, event: str = "") -> Dialogue:
    """Return the state after a turn.

    `event` is the SafetyEvent that KITTY is asking this person to confirm.  Whatever else
    was said in between, an older question is closed: a late "yes" finds nothing to confirm.
    """
    if isinstance(reading, Ask) and reading.rule == ASK_AGAIN:
        return dialogue
    if isinstance(reading, Ask):
        return replace(dialogue, question=_question(reading, now))
    if isinstance(reading, Act | Stop):
        text = reading.calls[0].label if reading.calls else ""
        asked = Question(kind="confirm", asked_at=now, text=f"Shall I {text}?", event=event)
        return Dialogue(question=asked if event else None, last_calls=reading.calls, last_at=now)
    return replace(dialogue, question=None)


def _question(ask: Ask, now: datetime) -> Question | None:
    if not ask.options and ask.partial is None:
        return None
    return Question(
        kind="choose" if ask.options else "slot",
        asked_at=now,
        text=ask.text,
        options=ask.options,
        missing=ask.missing,
        partial=ask.partial,
    )


def dump(dialogue: Dialogue) -> dict[str, Any]:
    """Return the state as JSON values, for `ConversationSession.state`."""
    asked = dialogue.question
    return {
        "question": None
        if asked is None
        else {
            "kind": asked.kind,
            "asked_at": asked.asked_at.isoformat(),
            "text": asked.text,
            "options": [_dump_call(call) for call in asked.options],
            "missing": asked.missing,
            "partial": None if asked.partial is None else _dump_call(asked.partial),
            "event": asked.event,
        },
        "last_calls": [_dump_call(call) for call in dialogue.last_calls],
        "last_at": None if dialogue.last_at is None else dialogue.last_at.isoformat(),
    }


def load(state: Mapping[str, Any]) -> Dialogue:
    """Read what `dump` wrote; what is missing or malformed counts as not remembered."""
    last_at = _time(state.get("last_at"))
    return Dialogue(
        question=_load_question(state.get("question")),
        last_calls=_load_calls(state.get("last_calls")) if last_at else (),
        last_at=last_at,
    )


def _dump_call(call: Call) -> dict[str, Any]:
    return {"tool": call.tool, "arguments": dict(call.arguments), "label": call.label}


def _load_question(value: Any) -> Question | None:
    if not isinstance(value, Mapping):
        return None
    asked_at = _time(value.get("asked_at"))
    kind = value.get("kind")
    if asked_at is None or kind not in {"choose", "slot", "confirm"}:
        return None
    partial = _load_calls([value.get("partial")])
    return Question(
        kind=str(kind),
        asked_at=asked_at,
        text=str(value.get("text", "")),
        options=_load_calls(value.get("options")),
        missing=str(value.get("missing", "")),
        partial=partial[0] if partial else None,
        event=str(value.get("event", "")),
    )


def _load_calls(value: Any) -> tuple[Call, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str):
        return ()
    return tuple(
        Call(
            tool=each["tool"],
            arguments=dict(each.get("arguments") or {}),
            label=str(each.get("label", "")),
        )
        for each in value
        if isinstance(each, Mapping)
        and isinstance(each.get("tool"), str)
        and isinstance(each.get("arguments", {}), Mapping)
    )


def _time(value: Any) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        return None
    return at if at.tzinfo is not None else None
