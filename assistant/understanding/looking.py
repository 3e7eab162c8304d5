"""Answering a question that no template fits by the tool that it is most like."""

from collections.abc import Iterator
from typing import Final

from assistant.understanding.binding import Bound, bind_one, choose, confirm
from assistant.understanding.frames import Frame, taken
from assistant.understanding.grammar import Match
from assistant.understanding.lexicon import Words
from assistant.understanding.likeness import Likeness, features
from assistant.understanding.mood import Mood
from assistant.understanding.reading import Act, Call, Reading
from assistant.understanding.remarks import Heed
from assistant.understanding.spelling import Speller
from assistant.understanding.targets import Found
from safety.entities import Hazard

_WISHING: Final = frozenset({"can", "could", "would", "will"})
LIKELY: Final = 0.7
"""Confidence of a look-up that was found by likeness."""
_ENOUGH: Final = 0.6
_ASKED: Final = 0.4
"""Enough for a question: at worst it is told too much."""
_PERHAPS: Final = 0.25
_ALL_BUT_SURE: Final = 0.85
"""Enough for switching a light, locking, pausing: what hurts nobody and is soon undone."""
_STRANGE: Final = 1
"""Unknown words that a question may hold if it names something."""


def look_up(said: Heed, mood: Mood, likeness: Likeness, speller: Speller) -> Reading | None:
    """Return the look-up that a question is like, or ask which of two; None if it is like none."""
    words = said.lexicon.peel(said.body.words).words
    asks = _asks(said, mood)
    if mood is Mood.QUOTED or not (asks or mood is Mood.COMMAND):
        return None
    enough = _ASKED if asks else _ENOUGH
    perhaps = _PERHAPS if asks else _ENOUGH
    found = said.grammar.find(words, said.scene)
    calls: list[Call] = []
    for name, share in likeness.of(features(words, found, said.lexicon))[:2]:
        bound = _bound(name, words, found, said, speller) if share >= perhaps else None
        if bound is None or (bound.ask is not None and share < enough):
            break
        if share >= enough:
            return bound.ask or Act(calls=bound.calls, confidence=LIKELY, rule=name)
        calls.extend(bound.calls[:1])
    if len(calls) == 1:
        return confirm(calls[0], "likeness")
    return choose(tuple(calls), "likeness") if calls else None


def offer(said: Heed, mood: Mood, likeness: Likeness, speller: Speller) -> Reading | None:
    """Ask whether an action is wanted that a wish is like; what is harmless may be done."""
    words = said.lexicon.peel(said.body.words).words
    wish = mood is Mood.COMMAND or (mood is Mood.QUESTION and words[:1] and words[0] in _WISHING)
    if not words or not wish:
        return None
    found = said.grammar.find(words, said.scene)
    name, share = likeness.of(features(words, found, said.lexicon))[0]
    spec = said.grammar.intents.specs.get(name)
    if spec is None or spec.reads or spec.free or spec.reply or share < _ENOUGH:
        return None
    named = taken(words, found, spec)
    strange = sum(speller.unknown(word) for word in words)
    if named is None or not named[0] or strange > _STRANGE or words[0] == "no":
        return None
    match = Match(spec=spec, values=named[0], loose=True)
    bound = bind_one(match, said.scene.finder.index, said.heard)
    starts = any(words[0] in frame.cues | frame.helpers for frame in _frames(name, said))
    if spec.hazardous and not starts:  # "the operator unlocks the door" tells, it does not ask
        return None
    if bound.ask is not None or not bound.calls:
        return bound.ask
    opposed = any(frame.against.intersection(words) for frame in _frames(name, said))
    plain = (
        mood is Mood.COMMAND and not strange and not opposed and starts and len(bound.calls) == 1
    )
    if spec.hazard is Hazard.NONE and not spec.stop and plain and share >= _ALL_BUT_SURE:
        return Act(calls=bound.calls, confidence=LIKELY, rule=name)
    return confirm(bound.calls[0], "likeness")


def _frames(name: str, said: Heed) -> Iterator[Frame]:
    """Yield the cue words of an intent; those that speak against it are its opposites."""
    return (frame for frame in said.grammar.intents.frames.frames if frame.intent == name)


def _bound(name: str, words: Words, found: Found, said: Heed, speller: Speller) -> Bound | None:
    """Return the look-up with what the words name; None if they say too much else."""
    spec = said.grammar.intents.specs.get(name)
    if spec is None or not spec.reads or spec.free:
        return None
    named = taken(words, found, spec)
    strange = sum(speller.unknown(word) for word in words)
    if named is None or strange > (_STRANGE if named[0] else 0):
        return None
    match = Match(spec=spec, values=named[0], loose=True)
    return bind_one(match, said.scene.finder.index, said.heard)


def _asks(said: Heed, mood: Mood) -> bool:
    """Return whether the words ask to be told something, whatever else is in them."""
    words = said.lexicon.peel(said.body.words)
    first = words.words[0] if words.words else ""
    begins = first in said.grammar.intents.frames.asking
    plain = mood in {Mood.QUESTION, Mood.COMMAND, Mood.REPORTED}
    question = said.lexicon["questions"].at(words.words, 0) > 0
    return question or (plain and (begins or said.heard.asks or words.inquiring))
