"""Reading the commands of a sentence: one clause, or several joined by "and"."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from assistant.understanding.binding import Bound, bind, make_call
from assistant.understanding.context import refilled, spoken_of
from assistant.understanding.grammar import MAX_WORDS, Grammar, Scene
from assistant.understanding.lexicon import Lexicon, Peeled, Words
from assistant.understanding.normal import Clean
from assistant.understanding.reading import Call
from assistant.understanding.targets import Target

_JOINERS: Final = frozenset({"and", "then", "also", "plus", "afterwards"})
_PASSED_OVER: Final = frozenset({"greet", "thanks"})
_WHETHER: Final = frozenset({"if", "whether", "that"})
_BACK: Final = frozenset({"it", "that", "there"})
MAX_CLAUSES: Final = 6
"""Commands in one sentence; people do not say more in one breath."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """Words with the places where a clause may begin."""

    words: Words
    breaks: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Understood:
    """What the clauses of a sentence mean."""

    bound: tuple[Bound, ...] = ()
    rest: Words = field(default=())
    """Words that were not understood; empty if all were."""

    @property
    def calls(self) -> tuple[Call, ...]:
        """All calls, in order, each once: "shut the door and lock it" is one."""
        calls = [call for each in self.bound for call in each.calls]
        return tuple(call for at, call in enumerate(calls) if call not in calls[:at])


def body_of(heard: Clean, words: Words, lexicon: Lexicon) -> Body:
    """Return the words without hesitations, with the breaks moved along."""
    phrases = lexicon["filler_phrases"]
    inside = {
        place
        for start in range(1, len(words))
        for place in range(start, start + phrases.at(words, start))
        if start + phrases.at(words, start) < len(words)
    }
    kept = [
        place
        for place, word in enumerate(words)
        if (word,) not in lexicon["fillers"] and place not in inside
    ]
    breaks = frozenset(
        new for new, old in enumerate(kept) if any(b in heard.breaks for b in _gap(kept, new, old))
    )
    return Body(words=tuple(words[place] for place in kept), breaks=breaks - {0})


def _gap(kept: Sequence[int], new: int, old: int) -> range:
    return range((kept[new - 1] + 1) if new else 0, old + 1)


def understand(body: Body, grammar: Grammar, scene: Scene, heard: Clean) -> Understood:
    """Read all of the words, as one clause if that works, else clause by clause."""
    whole = _clause(body.words, grammar, scene, heard)
    if whole is not None and not whole.loose:
        return Understood(bound=(whole,))
    parts = _parts(body, grammar, scene, heard, apart=whole is not None)
    if whole is not None:
        better = parts.bound and not parts.rest and not any(b.ask or b.loose for b in parts.bound)
        return parts if better else Understood(bound=(whole,))
    return parts


def _parts(body: Body, grammar: Grammar, scene: Scene, heard: Clean, *, apart: bool) -> Understood:
    """Read the words clause by clause; `apart`: never all of them as one."""
    if len(body.words) > MAX_WORDS:
        return Understood(rest=body.words)
    covered = scene.finder.covered(body.words)
    places = [
        place
        for place in range(1, len(body.words))
        if (place in body.breaks or body.words[place] in _JOINERS) and place not in covered
    ]
    if not places or len(places) > MAX_CLAUSES * 2:
        return Understood(rest=body.words)
    ends = [*places, len(body.words)]
    return _several(body.words, ends, grammar, scene, heard, apart=apart)


def _several(
    words: Words, ends: Sequence[int], grammar: Grammar, scene: Scene, heard: Clean, *, apart: bool
) -> Understood:
    bound: list[Bound] = []
    start = 0
    rest: list[str] = []
    while start < len(words):
        here = ends[:-1] if apart and not start else ends
        end, clause = _longest(words, start, here, bound, grammar, scene, heard)
        if clause is None:
            end = next(end for end in ends if end > start)
            topic = _topic(words, start, end, grammar, scene)
            if topic:
                scene = replace(scene, spoken_of={**scene.spoken_of, **topic})
            else:
                rest.extend(words[start:end])
        elif clause.spec.name not in _PASSED_OVER:
            if clause.completes:
                bound.pop()
            bound.append(clause)
            scene = replace(
                scene,
                spoken_of={**scene.spoken_of, **spoken_of(clause.calls, scene, grammar.intents)},
            )
        start = end
    return Understood(bound=tuple(bound), rest=tuple(rest))


def _topic(words: Words, start: int, end: int, grammar: Grammar, scene: Scene) -> dict[str, Target]:
    """Return what "it" means in "laser room door, lock it"."""
    if not any(word in _BACK for word in words[end:]):
        return {}
    text = " ".join(words[start:end])
    found = grammar.find(words[start:end], scene)
    targets = {kind: texts[text] for kind, texts in found.items() if text in texts}
    return {kind: target for kind, target in targets.items() if len(target.ids) == 1}


def _longest(
    words: Words,
    start: int,
    ends: Sequence[int],
    before: Sequence[Bound],
    grammar: Grammar,
    scene: Scene,
    heard: Clean,
) -> tuple[int, Bound | None]:
    """Return the longest clause that is understood, and where it ends."""
    while start < len(words) - 1 and words[start] in _JOINERS:
        start += 1
    for end in sorted((end for end in ends if end > start), reverse=True):
        clause = _clause(words[start:end], grammar, scene, heard)
        if clause is None and before and before[-1].calls:
            clause = _elliptic(words[start:end], before[-1], grammar, scene)
        if clause is not None:
            return end, clause
    return start, None


def _clause(words: Words, grammar: Grammar, scene: Scene, heard: Clean) -> Bound | None:
    peeled = grammar.intents.lexicon.peel(words)
    matches = grammar.match(peeled.words, scene)
    if matches and matches[0].note:
        matches = grammar.match(_whole_note(peeled, words, grammar), scene) or matches
    if not matches and peeled.words != words:
        matches = grammar.match(words, scene)
    shorter = grammar.intents.lexicon.without_closers(words)
    if not matches and shorter not in {words, peeled.words}:
        matches = grammar.match(shorter, scene)
    if not matches:
        asked = peeled.inquiring and peeled.words[0] in _WHETHER
        loose = grammar.loose(
            peeled.words[asked:], scene, inquiring=peeled.inquiring and len(peeled.words) > 1
        )
        matches = [] if loose is None else [loose]
    return bind(matches, scene.finder.index, heard)


def _whole_note(peeled: Peeled, words: Words, grammar: Grammar) -> Words:
    """Give back to a note the words at its end that are no mere politeness: "... is open now"."""
    start = next(
        (at for at in range(len(words)) if words[at : at + len(peeled.words)] == peeled.words), 0
    )
    end = start + len(peeled.words)
    while size := grammar.intents.lexicon["kept_closers"].at(words, end):
        end += size
    return words[start:end] if end > start + len(peeled.words) else peeled.words


def _elliptic(words: Words, before: Bound, grammar: Grammar, scene: Scene) -> Bound | None:
    """Read "and the store room" as the clause before it, with another thing."""
    values = refilled(words, before.spec, grammar, scene)
    if not values or not before.calls:
        return None
    known = before.calls[-1].arguments
    call = make_call(before.spec, {**known, **values}, scene.finder.index)
    return Bound(spec=before.spec, calls=(call,), completes=values.keys().isdisjoint(known))
