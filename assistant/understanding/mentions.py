"""Which things the words of an utterance speak of, by the kind of thing wanted."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from assistant.understanding.index import Index
from assistant.understanding.lexicon import Lexicon, Words
from assistant.understanding.names import Name
from assistant.understanding.targets import DEVICE_KINDS, Found, Target, add, derive

KINDS: Final = (*DEVICE_KINDS, "printer", "job", "zone")
_LONGEST_PART: Final = 4
_BY_ZONE: Final = frozenset({"light", "camera"})
"""Kinds that a tool takes by the zone they are in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Span:
    start: int
    end: int
    ids: tuple[str, ...]
    many: bool = False
    named: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Finder:
    """Finds mentions in words."""

    index: Index
    lexicon: Lexicon
    grammar_words: frozenset[str]
    """Words of the templates: alone they are not taken for part of a name."""

    def find(self, words: Words, spoken_of: Mapping[str, Target]) -> Found:
        """Return every mention, by list.  `spoken_of` says what "it" means, by kind."""
        exact = list(self.index.full_names(words))
        spans = {kind: self._named(words, exact, kind) for kind in KINDS}
        called = [s for s in self._nouns(words, "zone", [], spans["zone"]) if s.ids and s.end]
        spans["zone"] = _joined(words, [*spans["zone"], *called], self.lexicon)
        found: Found = defaultdict(dict)
        for kind in KINDS:
            things = [*spans[kind], *self._nouns(words, kind, spans["zone"], spans[kind])]
            for span in _joined(words, things, self.lexicon):
                self._note(found, words, kind, span)
        self._pronouns(found, words, spoken_of)
        self._everywhere(found, words)
        self._scenes(found, words)
        for start, end, names in exact:
            people = tuple(name.id for name in names if name.kind == "user")
            if people:
                target = Target(ids=people, named=True, kind="user")
                add(found, "person", words[start:end], target)
        derive(found, self.index)
        return found

    def covered(self, words: Words) -> frozenset[int]:
        """Return the places of words that belong to a full name of two words or more."""
        return frozenset(
            at
            for start, end, _ in self.index.full_names(words)
            if end - start > 1
            for at in range(start, end)
        )

    def _named(
        self, words: Words, exact: Sequence[tuple[int, int, list[Name]]], kind: str
    ) -> list[_Span]:
        """Return the names of a kind, in full or in part."""
        spans = []
        for start, end, names in exact:
            ids = tuple(name.id for name in names if name.kind == kind)
            if ids:
                spans.append(_Span(start=start, end=end, ids=ids, named=True))
        taken = [(span.start, span.end) for span in spans]
        taken += [
            (start, end)
            for start, end, names in exact
            if end - start > 1 or kind != "zone" or names[0].kind == "zone"
        ]
        for start, end in self._runs(words):
            if any(first <= start and end <= last for first, last in taken):
                continue
            names = self.index.part_of(words[start:end])
            ids = tuple(name.id for name in names if name.kind == kind)
            if ids:
                spans.append(_Span(start=start, end=end, ids=ids))
                taken.append((start, end))
        return spans

    def _runs(self, words: Words) -> Iterator[tuple[int, int]]:
        """Yield runs of words that could be part of a name, longest first."""
        known = [word in self.index.by_word for word in words]
        for size in range(min(_LONGEST_PART, len(words)), 0, -1):
            for start in range(len(words) - size + 1):
                run = words[start : start + size]
                if all(known[start : start + size]) and not self.grammar_words.issuperset(run):
                    yield start, start + size

    def _nouns(
        self, words: Words, kind: str, zones: Sequence[_Span], named: Sequence[_Span]
    ) -> Iterator[_Span]:
        """Yield "the lights", "the lights in the bay", "bay lights", "the Giga printer"."""
        for start, end in self._kind_nouns(words, kind):
            plural = words[start:end] in self.lexicon.plurals
            yield self._alone(words, kind, start, end, plural=plural)
            for span in named:
                if span.end == start or end == self._before(words, span.start):
                    yield replace(span, start=min(span.start, start), end=max(span.end, end))
            for zone in zones if kind != "zone" else ():
                if zone.end == start or end == self._before(words, zone.start):
                    first, last = min(zone.start, start), max(zone.end, end)
                    every = plural and self._everything(words, first)
                    yield self._in_zone(kind, zone, first, last, every=every)
        if kind in DEVICE_KINDS:
            yield from self._names_in_zone(words, zones, named)

    def _kind_nouns(self, words: Words, kind: str) -> Iterator[tuple[int, int]]:
        for start in range(len(words)):
            for end in (start + 1, start + 2, start + 4):
                if self.lexicon.nouns.get(words[start:end]) == kind and end <= len(words):
                    yield start, end

    def _alone(self, words: Words, kind: str, start: int, end: int, *, plural: bool) -> _Span:
        things = self.index.kinds.get(kind, [])
        if end < len(words) and words[end] == "everywhere":
            return _Span(start=start, end=end + 1, ids=self._all(kind), many=True)
        if plural and self._everything(words, start):
            return _Span(start=start, end=end, ids=self._all(kind), many=True)
        only = tuple(thing.id for thing in things) if len(things) == 1 else ()
        return _Span(start=start, end=end, ids=only)

    def _all(self, kind: str) -> tuple[str, ...]:
        things = self.index.kinds.get(kind, [])
        if kind in _BY_ZONE:
            return tuple(dict.fromkeys(thing.zone for thing in things))
        return tuple(thing.id for thing in things)

    def _in_zone(self, kind: str, zone: _Span, start: int, end: int, *, every: bool) -> _Span:
        if kind in _BY_ZONE:
            lit = tuple(z for z in zone.ids if self.index.inside.get((z, kind)))
            return _Span(start=start, end=end, ids=lit, many=zone.many)
        ids = tuple(name.id for z in zone.ids for name in self.index.inside.get((z, kind), []))
        return _Span(start=start, end=end, ids=ids, many=every or zone.many)

    def _names_in_zone(
        self, words: Words, zones: Sequence[_Span], named: Sequence[_Span]
    ) -> Iterator[_Span]:
        for span in named:
            for zone in zones:
                if span.end == self._before(words, zone.start) and span.end != zone.start:
                    here = tuple(i for i in span.ids if self.index.by_id[i].zone in zone.ids)
                    if here:
                        yield _Span(start=span.start, end=zone.end, ids=here)

    def _before(self, words: Words, start: int) -> int:
        """Return where the phrase before "in the", "of" and the like ends."""
        while start and words[start - 1] in {"the", "our", "my", "a"}:
            start -= 1
        if start and (words[start - 1],) in self.lexicon["places"]:
            start -= 1
            if start and words[start - 1] in {"over", "down", "up"}:
                start -= 1
        return start

    def _everything(self, words: Words, start: int) -> bool:
        while start and (words[start - 1],) in self.lexicon["determiners"]:
            start -= 1
            if (words[start],) in self.lexicon["everything"]:
                return True
        return False

    def _note(self, found: Found, words: Words, kind: str, span: _Span) -> None:
        """Note a span, with and without the articles in front of it."""
        start = span.start
        target = Target(ids=span.ids, many=span.many, named=span.named, kind=kind)
        add(found, kind, words[start : span.end], target)
        while start and self._goes_before(words, start - 1):
            start -= 1
            add(found, kind, words[start : span.end], target)

    def _goes_before(self, words: Words, at: int) -> bool:
        """Return whether a word is an article of the thing after it; "of" is one in "all of"."""
        if words[at] == "of":
            return at > 0 and (words[at - 1],) in self.lexicon["determiners"]
        return (words[at],) in self.lexicon["determiners"]

    def _pronouns(self, found: Found, words: Words, spoken_of: Mapping[str, Target]) -> None:
        for start in range(len(words)):
            for end in range(start + 1, min(start + 4, len(words)) + 1):
                sort = self.lexicon.pronouns.get(words[start:end])
                for kind in KINDS if sort else ():
                    if (sort == "there") != (kind == "zone"):
                        continue
                    add(found, kind, words[start:end], self._meant(sort or "", kind, spoken_of))

    def _everywhere(self, found: Found, words: Words) -> None:
        places = tuple(zone.id for zone in self.index.kinds.get("zone", []))
        for start in range(len(words)):
            size = self.lexicon["everywhere"].at(words, start)
            if size and places:
                target = Target(ids=places, many=True, kind="zone")
                add(found, "zone", words[start : start + size], target)

    def _meant(self, sort: str, kind: str, spoken_of: Mapping[str, Target]) -> Target:
        known = spoken_of.get(kind, Target(kind=kind))
        if sort != "other":
            return known
        everything = [thing.id for thing in self.index.kinds.get(kind, [])]
        rest = tuple(thing for thing in everything if thing not in known.ids)
        return Target(ids=rest if known.ids and len(rest) == 1 else (), kind=kind)

    def _scenes(self, found: Found, words: Words) -> None:
        for start in range(len(words) if self.index.values else 0):
            for end in range(start + 1, min(start + 4, len(words)) + 1):
                scene = self.index.values.get(words[start:end])
                if scene is None:
                    continue
                target = Target(value=scene, kind="scene")
                add(found, "scene", words[start:end], target)
                if start and words[start - 1] in {"the", "a", "our"}:
                    add(found, "scene", words[start - 1 : end], target)


def _joined(words: Words, spans: Sequence[_Span], lexicon: Lexicon) -> list[_Span]:
    """Return the spans, and those joined by "and" as one."""
    joined = list(spans)
    by_start: dict[int, list[_Span]] = defaultdict(list)
    for span in spans:
        start = span.start
        by_start[start].append(span)
        while start and (words[start - 1],) in lexicon["determiners"]:
            start -= 1
            by_start[start].append(span)
    for first in spans:
        last = first
        while last.end < len(words) and words[last.end] == "and":
            after = [s for s in by_start.get(last.end + 1, []) if s.ids and last.ids]
            if not after:
                break
            following = max(after, key=lambda span: span.end)
            ids = tuple(dict.fromkeys((*last.ids, *following.ids)))
            last = _Span(start=first.start, end=following.end, ids=ids, many=True)
            joined.append(last)
    return joined
