"""People's names for things, prepared once per version for looking up in an utterance."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from rapidfuzz import fuzz, process
from rapidfuzz.distance import OSA

from assistant.understanding.names import Name, Names
from assistant.understanding.normal import plain_words

MANY: Final = 60
"""More things than this behind one word are not told apart by it."""
_END: Final = ""
_SEAM: Final = re.compile(r"(?<=[a-z])(?=\d)|(?<=\d)(?=[a-z])")
_SHORT_WORD: Final = 4
_LONG_WORD: Final = 8
_COUNTED: Final = frozenset({"light", "lamp", "bulb"})
_NOUNS: Final = frozenset({"printer", "machine", "door", "light", "lights", "lamp", "lamps"})
_ORDINALS: Final = {"1": "first", "2": "second", "3": "third", "4": "fourth"}

Node = dict[str, "Node | list[Name]"]


@dataclass(slots=True)
class Index:
    """Where each word and each full name leads."""

    version: str
    root: Node = field(default_factory=dict)
    by_id: dict[str, Name] = field(default_factory=dict)
    by_word: dict[str, list[Name]] = field(default_factory=lambda: defaultdict(list))
    spelt: dict[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)
    """Id to every way its name is written, as words."""
    inside: dict[tuple[str, str], list[Name]] = field(default_factory=lambda: defaultdict(list))
    """(zone id, kind) to the things there."""
    kinds: dict[str, list[Name]] = field(default_factory=lambda: defaultdict(list))
    values: dict[tuple[str, ...], str] = field(default_factory=dict)
    """Words of a scene to its name."""
    by_length: dict[int, list[str]] = field(default_factory=lambda: defaultdict(list))
    """Words of names by length, for misspelt ones."""

    def full_names(self, words: Sequence[str]) -> Iterator[tuple[int, int, list[Name]]]:
        """Yield (start, end, names) for every full name or alias in the words."""
        for start in range(len(words)):
            node: Node = self.root
            for end in range(start, len(words)):
                below = node.get(words[end])
                if not isinstance(below, dict):
                    break
                node = below
                names = node.get(_END)
                if isinstance(names, list):
                    yield start, end + 1, names

    def part_of(self, words: Sequence[str]) -> list[Name]:
        """Return the things whose name has these words in a row; [] if too many."""
        lists = [self.by_word.get(word, []) for word in words]
        shortest = min(lists, key=len, default=[])
        if len(shortest) > MANY:
            return []
        wanted = tuple(words)
        return [
            name for name in shortest if any(_has_run(way, wanted) for way in self.spelt[name.id])
        ]

    def similar_words(self, word: str) -> list[str]:
        """Return the words of names that a misspelt word may stand for, nearest only."""
        limit = 0 if len(word) < _SHORT_WORD else 1 if len(word) < _LONG_WORD else 2
        if not limit:
            return []
        near = [w for n in range(len(word) - limit, len(word) + limit + 1) for w in self._long(n)]
        return nearest(word, near, limit)

    def similar_names(self, words: Sequence[str]) -> list[Name]:
        """Return up to two things whose names look like the words."""
        said = " ".join(words)
        choices = {name.id: name.name.casefold() for name in self.by_id.values()}
        found = process.extract(said, choices, scorer=fuzz.WRatio, score_cutoff=70, limit=2)
        return [self.by_id[identity] for _, _, identity in found]

    def _long(self, length: int) -> list[str]:
        return self.by_length.get(length, []) if length >= _SHORT_WORD else []


def nearest(word: str, choices: Iterable[str], limit: int) -> list[str]:
    """Return the choices at the smallest edit distance (swaps count one) within the limit."""
    found = process.extract(word, list(choices), scorer=OSA.distance, score_cutoff=limit, limit=8)
    best = min((distance for _, distance, _ in found), default=0)
    return sorted({choice for choice, distance, _ in found if distance == best})


def build(names: Names) -> Index:
    """Prepare a snapshot of names."""
    index = Index(version=names.version)
    words: set[str] = set()
    seen: set[str] = set()
    also: dict[tuple[str, ...], list[Name]] = defaultdict(list)
    for name in names.entries:
        index.by_id[name.id] = name
        index.kinds[name.kind].append(name)
        index.inside[name.zone, name.kind].append(name)
        index.spelt[name.id] = _spellings((name.name, *name.aliases))
        for spelling in index.spelt[name.id]:
            _insert(index.root, spelling, name)
            for variant in _also_called(spelling):
                also[variant].append(name)
        for word in {word for spelling in index.spelt[name.id] for word in spelling}:
            index.by_word[word].append(name)
            words.add(word)
        index.values |= {plain_words(value): value for value in set(name.values) - seen}
        seen |= set(name.values)
    for variant, called in also.items():
        if not _is_name(index.root, variant):
            for name in called:
                _insert(index.root, variant, name)
    for word in words:
        index.by_length[len(word)].append(word)
    return index


def _spellings(texts: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    """Return each text as words, and the ways people run them together or apart."""
    ways: dict[tuple[str, ...], None] = {}
    for text in texts:
        words = plain_words(text)
        if not words:
            continue
        apart = tuple(part for word in words for part in _SEAM.split(word))
        ways |= {words: None, apart: None, ("".join(words),): None}
        if "1" in words:
            ways[tuple("one" if word == "1" else word for word in words)] = None
    return tuple(ways)


def _also_called(spelling: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield what else people say for a name: "bench light", "the big one", "strip number 2"."""
    *head, last = spelling
    if not head:
        return
    if last.endswith("s") and not last.endswith("ss") and len(last) >= _SHORT_WORD:
        yield (*head, last[:-1])
    if last in _COUNTED:
        yield (*head, f"{last}s")
    if last in _NOUNS:
        yield (*head, "one")
    if last.isdigit():
        yield (*head, "number", last)
        yield (*head, "no", last)
        if last in _ORDINALS:
            yield (_ORDINALS[last], *head)


def _is_name(root: Node, words: Sequence[str]) -> bool:
    node = root
    for word in words:
        below = node.get(word)
        if not isinstance(below, dict):
            return False
        node = below
    return _END in node


def _insert(root: Node, words: Sequence[str], name: Name) -> None:
    node = root
    for word in words:
        below = node.setdefault(word, {})
        assert isinstance(below, dict)
        node = below
    names = node.setdefault(_END, [])
    assert isinstance(names, list)
    if name not in names:
        names.append(name)


def _has_run(spelling: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
    size = len(wanted)
    return any(spelling[at : at + size] == wanted for at in range(len(spelling) - size + 1))
