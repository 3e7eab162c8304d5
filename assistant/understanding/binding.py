"""From a match to calls, or to the question that is still open."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Final

from assistant.understanding import wording
from assistant.understanding.grammar import Match
from assistant.understanding.index import Index
from assistant.understanding.mentions import Target
from assistant.understanding.reading import Ask, Call
from assistant.understanding.sentences import Spec
from assistant.understanding.times import Window

MAX_CALLS: Final = 16
"""Calls that one clause may stand for ("lock all the doors")."""
SURE: Final = 0.98
GUESSED: Final = 0.6


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """The calls of one clause, or what to ask before there are any."""

    spec: Spec
    calls: tuple[Call, ...] = ()
    ask: Ask | None = None


def bind(matches: Sequence[Match], index: Index, text: str) -> Bound | None:
    """Decide between the ways to read a clause; None if there is none."""
    if not matches:
        return None
    best = matches[0]
    rivals = [match for match in matches if match.doubt == best.doubt]
    bound = bind_one(best, index, text)
    if len(rivals) == 1 or best.spec.free:
        return bound
    others = [bind_one(match, index, text) for match in rivals]
    calls = list({_key(call): call for each in others for call in each.calls}.values())
    if best.missing and len({match.spec.tool for match in rivals}) > 1:
        return replace(bound, calls=(), ask=_what_is_it(rivals))
    if len(calls) > 1 and any(match.spec.hazardous for match in rivals):
        return replace(bound, calls=(), ask=choose(tuple(calls[:2]), best.spec.name))
    return bound


def _key(call: Call) -> str:
    return f"{call.tool} {sorted(call.arguments.items())!r}"


def _what_is_it(rivals: Sequence[Match]) -> Ask:
    return Ask(text="What do you mean? Say its name.", rule=rivals[0].spec.name)


def choose(options: tuple[Call, ...], rule: str) -> Ask:
    """Ask which of two calls is meant."""
    text = wording.choice([call.label for call in options])
    return Ask(text=f"Do you want me to {text}?", options=options, rule=rule)


def confirm(call: Call, rule: str, *, why: str = "") -> Ask:
    """Ask whether one call is meant."""
    text = f"{why} {wording.shall_i(call)}".strip()
    return Ask(text=text, options=(call,), confidence=GUESSED, rule=rule)


def bind_one(match: Match, index: Index, text: str) -> Bound:
    """Turn one match into calls or a question."""
    spec = match.spec
    if match.missing and not spec.stop:
        missing = match.missing[0]
        return Bound(spec=spec, ask=ask_for(match, missing, index, text))
    if match.unclear and not spec.stop:
        return Bound(spec=spec, ask=_ask_which(match, match.unclear[0], index, text))
    calls = tuple(_calls(match, index, text))
    if len(calls) > MAX_CALLS:
        return Bound(spec=spec, ask=Ask(text="That is too much at once. Name them one by one."))
    if len(calls) > 1 and spec.hazardous:
        ask = Ask(text="One at a time, please. Which first?", options=calls[:2], rule=spec.name)
        return Bound(spec=spec, ask=ask)
    if spec.unsure:
        return Bound(spec=spec, ask=confirm(calls[0], spec.name))
    return Bound(spec=spec, calls=calls)


def ask_for(match: Match, missing: str, index: Index, text: str) -> Ask:
    """Ask for an argument that was not said."""
    known = {arg: t for arg, t in match.values.items() if len(t.ids) == 1 or t.value is not None}
    partial = make_call(match.spec, _plain(match.spec, known, index, text), index)
    kind = match.spec.slots.get(missing, "")
    names = index.kinds.get({"lit": "zone"}.get(kind, kind), [])
    return Ask(
        text=wording.which(match.spec, missing, names),
        missing=missing,
        partial=partial,
        rule=match.spec.name,
    )


def _ask_which(match: Match, argument: str, index: Index, text: str) -> Ask:
    target = match.values[argument]
    options: list[Call] = []
    for one in target.ids[:2]:
        values = {**match.values, argument: replace(target, ids=(one,))}
        options.extend(_calls(replace(match, values=values), index, text))
    names = [wording.called_name(index.by_id[one]) for one in target.ids[:2]]
    others = " Or say another name." if len(target.ids) > len(names) else ""
    rest = replace(match, values={a: t for a, t in match.values.items() if a != argument})
    asked = ask_for(rest, argument, index, text)
    chosen = wording.choice(names)
    return replace(
        asked, text=f"{chosen[:1].upper()}{chosen[1:]}?{others}", options=tuple(options[:2])
    )


def _calls(match: Match, index: Index, text: str) -> Iterator[Call]:
    several = {arg: t for arg, t in match.values.items() if len(t.ids) > 1}
    for ids in product(*(target.ids for target in several.values())):
        chosen = {
            arg: replace(several[arg], ids=(one,)) for arg, one in zip(several, ids, strict=True)
        }
        values = {**match.values, **chosen}
        yield make_call(match.spec, _plain(match.spec, values, index, text), index)


def make_call(spec: Spec, arguments: Mapping[str, Any], index: Index) -> Call:
    """Build a call with its label."""
    known = {**arguments, **spec.fixed}
    return Call(tool=spec.tool, arguments=known, label=wording.label(spec, known, index))


def _plain(spec: Spec, values: Mapping[str, Target], index: Index, text: str) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for argument, target in values.items():
        if isinstance(target.value, Window):
            out["since"] = target.value.since.isoformat()
            if target.value.until is not None:
                out["until"] = target.value.until.isoformat()
        elif argument == spec.free and isinstance(target.value, str):
            out[argument] = _as_written(target.value, text)
        elif target.value is not None:
            out[argument] = target.value
        elif target.ids:
            out[argument] = target.ids[0]
    if "about" in out and out["about"] in index.by_id:
        out["about"] = index.by_id[out["about"]].name
    return out


def _as_written(words: str, text: str) -> str:
    """Return the person's own spelling of words, where it can be found in the text."""
    pattern = r"[\W_]+".join(re.escape(word) for word in words.split())
    found = re.search(pattern, text, re.IGNORECASE)
    return found[0] if found else words
