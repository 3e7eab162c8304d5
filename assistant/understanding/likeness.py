"""Which tool a question is most like, when neither a template nor cue words fit.

The weights were learnt from the templates and the data of the tests
(`PYTHONPATH=tests python -m understanding.learn`).  What could hurt somebody is never done by
likeness: it is asked.
"""

import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Final, Self

from assistant.understanding.lexicon import Lexicon, Words
from assistant.understanding.targets import Found

NONE: Final = "none"
"""The class of what is about something else."""
_MASKED: Final = (
    "job", "printer", "door", "light", "power", "camera", "sensor", "zone", "person", "gcode",
    "window", "seconds", "celsius",
)  # fmt: skip
_ENDINGS: Final = ("ing", "ed", "es", "s")
_SHORTEST: Final = 4
"""Letters that are left of a word when an ending is taken off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """The weights of each feature for each class."""

    classes: tuple[str, ...]
    weights: Mapping[str, Mapping[int, float]]

    @classmethod
    def load(cls) -> Self:
        """Read the packaged weights."""
        folder = files("assistant.understanding").joinpath("intents")
        data = json.loads(folder.joinpath("likeness.json").read_text(encoding="utf-8"))
        weights = {
            feature: {int(place): weight / 10 for place, weight in row.items()}
            for feature, row in data["tenths"].items()
        }
        return cls(classes=tuple(data["classes"]), weights=weights)

    def of(self, features: Sequence[str]) -> list[tuple[str, float]]:
        """Return the classes with their probabilities, likeliest first."""
        scores = [0.0] * len(self.classes)
        for feature in features:
            for place, weight in self.weights.get(feature, {}).items():
                scores[place] += weight
        top = max(scores)
        shares = [math.exp(score - top) for score in scores]
        whole = sum(shares)
        ranked = zip(self.classes, (share / whole for share in shares), strict=True)
        return sorted(ranked, key=lambda each: -each[1])


def features(words: Words, found: Found, lexicon: Lexicon) -> list[str]:
    """Return the features of words: stems and pairs of them, things by their kind only."""
    tokens = ["^", *_tokens(words, found, lexicon), "$"]
    pairs = [f"{first} {second}" for first, second in itertools.pairwise(tokens)]
    return [*tokens[1:-1], *pairs, "+"]


def _tokens(words: Words, found: Found, lexicon: Lexicon) -> Iterator[str]:
    kinds = _kinds(found)
    at = 0
    while at < len(words):
        size = next((n for n in range(8, 0, -1) if words[at : at + n] in kinds), 0)
        if size:
            yield f"<{kinds[words[at : at + size]]}>"
        elif (words[at],) not in lexicon["determiners"]:
            yield _stem(words[at])
        at += size or 1


def _kinds(found: Found) -> dict[Words, str]:
    kinds: dict[Words, str] = {}
    for kind in _MASKED:
        for text, target in found.get(kind, {}).items():
            if target.ids or target.value is not None:
                kinds.setdefault(tuple(text.split()), kind)
    return kinds


def _stem(word: str) -> str:
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST:
            return word.removesuffix(ending)
    return word
