"""From what people call a thing to the thing itself.

Exact id, then exact name or alias, then the same words without articles, then without words
that say only the kind, then a name that has all the words.  The first step that finds something
ends the search; if it finds several, the person is asked which one.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from rapidfuzz import fuzz, process

from tools.phrases import either, short
from tools.spec import Choice, ToolError

MAX_CHOICES: Final = 8
"""Things offered when a name could mean several."""
_NEAR: Final = 3
_LIKENESS: Final = 60
"""Percent of likeness from which a name is offered for a misspelt one."""
_ARTICLES: Final = frozenset({"the", "a", "an", "our", "my", "this", "that", "please"})
_WORD: Final = re.compile(r"[^\W_]+")

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """What is looked for, for the search and for the words when it fails."""

    text: str
    argument: str
    """The tool's argument that holds the text; a choice settles it."""
    noun: str
    code: str
    """Of the refusal when nothing is found, for example `unknown_device`."""
    drop: frozenset[str] = frozenset()
    """Words that say nothing here, such as "door" when only doors are looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Named(Generic[T_co]):
    """A thing with everything it may be called."""

    id: str
    names: tuple[str, ...]
    """Name first, then external id and aliases."""
    label: str
    """What to show when people choose."""
    value: T_co


def find(
    text: str, things: Sequence[Named[T]], drop: frozenset[str] = frozenset()
) -> list[Named[T]]:
    """Return the things that the text may mean, all equally well; [] if none.

    `drop` holds words that say nothing here, such as "door" when only doors are looked for.
    """
    folded = _fold(text)
    exact = [each for each in things if each.id == folded]
    exact = exact or [each for each in things if any(_fold(n) == folded for n in each.names)]
    if exact:
        return exact
    wanted = _words(text)
    core = wanted - drop
    spelt = [(each, [_words(name) for name in each.names]) for each in things]
    same = [each for each, ways in spelt if wanted and wanted in ways]
    if same or not core:
        return same
    bare = [each for each, ways in spelt if any(way - drop == core for way in ways)]
    return bare or [each for each, ways in spelt if any(core <= way for way in ways)]


def one(sought: Sought, things: Sequence[Named[T]]) -> T:
    """Return the one thing that is meant.

    Raises ToolError `ambiguous` with the choices, or the given code with the nearest names.
    """
    found = find(sought.text, things, sought.drop)
    if len(found) == 1:
        return found[0].value
    raise ambiguous(sought, found) if found else unknown(sought, things)


def ambiguous(sought: Sought, found: Sequence[Named[T]]) -> ToolError:
    """Ask which of several is meant."""
    labels = [each.label for each in found[:MAX_CHOICES]]
    return ToolError(
        "ambiguous",
        f"{short(sought.text)!r} could be {either(labels)}. Which one?",
        choices=choices(found),
        argument=sought.argument,
    )


def unknown(sought: Sought, things: Sequence[Named[T]]) -> ToolError:
    """Say that there is no such thing, and which names come near."""
    near = _nearest(sought.text, things)
    message = f"There is no {sought.noun} called {short(sought.text)!r}."
    if near:
        message += f" Did you mean {either([each.label for each in near])}?"
    elif things:
        message += f" I know {either([each.label for each in things[:MAX_CHOICES]], 'and')}."
    return ToolError(
        sought.code,
        message,
        choices=choices(near),
        argument=sought.argument if near else "",
    )


def choices(things: Sequence[Named[T]]) -> tuple[Choice, ...]:
    """Return what can be chosen from, the first ones only if there are many."""
    return tuple(Choice(id=each.id, label=each.label) for each in things[:MAX_CHOICES])


def _nearest(text: str, things: Sequence[Named[T]]) -> list[Named[T]]:
    spelt = [(name, each) for each in things for name in each.names]
    found = process.extract(
        _fold(text),
        [_fold(name) for name, _ in spelt],
        scorer=fuzz.WRatio,
        score_cutoff=_LIKENESS,
        limit=4 * _NEAR,
    )
    near = {spelt[index][1].id: spelt[index][1] for _, _, index in found}
    return list(near.values())[:_NEAR]


def _fold(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(_fold(text))) - _ARTICLES
