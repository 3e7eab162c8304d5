"""What the doctor found, as values and as text for people."""

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class State(StrEnum):
    """How something is."""

    OK = "ok"
    MISSING = "missing"
    """Not there, and KITTY runs without it."""
    PROBLEM = "problem"
    """KITTY cannot do its work until this is put right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing the doctor looked at."""

    state: State
    what: str
    found: str
    why: str
    """Why it matters."""
    how: str = ""
    """How to get it or put it right; empty when it is well."""


_INDENT: Final = 4
_MIN_WIDTH: Final = 40


def findings_text(findings: Sequence[Finding], *, width: int = 100) -> str:
    """Return the findings as lines of at most `width` characters, and a last line that sums up."""
    width = max(width, _MIN_WIDTH)
    name = max((len(each.what) for each in findings), default=0)
    lines: list[str] = []
    for each in findings:
        head = f"{each.state:<8} {each.what:<{name}}  "
        lines += _wrapped(each.found, width, first=head, rest=" " * len(head))
        if each.state is not State.OK:
            indent = " " * (len(State.PROBLEM) + 1 + _INDENT)
            lines += _wrapped(f"why: {each.why}", width, first=indent, rest=indent + "     ")
            lines += _wrapped(f"do:  {each.how}", width, first=indent, rest=indent + "     ")
    return "\n".join([*lines, "", textwrap.fill(_sum(findings), width)])


def _wrapped(text: str, width: int, *, first: str, rest: str) -> list[str]:
    return [
        line
        for at, paragraph in enumerate(text.splitlines() or [""])
        for line in textwrap.wrap(
            paragraph,
            width,
            initial_indent=rest if at else first,
            subsequent_indent=rest,
            break_on_hyphens=False,
        )
        or [first.rstrip()]
    ]


def _sum(findings: Iterable[Finding]) -> str:
    states = [each.state for each in findings]
    problems, missing = states.count(State.PROBLEM), states.count(State.MISSING)
    if problems:
        return f"{_many(problems, 'problem')} to put right before KITTY can work."
    if missing:
        return f"KITTY can work; {_many(missing, 'thing')} it could use {_is(missing)} missing."
    return "KITTY has everything."


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _is(count: int) -> str:
    return "is" if count == 1 else "are"


def exit_code(findings: Iterable[Finding]) -> int:
    """Return 1 if KITTY cannot work like this, else 0."""
    return int(any(each.state is State.PROBLEM for each in findings))
