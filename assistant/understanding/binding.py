"""From a match to calls, or to the question that is still open."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Final

from assistant.understanding import wording
from assistant.understanding.grammar import Match
from assistant.understanding.index import Index
from assistant.understanding.normal import Clean, as_written
from assistant.understanding.reading import Ask, Call
from assistant.understanding.spec import Spec
from assistant.understanding.targets import Target
from assistant.understanding.times import Window
from safety.entities import Hazard

MAX_CALLS: Final = 16
"""Calls that one clause may stand for ("lock all the doors")."""
SURE: Final = 0.98
GUESSED: Final = 0.6
OFFERED: Final = 2
"""Readings that are offered when it is open which is meant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """The calls of one clause, or what to ask before there are any."""

    spec: Spec
    calls: tuple[Call, ...] = ()
    ask: Ask | None = None
    loose: bool = False
    """Read by cue words, not by a template."""
    completes: bool = False
    """It only adds to the clause before it: "print the cube, on the MK4"."""


def bind(matches: Sequence[Match], index: Index, heard: Clean) -> Bound | None:
    """Decide between the ways to read a clause; None if there is none."""
    if not matches:
        return None
    best = matches[0]
    rivals = [
        match
        for match in matches
        if match.doubt == best.doubt and match.spec.reads == best.spec.reads
    ]
    bound = bind_one(best, index, heard)
    if len(rivals) == 1 or best.spec.free:
        return bound
    others = [bind_one(match, index, heard) for match in rivals]
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


def bind_one(match: Match, index: Index, heard: Clean) -> Bound:
    """Turn one match into calls or a question."""
    spec = match.spec
    if match.missing and not spec.stop:
        missing = match.missing[0]
        return Bound(spec=spec, ask=ask_for(match, missing, index, heard))
    match = _newest_of_one_name(match, index)
    if match.unclear and not spec.stop:
        return Bound(spec=spec, ask=_ask_which(match, match.unclear[0], index, heard))
    calls = tuple(_calls(match, index, heard))
    if len(calls) > MAX_CALLS:
        return Bound(spec=spec, ask=Ask(text="That is too much at once. Name them one by one."))
    if len(calls) > 1 and spec.hazardous:
        ask = Ask(text="One at a time, please. Which first?", options=calls[:2], rule=spec.name)
        return Bound(spec=spec, ask=ask)
    if spec.unsure or (match.loose and spec.hazard > Hazard.NONE):
        return Bound(spec=spec, ask=confirm(calls[0], spec.name), loose=match.loose)
    return Bound(spec=spec, calls=calls, loose=match.loose)


def _newest_of_one_name(match: Match, index: Index) -> Match:
    """Take the first of jobs that are all called the same: they are listed newest first."""
    values = dict(match.values)
    for argument in match.unclear:
        names = [index.by_id[one] for one in values[argument].ids]
        if {name.kind for name in names} == {"job"} and len({name.name for name in names}) == 1:
            values[argument] = replace(values[argument], ids=(names[0].id,))
    return replace(match, values=values)


def ask_for(match: Match, missing: str, index: Index, heard: Clean) -> Ask:
    """Ask for an argument that was not said, offering the first two that there are."""
    spec = match.spec
    known = {arg: t for arg, t in match.values.items() if len(t.ids) == 1 or t.value is not None}
    partial = make_call(spec, _plain(spec, known, index, heard), index)
    kind = spec.slots.get(missing, "")
    if kind in wording.COUNTED and not index.kinds.get(wording.COUNTED[kind]):
        return Ask(text=wording.none_known(kind), rule=spec.name)
    names = index.kinds.get({"lit": "zone"}.get(kind, kind), [])
    return Ask(
        text=wording.which(spec, missing, names),
        options=tuple(
            make_call(spec, {**partial.arguments, missing: name.id}, index)
            for name in names[:OFFERED]
            if match.missing == (missing,)
        ),
        missing=missing,
        partial=partial,
        rule=spec.name,
    )


def _ask_which(match: Match, argument: str, index: Index, heard: Clean) -> Ask:
    """Ask which of the things that the words could mean."""
    target = match.values[argument]
    options: list[Call] = []
    for one in target.ids[:OFFERED]:
        values = {**match.values, argument: replace(target, ids=(one,), many=True)}
        options.extend(_calls(replace(match, values=values), index, heard))
    rest = {arg: t for arg, t in match.values.items() if arg != argument}
    partial = make_call(match.spec, _plain(match.spec, rest, index, heard), index)
    return Ask(
        text=wording.one_of([index.by_id[one] for one in target.ids]),
        options=tuple(options[:OFFERED]),
        missing=argument,
        partial=partial,
        rule=match.spec.name,
    )


def _calls(match: Match, index: Index, heard: Clean) -> Iterator[Call]:
    several = {arg: t for arg, t in match.values.items() if len(t.ids) > 1}
    for ids in product(*(target.ids for target in several.values())):
        chosen = {
            arg: replace(several[arg], ids=(one,)) for arg, one in zip(several, ids, strict=True)
        }
        values = {**match.values, **chosen}
        yield make_call(match.spec, _plain(match.spec, values, index, heard), index)


def make_call(spec: Spec, arguments: Mapping[str, Any], index: Index) -> Call:
    """Build a call with its label."""
    known = {**arguments, **spec.fixed}
    return Call(tool=spec.tool, arguments=known, label=wording.label(spec, known, index))


def _plain(spec: Spec, values: Mapping[str, Target], index: Index, heard: Clean) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for argument, target in values.items():
        if isinstance(target.value, Window):
            out["since"] = target.value.since.isoformat()
            if target.value.until is not None:
                out["until"] = target.value.until.isoformat()
        elif argument == spec.free and isinstance(target.value, str):
            out[argument] = as_written(heard, tuple(target.value.split()))
        elif target.value is not None:
            out[argument] = target.value
        elif target.ids:
            fitting, identity = _fitting(target.ids[0], argument, spec, index)
            out[fitting] = identity
    if "about" in out and out["about"] in index.by_id:
        out["about"] = index.by_id[out["about"]].name
    return out


def _fitting(identity: str, argument: str, spec: Spec, index: Index) -> tuple[str, str]:
    """Return the argument and id that suit a thing.

    "The lights in the bay" are a place to look at; the scene of a light is set in its place.
    """
    name, kind = index.by_id.get(identity), spec.slots[argument]
    if name is not None and name.kind == "zone" and kind == "device":
        return "zone", identity
    if name is not None and name.kind != "zone" and kind == "zone":
        return argument, name.zone
    return argument, identity
