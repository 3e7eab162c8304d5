"""What words can speak of, and the lists that are made of others."""

from dataclasses import dataclass, replace
from typing import Any, Final

from assistant.understanding.index import Index
from assistant.understanding.lexicon import Words

DEVICE_KINDS: Final = ("light", "door", "power", "camera", "sensor")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What some words speak of, for one kind of thing."""

    ids: tuple[str, ...] = ()
    """None: the words name a kind of thing only.  Several: which one is open, unless `many`."""
    many: bool = False
    """All of them are meant."""
    value: Any = None
    """For what is no entity: a number, a scene, a span of time."""
    named: bool = False
    """It was called by a full name, not by part of one or by its place."""
    kind: str = ""


Found = dict[str, dict[str, Target]]
"""List name of the templates, to the words of the utterance, to what they mean."""


def add(found: Found, kind: str, words: Words, target: Target) -> None:
    """Note what words mean; a second meaning of the same words leaves open which."""
    text = " ".join(words)
    known = found[kind].get(text)
    if known is None or (not known.ids and known.value is None) or target.named > known.named:
        found[kind][text] = target
    elif known.named > target.named:
        return
    elif target.ids and known.ids != target.ids and not known.many:
        better = {known, target} & {t for t in (known, target) if len(t.ids) == 1}
        if len(better) == 1 and set(known.ids) & set(target.ids):
            found[kind][text] = better.pop()
        else:
            ids = tuple(dict.fromkeys((*known.ids, *target.ids)))
            found[kind][text] = replace(known, ids=ids, many=target.many)


def derive(found: Found, index: Index) -> None:
    """Fill the lists that are made of others."""
    for kind in DEVICE_KINDS:
        for text, target in found[kind].items():
            add(found, "device", tuple(text.split()), target)
    for kind in ("device", "printer", "zone", "person"):
        for text, target in found[kind].items():
            if target.ids:
                add(found, "thing", tuple(text.split()), target)
    found["lit"] = dict(found["light"])
    found["camera_name"] = dict(found["camera"])
    for text, target in list(found["zone"].items()):
        _derive_from_zone(found, index, text, target)


def _derive_from_zone(found: Found, index: Index, text: str, target: Target) -> None:
    words = tuple(text.split())
    if target.ids and text not in found["light"]:
        found["dark_zone"][text] = target
    sensors = tuple(s.id for zone in target.ids for s in index.inside.get((zone, "sensor"), []))
    only = replace(target, ids=sensors, kind="sensor") if len(sensors) == 1 else target
    add(found, "zone_sensor", words, only)
    add(found, "lit", words, replace(target, kind="light", named=False))
    add(found, "camera", words, replace(target, kind="camera", named=False))
    doors = tuple(door.id for zone in target.ids for door in index.inside.get((zone, "door"), []))
    if doors and text not in found["door"]:
        add(found, "door", words, Target(ids=doors, many=target.many, kind="door"))
