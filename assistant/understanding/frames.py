"""The looser reading: by cue words and the things named, in any order, every word accounted for."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from assistant.understanding.lexicon import Words
from assistant.understanding.spec import Spec
from assistant.understanding.targets import Found, Target

_JOINED: Final = frozenset({"and", "then", "not", "or", "but"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """The cue words of one intent."""

    intent: str
    cues: frozenset[str]
    helpers: frozenset[str]
    against: frozenset[str]
    named: bool
    """Something must be named."""
    spare: int
    """Words that may stay unexplained, if something is named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frames:
    """All frames, in order of preference."""

    frames: tuple[Frame, ...]
    glue: frozenset[str]
    asking_glue: frozenset[str]
    """Glue only where something is looked up."""
    asking: frozenset[str]
    """First words of what asks to be told something."""
    questions: frozenset[str]
    """First words of what can be nothing but a question."""

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self:
        """Build from the data file."""
        return cls(
            frames=tuple(
                Frame(
                    intent=each["intent"],
                    cues=frozenset(each["cues"]),
                    helpers=frozenset(each["helpers"]),
                    against=frozenset(each["against"]),
                    named=each.get("named", False),
                    spare=each.get("spare", 0),
                )
                for each in data["frames"]
            ),
            glue=frozenset(data["glue"]),
            asking_glue=frozenset(data["asking_glue"]),
            asking=frozenset(data["asking"]),
            questions=frozenset(data["questions"]),
        )

    def read(
        self, words: Words, found: Found, specs: Mapping[str, Spec], *, inquiring: bool
    ) -> tuple[Spec, dict[str, Target]] | None:
        """Return the intent that explains all words, with what was said for its arguments."""
        questions = words[0] in self.questions
        asks = inquiring or words[0] in self.asking
        for frame in self.frames:
            spec = specs[frame.intent]
            if (not asks) if spec.reads else questions:
                continue
            known = taken(words, found, spec)
            if known is None:
                continue
            values, rest = known
            if not values and frame.named:
                continue
            if self._explains(frame, spec, rest, spare=frame.spare if values else 0):
                return spec, values
        return None

    def _explains(self, frame: Frame, spec: Spec, rest: Sequence[str], *, spare: int) -> bool:
        if not frame.cues.intersection(rest) or frame.against.intersection(rest):
            return False
        glue = self.glue | self.asking_glue if spec.reads else self.glue
        left = [word for word in rest if word not in frame.cues | frame.helpers | glue]
        return not _JOINED.intersection(rest) and len(left) <= spare


def taken(
    words: Words, found: Found, spec: Spec
) -> tuple[dict[str, Target], tuple[str, ...]] | None:
    """Return the arguments that the words name, and the words left over.

    None if a needed one is not named, or if anything is named twice over.
    """
    free = list(words)
    values: dict[str, Target] = {}
    order = sorted(spec.slots, key=lambda argument: argument not in spec.needs)
    for argument in order:
        spans = list(_spans(free, found.get(spec.slots[argument], {})))
        if not spans:
            if argument in spec.needs:
                return None
            continue
        start, end, target = max(spans, key=lambda span: span[1] - span[0])
        others = [span for span in spans if span[1] <= start or span[0] >= end]
        if any(other.ids != target.ids for _, _, other in others):
            return None
        values[argument] = target
        free[start:end] = [""] * (end - start)
    return values, tuple(word for word in free if word)


def _spans(words: Sequence[str], texts: Mapping[str, Target]) -> Iterator[tuple[int, int, Target]]:
    for text, target in texts.items():
        wanted = text.split()
        for start in range(len(words) - len(wanted) + 1):
            named = target.ids or target.value is not None
            if named and list(words[start : start + len(wanted)]) == wanted:
                yield start, start + len(wanted), target
