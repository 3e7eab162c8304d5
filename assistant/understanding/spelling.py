"""Guessing at misspelt words.  Never turns one command into its opposite."""

from dataclasses import dataclass
from typing import Final

from assistant.understanding.index import Index, nearest
from assistant.understanding.lexicon import Words

OPPOSITES: Final = frozenset({
    "lock", "locked", "unlock", "unlocked", "open", "opened", "close", "closed", "start",
    "started", "stop", "stopped", "enable", "enabled", "disable", "disabled", "pause", "paused",
    "resume", "resumed", "abort", "cancel", "raise", "lower", "heat", "cool", "activate",
    "deactivate", "connect", "disconnect", "energise", "deenergise", "energize", "deenergize",
    "begin", "end", "bolt", "unbolt", "latch", "unlatch", "power", "approve", "deny", "nozzle",
    "kill", "shut",
})  # fmt: skip
"""Words that decide between doing a thing and undoing it: typed right or not at all."""
_SHORT: Final = 4
_LONG: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Speller:
    """Knows the words there are."""

    index: Index
    common: frozenset[str]

    def corrected(self, words: Words) -> Words | None:
        """Return the words with misspelt ones replaced; None if there is nothing to gain."""
        out = [self._corrected(word) for word in words]
        if None in out or tuple(out) == words:
            return None
        return tuple(word for word in out if word is not None)

    def unknown(self, word: str) -> bool:
        """Return whether a word is neither in a template nor in a name."""
        known = word in self.common or word in self.index.by_word
        return not known and not any(char.isdigit() for char in word)

    def _corrected(self, word: str) -> str | None:
        if not self.unknown(word):
            return word
        if not word.isascii() or len(word) < _SHORT:
            return None
        limit = 1 if len(word) < _LONG else 2
        if nearest(word, OPPOSITES, 2):
            return None
        own = [near for near in self.common if abs(len(near) - len(word)) <= limit]
        near = {*self.index.similar_words(word), *nearest(word, own, limit)}
        best = nearest(word, near, limit)
        swapped = [near for near in best if sorted(near) == sorted(word)]
        best = swapped or best
        return best[0] if len(best) == 1 and best[0] not in OPPOSITES else None
