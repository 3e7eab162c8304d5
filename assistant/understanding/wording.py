"""KITTY's own words: calls read back, questions, and what it can do nearby."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from assistant.understanding.index import Index
from assistant.understanding.names import Name
from assistant.understanding.reading import Call
from assistant.understanding.spec import Spec

_OPTIONAL: Final = re.compile(r"\[([^\]]*)\]")
_FIELD: Final = re.compile(r"\{(\w+)\}")

NOTHING: Final = 'I heard nothing. Tell me what you need, or say "help".'
NEGATED: Final = "I did nothing: that sounded like something you do not want."
CONDITIONAL: Final = "I did nothing: I cannot act on a condition. Tell me when you want it done."
LATER: Final = "I did nothing: I cannot do things at a later time. Tell me when you want it done."
EXCEPT: Final = "I did nothing: I cannot leave something out. Name exactly what you want."
QUOTED: Final = "I did nothing: that sounded like someone else's words."
REPORTED: Final = "I did nothing: that sounded like a report, not a request."
HYPOTHETICAL: Final = "I did nothing: that sounded like a question, not a request."
TOO_LONG: Final = "That was a lot at once. Tell me one thing after the other, in short sentences."
HIDDEN: Final = "That text has hidden or look-alike characters, so I ask:"


def label(spec: Spec, arguments: Mapping[str, Any], index: Index) -> str:
    """Return a call in words: `turn off the laser room lights`."""
    words = {key: _word(value, spec.slots.get(key, ""), index) for key, value in arguments.items()}

    def optional(match: re.Match[str]) -> str:
        return match[1] if all(f in words for f in _FIELD.findall(match[1])) else ""

    said = _FIELD.sub(lambda m: words.get(m[1], "it"), _OPTIONAL.sub(optional, spec.says))
    return " ".join(said.split())


def _word(value: object, kind: str, index: Index) -> str:
    name = index.by_id.get(str(value))
    if name is None:
        return str(value)
    called = called_name(name)
    return f"{called} lights" if name.kind == "zone" and kind in {"light", "lit"} else called


def called_name(name: Name) -> str:
    """Return a name as it is said within a sentence: `the welding bay`, `the MK4`."""
    first, *rest = name.name.split() or [name.name]
    plain = rest and first[:1].isupper() and first[1:].islower() and " ".join(rest).islower()
    text = f"{first.lower()} {' '.join(rest)}" if plain else name.name
    return text if text.lower().startswith("the ") or name.kind == "user" else f"the {text}"


def choice(labels: Sequence[str]) -> str:
    """Return labels as a choice: `a, b or c`."""
    *head, last = labels
    return f"{', '.join(head)} or {last}" if head else last


def which(spec: Spec, missing: str, names: Sequence[Name]) -> str:
    """Return the question for a missing argument, with what there is to choose from."""
    question = spec.ask.get(missing, "Which one do you mean?")
    return f"{question} {one_of(names)}" if len(names) > 1 else question


def one_of(names: Sequence[Name]) -> str:
    """Return the first two names as a question: `The Giga or the MK4?`."""
    chosen = choice([called_name(name) for name in names[:2]])
    others = " Or another one: say its name." if len(names) > 2 else ""  # noqa: PLR2004
    return f"{chosen[:1].upper()}{chosen[1:]}?{others}"


def shall_i(call: Call) -> str:
    """Return the question whether a call is wanted."""
    return f"Shall I {call.label}?"


def examples(index: Index) -> list[str]:
    """Return things to say, made of the names that exist."""
    said: list[str] = []

    def some(kind: str, *texts: str) -> None:
        things = index.kinds.get(kind, [])
        if things:
            said.extend(text.format(called_name(things[0])) for text in texts)

    some("zone", "turn on the lights in {}", "who is in {}?", "show me {}")
    some("door", "lock {}", "is {} locked?")
    some("printer", "how far is the print on {}?", "pause {}")
    some("job", "print {}")
    some("power", "turn off {}")
    said.extend(["what is waiting for approval?", "what happened today?", "stop everything"])
    return said


def help_text(index: Index) -> str:
    """Return what people can say here."""
    return "You can say, for example: " + "; ".join(examples(index)) + "."


def nearby(index: Index, things: Sequence[Name], strange: Sequence[str]) -> str:
    """Return what can be done with the things that were recognised, and what was not known."""
    known = [name for name in things if name.kind in _FOR_KIND]
    if known:
        able = _FOR_KIND[known[0].kind].format(called_name(known[0]))
        return f"{_unknown(index, strange)} I can, for example, {able}."
    ideas = examples(index)[:2]
    return f'{_unknown(index, strange)} Say "help", or for example: {"; ".join(ideas)}'


def _unknown(index: Index, strange: Sequence[str]) -> str:
    if not strange:
        return "I did not understand that."
    close = index.similar_names(strange)
    mean = f" Do you mean {choice([called_name(name) for name in close])}?" if close else ""
    return f'I do not know "{" ".join(strange)}".{mean}'


def for_somebody_else(name: str) -> str:
    """Return what is said to words that were meant for another person."""
    return f"I did nothing: that sounded like it was for {name}."


_FOR_KIND: Final = {
    "zone": "turn on the lights there, show {0}, or see who is in {0}",
    "door": "lock {0}, unlock {0}, or see whether it is locked",
    "light": "turn {0} on or off",
    "printer": "tell how far {0} is, pause it, or print a job on it",
    "power": "cut the power of {0}, give it power, or see whether it is on",
    "camera": "show {0}",
    "job": "print {0}",
    "sensor": "read {0}",
}
