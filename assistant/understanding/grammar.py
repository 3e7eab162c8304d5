"""Matching words against the templates, with the things of this very utterance as slot lists."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from hassil.expression import TextChunk
from hassil.intents import SlotList, TextSlotList, TextSlotValue

from assistant.understanding.amounts import find_amounts
from assistant.understanding.lexicon import Words
from assistant.understanding.mentions import Finder
from assistant.understanding.sentences import Intents
from assistant.understanding.spec import Spec
from assistant.understanding.targets import Found, Target
from assistant.understanding.templates import (
    WILDCARD,
    Templates,
    compile_templates,
    possible,
)

LISTS: Final = (
    "light", "lit", "dark_zone", "zone", "scene", "door", "seconds", "power", "camera",
    "camera_name", "device", "sensor", "printer", "job", "celsius", "gcode", "window",
    "event", "thing", "zone_sensor", "person",
)  # fmt: skip
NOTHING_SAID: Final[dict[str, SlotList]] = {
    name: TextSlotList(name=name, values=[]) for name in LISTS
}
MAX_WORDS: Final = 60
"""Words in one utterance that are looked through for commands, so that the work stays bounded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """One way to read a clause."""

    spec: Spec
    values: Mapping[str, Target] = field(default_factory=dict)
    """Argument to what was said for it."""
    loose: bool = False
    """Read by cue words, not by a template."""

    @property
    def missing(self) -> tuple[str, ...]:
        """The needed arguments that were not said or that name nothing."""
        needs = [arg for arg in self.spec.needs if _is_open(self.values.get(arg))]
        if self.spec.hazardous:  # "on the printer" of something hazardous is asked, not guessed
            needs += [arg for arg, target in self.values.items() if _is_open(target)]
        return tuple(dict.fromkeys(needs))

    @property
    def unclear(self) -> tuple[str, ...]:
        """The arguments that could be one of several things."""
        return tuple(a for a, t in self.values.items() if len(t.ids) > 1 and not t.many)

    @property
    def free(self) -> bool:
        """Whether any words at all would do for an argument."""
        return bool(self.spec.free) and self.spec.free in self.values

    @property
    def note(self) -> bool:
        """Whether it keeps the person's own words, so that none may be lost."""
        return self.free and self.spec.free == "text"

    @property
    def doubt(self) -> tuple[int, int, int, int]:
        """How far this is from a complete reading; smaller is better."""
        values = self.values.values()
        empty = sum(map(_is_open, values))
        loose = sum(bool(target.ids) and (target.many or not target.named) for target in values)
        return len(self.missing), len(self.unclear), empty, loose


def _is_open(target: Target | None) -> bool:
    return target is None or (not target.ids and target.value is None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What a clause is read against."""

    finder: Finder
    now: datetime
    spoken_of: Mapping[str, Target] = field(default_factory=dict)
    """What "it" means, by kind of thing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grammar:
    """The templates, compiled once."""

    intents: Intents
    templates: Templates
    fixed_lists: Mapping[str, SlotList]

    def find(self, words: Words, scene: Scene) -> Found:
        """Return everything the words mention."""
        found = scene.finder.find(words, scene.spoken_of)
        find_amounts(found, words, scene.now)
        return found

    def match(self, words: Words, scene: Scene) -> list[Match]:
        """Return the ways to read all of the words, best first.

        Of many words only a note to remember can be made, whatever they mention.
        """
        if not words:
            return []
        found = self.find(words, scene) if len(words) <= MAX_WORDS else {}
        matches: dict[tuple[str, str], Match] = {}
        for match in self._matches(" ".join(words), found):
            key = match.spec.name, repr(sorted(match.values.items()))
            matches.setdefault(key, match)
        return sorted(
            matches.values(), key=lambda match: (match.doubt, match.free, not match.spec.reads)
        )

    def loose(self, words: Words, scene: Scene, *, inquiring: bool) -> Match | None:
        """Return how the words can be read by their cue words, if no template fits.

        `inquiring`: "tell me", "check if" and the like went before.
        """
        if not words or len(words) > MAX_WORDS:
            return None
        found = self.find(words, scene)
        lexicon = self.intents.lexicon
        lists = {"kind": lexicon.kinds, "part": lexicon.parts, "state": lexicon.states}
        for name, known in lists.items():
            found[name] |= {text: Target(value=value) for text, value in known.items()}
        read = self.intents.frames.read(words, found, self.intents.specs, inquiring=inquiring)
        return None if read is None else Match(spec=read[0], values=read[1], loose=True)

    def _matches(self, text: str, found: Found) -> Iterator[Match]:
        said = {name: _slot_list(name, found[name]) for name in LISTS if found.get(name)}
        lists: dict[str, SlotList] = {**self.fixed_lists, **said}
        complete = {**NOTHING_SAID, **lists}
        for template in possible(self.templates, text, lists):
            spec = self.intents.specs[template.intent]
            for values in template.match(text, complete):
                yield Match(
                    spec=spec,
                    values={a: _target(v) for a, v in values.items() if a in spec.slots},
                )


def _target(value: Any) -> Target:
    return value if isinstance(value, Target) else Target(value=value)


def _slot_list(name: str, said: Mapping[str, Target]) -> TextSlotList:
    return TextSlotList(
        name=name,
        values=[
            TextSlotValue(text_in=TextChunk(text), value_out=target)
            for text, target in sorted(said.items(), key=lambda item: -len(item[0]))
        ],
    )


def compile_grammar(intents: Intents) -> Grammar:
    """Prepare the lists that never change."""
    kinds = [(word, kind) for word, kind in intents.lexicon.kinds.items()]
    several = [(word, kind) for word, kind in kinds if word.endswith("s")]
    states = list(intents.lexicon.states.items())
    parts = [
        (f"{article}{word}", part)
        for word, part in intents.lexicon.parts.items()
        for article in ("", "the ", "its ", "a ", "my ")
    ]
    return Grammar(
        intents=intents,
        templates=compile_templates(intents.templates),
        fixed_lists={
            WILDCARD: intents.templates.slot_lists[WILDCARD],
            "kind": TextSlotList.from_tuples(kinds, allow_template=False, name="kind"),
            "kinds": TextSlotList.from_tuples(several, allow_template=False, name="kinds"),
            "state": TextSlotList.from_tuples(states, allow_template=False, name="state"),
            "part": TextSlotList.from_tuples(parts, allow_template=False, name="part"),
        },
    )
