"""A remark beside a command, and a command that is taken back or replaced in the same breath."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from assistant.understanding.answers import complete
from assistant.understanding.binding import Bound, confirm
from assistant.understanding.clauses import Body, Understood, understand
from assistant.understanding.context import refilled, spoken_of
from assistant.understanding.grammar import Grammar, Scene
from assistant.understanding.lexicon import Lexicon, Words
from assistant.understanding.mentions import KINDS
from assistant.understanding.mood import Mood, mood_of
from assistant.understanding.normal import Clean
from assistant.understanding.reading import Act, Ask, Call, Reading, Reply
from assistant.understanding.targets import Target

BESIDE: Final = 0.8
"""Confidence of a command that stands beside a remark."""
_REMARK: Final = 3
"""Words that make a remark; fewer may be a name that is being called."""
_JOINERS: Final = frozenset({"so", "and"})
_LENDS: Final = frozenset({"lit", "zone", "camera"})
"""Kinds of arguments that a place in the remark can fill."""
_SAY_AGAIN: Final = "I am not sure what you want now. Please say it again in one sentence."


@dataclass(frozen=True, slots=True, kw_only=True)
class Heed:
    """What a sentence is read with."""

    body: Body
    heard: Clean
    grammar: Grammar
    scene: Scene

    @property
    def lexicon(self) -> Lexicon:
        """The small words."""
        return self.grammar.intents.lexicon


def taken_back(said: Heed) -> Reading | None:
    """Return what is left of "unlock the bay, never mind" or "..., I mean lock it"."""
    words, lexicon = said.body.words, said.lexicon
    for place in sorted(said.body.breaks, reverse=True):
        if lexicon.peel(words[place:]).words in lexicon["takebacks"] or (
            words[place:] in lexicon["takebacks"]
        ):
            return Reply(text="All right, I leave it.", rule="taken_back")
        size = lexicon["replacers"].at(words, place)
        if size:
            return _replaced(words[:place], words[place + size :], said)
    return None


def _replaced(first: Words, rest: Words, said: Heed) -> Reading:
    again = Ask(text=_SAY_AGAIN, rule="corrected")
    before = understand(Body(words=first), said.grammar, said.scene, said.heard)
    if not rest or not _is_plain_wish(rest, said) or not _is_plain_wish(first, said):
        return again
    named = spoken_of(before.calls, said.scene, said.grammar.intents)
    scene = replace(said.scene, spoken_of={**said.scene.spoken_of, **named})
    meant = understand(Body(words=rest), said.grammar, scene, said.heard)
    if meant.calls and not meant.rest and not any(each.ask for each in meant.bound):
        return _reading(meant.bound)
    if len(before.calls) != 1 or before.rest:
        return again
    spec = before.bound[0].spec
    values = refilled(rest, spec, said.grammar, scene)
    if not values:
        return again
    reading = complete(spec, {**before.calls[0].arguments, **values}, scene, said.heard)
    hazardous = isinstance(reading, Act) and spec.hazardous
    return (
        confirm(reading.calls[0], spec.name) if isinstance(reading, Act) and hazardous else reading
    )


def beside_remark(said: Heed) -> Reading | None:
    """Read "I am done here, turn it off" or the other way round: a remark and a command."""
    for remark, command, last in _splits(said.body, said.lexicon):
        if not _is_remark(remark, said) or not _is_plain_wish(command, said, last=last):
            continue
        scene, named = _lent(remark, said)
        meant = understand(Body(words=command), said.grammar, scene, said.heard)
        if meant.rest or len(meant.bound) != 1:
            continue
        bound = _filled(meant.bound[0], named, said, scene)
        if bound.calls and bound.ask is None and not bound.spec.reply:
            return _reading((bound,))
    return None


def _splits(body: Body, lexicon: Lexicon) -> Iterator[tuple[Words, Words, bool]]:
    """Yield (remark, command, whether the command is last) for every place to part the words."""
    words = body.words
    joined = {at for at, word in enumerate(words) if at and word in _JOINERS}
    for place in sorted(body.breaks | joined):
        first, rest = words[:place], words[place:]
        if len(first) >= _REMARK and lexicon["statements"].at(first, 0):
            yield first, _after_joiner(rest), True
        if len(rest) >= _REMARK and lexicon["statements"].at(rest, 0):
            yield rest, first, False


def _after_joiner(words: Words) -> Words:
    return words[1:] if len(words) > 1 and words[0] in _JOINERS else words


def _is_remark(words: Words, said: Heed) -> bool:
    """Return whether words only say how things are."""
    lexicon = said.lexicon
    if lexicon["reporters"].anywhere(words):
        return False
    peeled = replace(lexicon.peel(words), words=words)
    mood = mood_of(peeled, said.scene.finder.covered(words), lexicon, quoted=False)
    if mood is Mood.NEGATED:
        unwanted = lexicon["wanting"].anywhere(words) or lexicon["negation_phrases"].anywhere(words)
        return not unwanted and words[-1] != "to"
    return mood in {Mood.COMMAND, Mood.REPORTED}


def _is_plain_wish(words: Words, said: Heed, *, last: bool = False) -> bool:
    peeled = said.lexicon.peel(words)
    covered = said.scene.finder.covered(peeled.words)
    mood = mood_of(peeled, covered, said.lexicon, quoted=said.heard.quoted)
    asks = said.heard.asks and not (last and peeled.polite)
    return mood in {Mood.COMMAND, Mood.REPORTED} and not asks and not peeled.inquiring


def _lent(remark: Words, said: Heed) -> tuple[Scene, dict[str, Target]]:
    """Return the scene with what the remark names, and the one thing of each kind it names."""
    found = said.grammar.find(remark, said.scene)
    named = {kind: target for kind in KINDS if (target := _only(found.get(kind, {})))}
    place = named.get("zone")
    if place is not None and "light" not in named:
        named["light"] = Target(ids=place.ids, kind="light")
    return replace(said.scene, spoken_of={**said.scene.spoken_of, **named}), named


def _only(texts: Mapping[str, Target]) -> Target | None:
    """Return the one thing that was named, if it is one."""
    named = {target.ids: target for target in texts.values() if len(target.ids) == 1}
    return next(iter(named.values())) if len(named) == 1 else None


def _filled(bound: Bound, named: Mapping[str, Target], said: Heed, scene: Scene) -> Bound:
    """Fill in what "put the lights on" leaves open with what the remark names."""
    ask = bound.ask
    if ask is None or ask.partial is None or not ask.missing:
        return bound
    kind = bound.spec.slots.get(ask.missing, "")
    place = named.get("zone")
    here = list(named[kind].ids) if kind in named else []
    if not here and place is not None:
        inside = scene.finder.index.inside.get((place.ids[0], kind), [])
        here = [place.ids[0]] if kind in _LENDS else [name.id for name in inside]
    if len(here) != 1:
        return bound
    known = {**ask.partial.arguments, ask.missing: here[0]}
    reading = complete(bound.spec, known, scene, said.heard)
    return replace(bound, ask=None, calls=reading.calls) if isinstance(reading, Act) else bound


def _reading(bound: tuple[Bound, ...]) -> Reading:
    """Return the calls of these commands; what could hurt somebody is asked back."""
    calls: tuple[Call, ...] = Understood(bound=bound).calls
    if any(each.spec.hazardous for each in bound):
        return confirm(calls[0], bound[0].spec.name)
    return Act(calls=calls, confidence=BESIDE, rule=bound[0].spec.name)
