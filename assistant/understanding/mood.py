"""What kind of sentence it is: only a wish to act now may act."""

import itertools
from enum import StrEnum
from typing import Final

from assistant.understanding import wording
from assistant.understanding.lexicon import Lexicon, Peeled, Words


class Mood(StrEnum):
    """Why a sentence must not act; `command` may."""

    COMMAND = "command"
    NEGATED = "negated"
    CONDITIONAL = "hypothetical"
    LATER = "later"
    EXCEPT = "exclusion"
    QUOTED = "quoted"
    REPORTED = "reported"
    QUESTION = "question"


_SETS: Final = (
    (Mood.NEGATED, ("negation_words", "negation_phrases")),
    (Mood.EXCEPT, ("exclusions", "exclusion_phrases")),
    (Mood.CONDITIONAL, ("conditions", "condition_phrases", "condition_times")),
    (Mood.LATER, ("later", "later_phrases")),
)
WORDS: Final = {
    Mood.NEGATED: wording.NEGATED,
    Mood.CONDITIONAL: wording.CONDITIONAL,
    Mood.LATER: wording.LATER,
    Mood.EXCEPT: wording.EXCEPT,
    Mood.QUOTED: wording.QUOTED,
    Mood.REPORTED: wording.REPORTED,
    Mood.QUESTION: wording.HYPOTHETICAL,
}
_DELAY_UNITS: Final = frozenset(
    {"second", "seconds", "sec", "secs", "minute", "minutes", "min", "mins", "hour", "hours"}
    | {"day", "days", "week", "weeks"}
)
_REPORT_REACH: Final = 4


def mood_of(peeled: Peeled, covered: frozenset[int], lexicon: Lexicon, *, quoted: bool) -> Mood:
    """Return what keeps the words from being a command, if anything.

    `covered` are the places of words that belong to full names: a job called "when it
    rains" is no condition.
    """
    if quoted or lexicon["examples"].at(peeled.words, 0):
        return Mood.QUOTED
    words = peeled.words
    asks = not peeled.wish and lexicon["questions"].at(words, 0) > 0
    open_words = tuple("" if place in covered else word for place, word in enumerate(words))
    for mood, keys in _SETS:
        if any(lexicon[key].anywhere(open_words) for key in keys):
            return mood
    if _delayed(open_words):
        return Mood.LATER
    if lexicon["reporters"].anywhere(open_words[:_REPORT_REACH]) and not asks:
        return Mood.QUOTED
    if asks:
        return Mood.QUESTION
    reports = not peeled.wish and _reports(words, lexicon)
    return Mood.REPORTED if reports else Mood.COMMAND


def _reports(words: Words, lexicon: Lexicon) -> bool:
    if any((word,) in lexicon["pasts"] for word in words[1:3]):
        return not words[0].isdigit()
    return any(
        (word,) in lexicon["subjects"] and (after,) in lexicon["pasts"]
        for word, after in itertools.pairwise(words)
    )


def _delayed(words: Words) -> bool:
    """Return whether "in 5 minutes", "at 17:30", "at 5 pm" is said."""
    for place, word in enumerate(words[:-1]):
        after = words[place + 1]
        number = after[:1].isdigit() or after in {"an", "a", "few", "half"}
        if word == "in" and number and any(w in _DELAY_UNITS for w in words[place + 2 : place + 5]):
            return True
        if word == "at" and after[:1].isdigit() and _is_clock(words[place + 1 : place + 3]):
            return True
    return False


def _is_clock(words: Words) -> bool:
    last = words[-1]
    return ":" in words[0] or words[0].endswith(("am", "pm")) or last in {"am", "pm", "o"}
