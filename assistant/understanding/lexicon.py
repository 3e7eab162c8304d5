"""The small words: what is taken off a command, and lists of whole phrases."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from assistant.understanding.normal import plain_words

Words = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Phrases:
    """A set of phrases that can be looked for in words."""

    all: frozenset[Words]
    longest: int

    @classmethod
    def of(cls, phrases: Iterable[str]) -> Self:
        """Build from written phrases."""
        known = frozenset(plain_words(str(phrase)) for phrase in phrases)
        return cls(known, max(map(len, known), default=0))

    def __contains__(self, words: object) -> bool:
        return words in self.all

    def at(self, words: Sequence[str], start: int) -> int:
        """Return the length of the longest phrase that starts here; 0 if none."""
        for size in range(min(self.longest, len(words) - start), 0, -1):
            if tuple(words[start : start + size]) in self.all:
                return size
        return 0

    def ending(self, words: Sequence[str], end: int) -> int:
        """Return the length of the longest phrase that ends here; 0 if none."""
        for size in range(min(self.longest, end), 0, -1):
            if tuple(words[end - size : end]) in self.all:
                return size
        return 0

    def anywhere(self, words: Sequence[str]) -> bool:
        """Return whether any phrase occurs in the words."""
        return any(self.at(words, start) for start in range(len(words)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Peeled:
    """A clause without the politeness around it."""

    words: Words
    polite: bool = False
    """It was asked for in the form of a question: "can you ..."."""
    inquiring: bool = False
    """It began with "tell me", "do you know" and the like: a question follows."""
    wish: bool = False
    """It begins with "can I have" and the like."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lexicon:
    """Everything in `lexicon.yaml`, ready for looking up."""

    phrases: Mapping[str, Phrases]
    gerunds: Mapping[str, str]
    nouns: Mapping[Words, str]
    """What people call kinds of things, to the kind."""
    plurals: frozenset[Words]
    kinds: Mapping[str, str]
    states: Mapping[str, str]
    parts: Mapping[str, str]
    pronouns: Mapping[Words, str]

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self:
        """Build from the data file."""
        return cls(
            phrases={key: Phrases.of(value) for key, value in data.items() if type(value) is list},
            gerunds=data["gerunds"],
            nouns=_turned(data["nouns"]),
            plurals=frozenset(plain_words(word) for word in data["plurals"]),
            kinds=data["kinds"],
            states=data["states"],
            parts=data["parts"],
            pronouns=_turned(data["pronouns"]),
        )

    def __getitem__(self, key: str) -> Phrases:
        return self.phrases[key]

    def peel(self, words: Words) -> Peeled:
        """Take address, hesitation and politeness off both ends."""
        start, end = 0, len(words)
        polite = inquiring = False
        while start < end:
            asking = self["asking"].at(words[:end], start)
            opener = self["openers"].at(words[:end], start)
            gerund = self["gerund_openers"].at(words[:end], start)
            if gerund > opener and self._is_gerund(words, start + gerund, end):
                start, polite = start + gerund, True
                words = (*words[:start], self.gerunds[words[start]], *words[start + 1 :])
            elif asking > opener and start + asking < end:
                start, inquiring = start + asking, True
            elif opener and start + opener < end:
                polite = polite or opener > 1
                start += opener
            else:
                break
        while end > start:
            closer = self["closers"].ending(words[start:end], end - start)
            if not closer or closer >= end - start:
                break
            polite = polite or words[end - 1] == "you"
            end -= closer
        wish = self["wish_questions"].at(words[start:end], 0) > 0
        return Peeled(words=words[start:end], polite=polite or wish, inquiring=inquiring, wish=wish)

    def without_closers(self, words: Words) -> Words:
        """Take politeness off the end only: "check the laser room for me"."""
        end = len(words)
        while (closer := self["closers"].ending(words[:end], end)) and closer < end:
            end -= closer
        return words[:end]

    def _is_gerund(self, words: Words, at: int, end: int) -> bool:
        return at < end and words[at] in self.gerunds


def _turned(groups: Mapping[str, Iterable[str]]) -> dict[Words, str]:
    return {plain_words(str(word)): kind for kind, group in groups.items() for word in group}
