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
DESCRIBE: Final = "Describe your lab in a lab file (docs/lab-file.md), then I can help."
NOTHING_KNOWN: Final = f"I know no lights, doors or machines yet. {DESCRIBE}"
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


def examples(index: Index) -> dict[str, list[str]]:
    """Return things to say by what they are about, made of the names that exist."""
    groups: dict[str, list[str]] = {}
    for group, sayings in _EXAMPLES.items():
        said = [
            _filled(text, things[0])
            for kind, text in sayings
            if (things := index.kinds.get(kind, []))
        ]
        if said:
            groups[group] = said
    return groups


def help_text(index: Index) -> str:
    """Return what people can say here, to be read."""
    groups = examples(index)
    if not groups:
        return NOTHING_KNOWN
    lines = [f"{group}: {_quoted(said)}" for group, said in groups.items()]
    return "\n".join(["You can say, for example:", *lines, 'At any time: "stop everything"'])


def help_aloud(index: Index) -> str:
    """Return what people can say here, to be heard."""
    groups = examples(index)
    if not groups:
        return NOTHING_KNOWN
    said = " Or: ".join(_sentence(each[0]) for each in list(groups.values())[:3])
    return f"You can say, for example: {said} There are more examples on your screen."


def nearby(index: Index, things: Sequence[Name], strange: Sequence[str]) -> str:
    """Return what can be done with the things that were recognised, and what was not known."""
    known = [name for name in things if name.kind in _FOR_KIND]
    if known:
        could = _either([_filled(text, known[0]) for text in _FOR_KIND[known[0].kind]])
        return f"{_unknown(index, strange)} You could say {could}."
    return f'{_unknown(index, strange)} {_ideas(index)} Say "help" for more.'


def elsewhere(index: Index, about: str) -> str:
    """Return what is said to questions about the weather, the news and the like."""
    return (
        f'I cannot help with "{about}": I only know this lab, and no language model and no'
        f" internet are set up here. {_ideas(index)}"
    )


def none_known(kind: str) -> str:
    """Return what is said when there is nothing of the kind that a sentence needs."""
    return f"I know no {_PLURALS.get(kind, 'such things')} yet. {DESCRIBE}"


def _ideas(index: Index) -> str:
    groups = list(examples(index).values())
    if not groups:
        return DESCRIBE
    ideas = [group[0] for group in groups[:2]]
    return f"You could say {' or '.join(_in_quotes(idea) for idea in ideas)}."


def _filled(text: str, name: Name) -> str:
    """Put a name into a saying: people are in a room, and on a floor."""
    called = called_name(name)
    return text.format(called, where=f"{'on' if called.endswith('floor') else 'in'} {called}")


def _either(texts: Sequence[str]) -> str:
    *head, last = [_in_quotes(text) for text in texts]
    return f"{', '.join(head)} or {last}" if head else last


def _in_quotes(text: str) -> str:
    return f'"{text}"'


def _quoted(texts: Sequence[str]) -> str:
    return ", ".join(_in_quotes(text) for text in texts)


def _sentence(text: str) -> str:
    return text if text.endswith("?") else f"{text}."


def _unknown(index: Index, strange: Sequence[str]) -> str:
    if not strange:
        return "I did not understand that."
    close = index.similar_names(strange)
    mean = f" Do you mean {choice([called_name(name) for name in close])}?" if close else ""
    return f'I do not know "{" ".join(strange)}".{mean}'


def for_somebody_else(name: str) -> str:
    """Return what is said to words that were meant for another person."""
    return f"I did nothing: that sounded like it was for {name}."


_EXAMPLES: Final = {
    "Lights and doors": [
        ("light", "turn on {0}"),
        ("door", "unlock {0} for 20 seconds"),
    ],
    "Looking": [
        ("zone", "who is {where}?"),
        ("camera", "show me {0}"),
        ("zone", "is everything okay?"),
    ],
    "Printing": [
        ("job", "print {0}"),
        ("printer", "how far is the print on {0}?"),
    ],
}
_FOR_KIND: Final = {
    "zone": ("turn on the lights {where}", "show me {0}", "who is {where}?"),
    "door": ("lock {0}", "unlock {0}", "is {0} locked?"),
    "light": ("turn on {0}", "turn off {0}"),
    "printer": ("how far is {0}?", "pause {0}", "what is {0} doing?"),
    "power": ("turn off {0}", "turn on {0}", "is {0} on?"),
    "camera": ("show me {0}",),
    "job": ("print {0}",),
    "sensor": ("what does {0} say?",),
}
COUNTED: Final = {kind: {"lit": "light"}.get(kind, kind) for kind in (*_FOR_KIND, "lit")}
"""Kind of argument to the kind of thing that must exist for it."""
_PLURALS: Final = {
    "light": "lights", "lit": "lights", "door": "doors", "printer": "printers", "power": "machines",
    "camera": "cameras", "zone": "rooms or zones", "job": "print jobs", "sensor": "sensors",
}  # fmt: skip
