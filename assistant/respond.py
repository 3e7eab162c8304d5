"""Compose the answer of a turn.  Pure."""

from collections.abc import Mapping
from typing import Any, Final

from assistant.gathered import Gathered
from assistant.turn import Asked, Said, Turn, Utterance
from assistant.understanding.reading import Ask, Heard, Reading, Reply, Unknown

_TIER_WORDS: Final[Mapping[str, str]] = {
    "mcp": "MCP server",
    "frontier": "frontier model",
}


def compose(
    utterance: Utterance,
    reading: Reading,
    gathered: Gathered,
    decision: Mapping[str, Any],
    unavailable: str,
) -> Turn:
    """Return the whole answer of a turn."""
    said = [Said(text=text, spoken=spoken) for text, spoken in gathered.said]
    question = gathered.question
    match reading:
        case Reply(text=text, spoken=spoken):
            said.append(Said(text=text, spoken=spoken))
        case Heard(text=text):
            said.append(Said(text=text))
        case Unknown(text=text):
            said.append(Said(text=text))
        case Ask(text=text, options=options):
            said.append(Said(text=text))
            question = Asked(text=text, options=tuple(option.label for option in options))
        case _:
            pass
    if unavailable and decision["forced"]:
        said.append(Said(text=_not_configured(unavailable)))
    if not said:
        said.append(Said(text="There was nothing to do."))
    return Turn(
        conversation=utterance.conversation,
        request=utterance.request,
        said=tuple(said),
        calls=gathered.calls,
        routing=decision,
        pending=gathered.pending,
        question=question,
        artifacts=gathered.artifacts,
        citations=gathered.citations,
    )


def _not_configured(tier: str) -> str:
    if tier == "mcp":
        return "No MCP server or language model is set up here that could answer more."
    return f"No {_TIER_WORDS[tier]} is set up here, so I answered by myself."
