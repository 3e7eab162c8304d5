"""What earlier turns lend to this one: "it", "the other one", "and the laser room?"."""

from collections.abc import Iterable
from typing import Any, Final

from assistant.understanding.grammar import MAX_WORDS, Grammar, Scene
from assistant.understanding.lexicon import Words
from assistant.understanding.names import Name
from assistant.understanding.reading import Call
from assistant.understanding.sentences import Intents
from assistant.understanding.spec import Spec
from assistant.understanding.targets import Found, Target

_LINKS: Final = frozenset(
    {"in", "on", "at", "to", "for", "with", "by", "from", "of", "the", "using", "do", "inside"}
    | {"one", "instead", "please", "use", "about", "it", "is"}
)


def spoken_of(calls: Iterable[Call], scene: Scene, intents: Intents) -> dict[str, Target]:
    """Return what "it" and "there" mean after these calls, by kind of thing."""
    known: dict[str, list[Name]] = {}
    for call in calls:
        for value in call.arguments.values():
            name = scene.finder.index.by_id.get(str(value))
            if name is not None:
                _learn(known, name, call, scene, intents)
    return {
        kind: Target(ids=tuple(name.id for name in names), many=len(names) > 1, kind=kind)
        for kind, names in known.items()
    }


def _learn(
    known: dict[str, list[Name]], name: Name, call: Call, scene: Scene, intents: Intents
) -> None:
    _put(known, name.kind, name)
    zone = scene.finder.index.by_id.get(name.zone)
    if zone is not None:
        _put(known, "zone", zone)
    spec = intents.of_tool(call.tool, call.arguments)
    if name.kind == "zone" and spec is not None and "lit" in spec.slots.values():
        _put(known, "light", name)


def _put(known: dict[str, list[Name]], kind: str, name: Name) -> None:
    names = known.setdefault(kind, [])
    if name not in names:
        names.append(name)


def refilled(words: Words, spec: Spec, grammar: Grammar, scene: Scene) -> dict[str, Any]:
    """Return the arguments that words give for an intent, if that is all they say.

    Values may stand in any order with small words between; anything else, or a name that
    could be two things, gives {}.
    """
    if len(words) > MAX_WORDS:
        return {}
    found = grammar.find(words, scene)
    values: dict[str, Any] = {}
    at = 0
    while at < len(words):
        end, argument, value = _value_at(words, at, spec, found, grammar)
        if argument and argument not in values:
            values[argument] = value
            at = end
        elif words[at] in _LINKS:
            at += 1
        else:
            return {}
    return values


def _value_at(
    words: Words, at: int, spec: Spec, found: Found, grammar: Grammar
) -> tuple[int, str, Any]:
    for end in range(len(words), at, -1):
        text = " ".join(words[at:end])
        for argument, kind in spec.slots.items():
            value = _value(text, kind, found, grammar)
            if value is not None:
                return end, argument, value
    return at, "", None


def _value(text: str, kind: str, found: Found, grammar: Grammar) -> Any:
    lexicon = grammar.intents.lexicon
    if kind == "part":
        return lexicon.parts.get(text.removeprefix("the "))
    if kind == "kind":
        return lexicon.kinds.get(text.removeprefix("the "))
    if kind == "state":
        return lexicon.states.get(text)
    target = found.get(kind, {}).get(text)
    if target is None or len(target.ids) > 1:
        return None
    return target.ids[0] if target.ids else target.value
