"""What people say, as data: the intents, and what each means."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final, Self

import yaml
from hassil.expression import Sentence
from hassil.intents import Intents as Templates
from hassil.intents import TextSlotList, WildcardSlotList
from hassil.sample import sample_expression

from assistant.understanding.frames import Frames
from assistant.understanding.lexicon import Lexicon
from assistant.understanding.spec import Spec
from safety.entities import Hazard

_LANGUAGE: Final = "en"
_FREE_TEXT: Final = "text"
_LIST: Final = re.compile(r"\{[^}]*\}|<[^>]*>")
_TEMPLATE_WORD: Final = re.compile(r"[a-z0-9]+")
_SAMPLE: Final = {
    "light": "the store room lights", "lit": "the store room", "dark_zone": "the store room",
    "zone": "the store room", "scene": "bright", "door": "the store room door",
    "seconds": "20 seconds", "power": "the compressor", "camera": "the store room",
    "camera_name": "the store room camera", "kind": "doors", "device": "the store room door",
    "sensor": "the store room sensor", "printer": "the big printer", "job": "the hinge bracket",
    "part": "the nozzle", "celsius": "200 degrees", "gcode": "g28", "window": "today",
    "event": "it", "thing": "the store room", "text": "the spare key is in drawer 3",
    "kinds": "doors", "state": "offline", "zone_sensor": "the store room", "person": "Bob",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Intents:
    """The intents, ready to be matched."""

    templates: Templates
    specs: Mapping[str, Spec]
    lexicon: Lexicon
    frames: Frames

    @classmethod
    def load(cls) -> Self:
        """Read the packaged intents."""
        data: dict[str, dict[str, Any]] = {}
        folder = files("assistant.understanding").joinpath("intents")
        for item in sorted(folder.iterdir(), key=lambda item: item.name):
            if item.name.endswith(".yaml"):
                data[item.name] = yaml.safe_load(item.read_text(encoding="utf-8"))
        lexicon = data.pop("lexicon.yaml")
        frames = Frames.of(data.pop("frames.yaml"))
        rules = data.pop("rules.yaml")["expansion_rules"]
        intents = {
            name: intent for family in data.values() for name, intent in family["intents"].items()
        }
        return cls(
            templates=_templates(intents, rules),
            specs={name: _spec(name, intent) for name, intent in intents.items()},
            lexicon=Lexicon.of(lexicon),
            frames=frames,
        )

    def of_tool(self, tool: str, fixed: Mapping[str, Any]) -> Spec | None:
        """Return the intent that a call came from; None for a tool we have no words for."""
        found = [spec for spec in self.specs.values() if spec.tool == tool and not spec.stop]
        found += [spec for spec in self.specs.values() if spec.tool == tool and spec.stop]
        for spec in found:
            if all(fixed.get(key) == value for key, value in spec.fixed.items()):
                return spec
        return None


def common_words(intents: Intents) -> frozenset[str]:
    """Return every word that templates and small phrases are made of."""
    texts = [
        text
        for intent in intents.templates.intents.values()
        for data in intent.data
        for text in data.sentence_texts
    ]
    rules = [rule.text or "" for rule in _rules(intents)]
    words = {w for text in (*texts, *rules) for w in _TEMPLATE_WORD.findall(_LIST.sub(" ", text))}
    lexicon = intents.lexicon
    phrases = [words for each in lexicon.phrases.values() for words in each.all]
    nouns = [*lexicon.nouns, *lexicon.pronouns]
    others = [
        *lexicon.parts,
        *lexicon.states,
        *lexicon.kinds,
        *lexicon.gerunds,
        *lexicon.gerunds.values(),
    ]
    words |= {word for phrase in (*phrases, *nouns) for word in phrase}
    return frozenset(words | {word for text in others for word in text.split()})


def _rules(intents: Intents) -> Iterator[Sentence]:
    yield from intents.templates.expansion_rules.values()
    for intent in intents.templates.intents.values():
        for data in intent.data:
            yield from data.expansion_rules.values()


def sentences(tool: str, intents: Intents | None = None) -> list[str]:
    """Return example sentences for a tool, one for each template; [] if it has none."""
    return list(expansions(tool, intents, each=1))


def expansions(tool: str, intents: Intents | None = None, *, each: int = 20) -> Iterator[str]:
    """Yield up to `each` sentences for every template of a tool, with sample names filled in."""
    known = intents or Intents.load()
    lists = {
        name: TextSlotList.from_strings([sample], allow_template=False)
        for name, sample in _SAMPLE.items()
    }
    for spec in known.specs.values():
        if spec.tool != tool:
            continue
        for data in known.templates.intents[spec.name].data:
            rules = {**known.templates.expansion_rules, **data.expansion_rules}
            for sentence in data.sentences:
                yield from _some(sentence, lists, rules, each)


def _some(
    sentence: Sentence, lists: dict[str, Any], rules: dict[str, Sentence], count: int
) -> Iterator[str]:
    samples = sample_expression(sentence.expression, lists, rules)
    seen: set[str] = set()
    for sample in samples:
        plain = " ".join(sample.split())
        if plain and plain not in seen:
            seen.add(plain)
            yield plain
        if len(seen) >= count:
            return


def _templates(intents: Mapping[str, Any], rules: Mapping[str, str]) -> Templates:
    parsed = Templates.from_dict(
        {
            "language": _LANGUAGE,
            "expansion_rules": dict(rules),
            "lists": {_FREE_TEXT: {"wildcard": True}},
            "intents": {
                name: {
                    "data": [
                        {
                            "sentences": intent["sentences"],
                            "expansion_rules": intent.get("expansion_rules", {}),
                        }
                    ]
                }
                for name, intent in intents.items()
            },
        }
    )
    assert isinstance(parsed.slot_lists[_FREE_TEXT], WildcardSlotList)
    return parsed


def _spec(name: str, intent: Mapping[str, Any]) -> Spec:
    known = dict(intent)
    known.pop("sentences")
    known.pop("expansion_rules", None)
    known.pop("unlisted", None)
    hazard = Hazard[known.pop("hazard", "none").upper()]
    needs = tuple(known.pop("needs", ()))
    return Spec(name=name, hazard=hazard, needs=needs, **known)
