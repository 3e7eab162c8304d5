"""Hearing "stop" in any sentence, before anything else is looked at."""

import itertools
import re
from typing import Final

from assistant.understanding.lexicon import Lexicon, Words
from assistant.understanding.normal import Clean

_LONG_DRAWN: Final = re.compile(r"s+t+o+p+|h+a+l+t+")
_REACH: Final = 3
"""Words before "stop" within which a reporting verb makes it someone else's."""


def drawn_in(words: Words) -> Words:
    """Return the words with "stooop" as "stop"."""
    return tuple(
        ("stop" if word.startswith("s") else "halt") if _LONG_DRAWN.fullmatch(word) else word
        for word in words
    )


def wants_stop(heard: Clean, lexicon: Lexicon) -> bool:
    """Return whether everything is to stop: the call stands alone, or begins or ends a clause."""
    words = drawn_in(heard.words)
    if heard.quoted or not any(word in _HINTS for word in words):
        return False
    if any(pair == ("stop", "stop") for pair in itertools.pairwise(words)):
        return not _reported(words, words.index("stop"), lexicon)
    start = 0
    for end in [*sorted(heard.breaks), len(words)]:
        clause = words[start:end]
        peeled = lexicon.peel(clause).words
        if (peeled in lexicon["stops"] or clause in lexicon["stops"]) and not _reported(
            words, start, lexicon
        ):
            return not (heard.asks and end == len(words) and peeled == clause)
        start = end
    return _at_the_end(words, heard, lexicon)


_HINTS: Final = frozenset({
    "stop", "halt", "freeze", "emergency", "kill", "abort", "shut", "cut", "turn", "switch",
    "power", "panic", "mayday", "hit", "press", "make", "get", "everything", "everybody", "estop",
    "full", "e", "all",
})  # fmt: skip


def begins_with_stop(heard: Clean, lexicon: Lexicon) -> bool:
    """Return whether an utterance that nothing else fits begins with a call to stop."""
    words = lexicon.peel(drawn_in(heard.words)).words
    if heard.quoted or len(words) < 2 or (words[0],) not in lexicon["stop_words"]:  # noqa: PLR2004
        return False
    after = words[1]
    harmless = (after,) in lexicon["stop_nouns"] or (after,) in lexicon["no_stop_objects"]
    doing = after.endswith("ing") and after not in {"printing", "moving", "working", "running"}
    return not harmless and not doing and not heard.asks


def last_stop(words: Words, lexicon: Lexicon) -> Words:
    """Return the words from the last call to stop on; none if it is no call."""
    places = [at for at, word in enumerate(words) if at and (word,) in lexicon["stop_words"]]
    if not places:
        return ()
    place = places[-1]
    kept = (words[place - 1],) in lexicon["no_stop_after"] or _reported(words, place, lexicon)
    return () if kept else words[place:]


def _at_the_end(words: Words, heard: Clean, lexicon: Lexicon) -> bool:
    end = len(words)
    while closer := lexicon["closers"].ending(words[:end], end):
        end -= closer
    if end < 2 or (words[end - 1],) not in lexicon["stop_words"]:  # noqa: PLR2004
        return False
    start = max((place for place in heard.breaks if place < end), default=0)
    clause = lexicon.peel(words[start:end]).words
    before = words[end - 2]
    asks = lexicon["questions"].at(clause, 0) > 0 or heard.asks
    kept = any(lexicon[key].anywhere(clause) for key in ("negation_words", "conditions"))
    noun = (before,) in lexicon["no_stop_after"] and end - 1 not in heard.breaks
    return not (asks or kept or noun or _reported(words, end - 1, lexicon))


def _reported(words: Words, place: int, lexicon: Lexicon) -> bool:
    """Return whether somebody is said to have said it."""
    return any((word,) in lexicon["reporters"] for word in words[max(0, place - _REACH) : place])
