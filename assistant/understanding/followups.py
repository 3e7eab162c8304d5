"""Reading what leans on the turn before: again, undo, "no, the other one", "and the bed?"."""

from collections.abc import Sequence
from typing import Final

from assistant.understanding.answers import complete, spec_of
from assistant.understanding.binding import SURE, make_call
from assistant.understanding.context import refilled
from assistant.understanding.grammar import Grammar, Scene
from assistant.understanding.lexicon import Words
from assistant.understanding.normal import Clean
from assistant.understanding.reading import Act, Ask, Call, Reading
from assistant.understanding.spec import Spec

INVERSES: Final = {
    "lock_door": ("unlock_door", frozenset({"door"})),
    "unlock_door": ("lock_door", frozenset({"door"})),
    "cut_power": ("enable_power", frozenset({"device"})),
    "enable_power": ("cut_power", frozenset({"device"})),
    "pause_print": ("resume_print", frozenset({"printer"})),
    "resume_print": ("pause_print", frozenset({"printer"})),
    "start_print": ("abort_print", frozenset({"printer"})),
}
"""Tool to the tool that takes it back, and the arguments that carry over."""
_AMOUNTS: Final = {"part": "celsius"}
"""Argument to the amount that never carries over to another: a bed takes no nozzle's heat."""


def follow_up(heard: Clean, last: Sequence[Call], grammar: Grammar, scene: Scene) -> Reading | None:
    """Return what an utterance means after these calls; None if it stands on its own."""
    if not last:
        return None
    lexicon = grammar.intents.lexicon
    words = lexicon.peel(heard.words).words
    for said in (heard.words, words):
        if said in lexicon["repeats"]:
            return Act(calls=tuple(last), confidence=SURE, rule="repeat")
        if said in lexicon["undos"]:
            return _undone(last, grammar, scene)
    return _corrected(heard, last[-1], grammar, scene) or _continued(
        heard, last[-1], grammar, scene
    )


def _undone(last: Sequence[Call], grammar: Grammar, scene: Scene) -> Reading:
    inverses = [_inverse(call, grammar, scene) for call in reversed(last)]
    calls = tuple(call for call in inverses if call is not None)
    if len(calls) != len(last):
        return Ask(text="That cannot be undone. Tell me what you want instead.", rule="undo")
    return Act(calls=calls, confidence=SURE, rule="undo")


def _inverse(call: Call, grammar: Grammar, scene: Scene) -> Call | None:
    if call.tool == "switch_light":
        tool, kept = call.tool, {**call.arguments, "on": not call.arguments.get("on")}
    elif call.tool in INVERSES:
        tool, names = INVERSES[call.tool]
        kept = {key: value for key, value in call.arguments.items() if key in names}
    else:
        return None
    spec = grammar.intents.of_tool(tool, kept)
    return None if spec is None else make_call(spec, kept, scene.finder.index)


def _corrected(heard: Clean, last: Call, grammar: Grammar, scene: Scene) -> Reading | None:
    """Read "no, the big printer", "not that one, the MK4", "I meant the laser room"."""
    lexicon = grammar.intents.lexicon
    size = lexicon["correction_openers"].at(heard.words, 0)
    if not size or size == len(heard.words):
        return None
    rest = heard.words[size:]
    more = lexicon["correction_openers"].at(rest, 0)
    rest = rest[more:] if 0 < more < len(rest) else rest
    return _replaced(_positive(rest, heard, size), heard, last, grammar, scene)


def _positive(words: Words, heard: Clean, offset: int) -> Words:
    """Return what is wanted of "the MK4 not the Giga", "not the Giga, the MK4"."""
    if "not" not in words:
        return words
    place = words.index("not")
    if place:
        return words[:place]
    after = [at - offset for at in sorted(heard.breaks) if at > offset]
    if after:
        return words[after[0] :]
    return words[words.index("but") + 1 :] if "but" in words else ()


def _continued(heard: Clean, last: Call, grammar: Grammar, scene: Scene) -> Reading | None:
    """Read "and the laser room?", "same for the store room"."""
    lexicon = grammar.intents.lexicon
    size = lexicon["follow_openers"].at(heard.words, 0)
    rest = lexicon.peel(heard.words[size:]).words
    if not rest or not (size or heard.asks):
        return None
    return _replaced(rest, heard, last, grammar, scene)


def _replaced(
    words: Words, heard: Clean, last: Call, grammar: Grammar, scene: Scene
) -> Reading | None:
    spec = spec_of(last, grammar)
    if spec is None or not words:
        return None
    peeled = grammar.intents.lexicon.peel(words).words
    values = refilled(words, spec, grammar, scene) or refilled(peeled, spec, grammar, scene)
    if not values:
        return _same_look(peeled, last, spec, grammar)
    dropped = {_AMOUNTS[name] for name in values if name in _AMOUNTS} - values.keys()
    kept = {name: value for name, value in last.arguments.items() if name not in dropped}
    return complete(spec, {**kept, **values}, scene, heard)


def _same_look(words: Words, last: Call, spec: Spec, grammar: Grammar) -> Reading | None:
    """Answer "and the bed?" after a look at a printer with another look: it tells of both."""
    text = " ".join(words).removeprefix("the ")
    if not spec.reads or spec.tool != "printer_status" or text not in grammar.intents.lexicon.parts:
        return None
    return Act(calls=(last,), confidence=SURE, rule=spec.name)
