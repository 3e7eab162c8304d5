"""The demo lab's names, and the sentences of other people scored against them."""

from collections.abc import Sequence
from typing import Any
from uuid import NAMESPACE_DNS, uuid5

from understanding.scoring import data, read

from assistant.understanding.names import Name, Names
from assistant.understanding.reading import Act, Ask, Call, Reading, Stop
from infra.demo.lab import DEVICES, JOBS, PEOPLE, ZONES


def uid(key: str) -> str:
    return str(uuid5(NAMESPACE_DNS, f"demo.{key}"))


def _zone(each: Any) -> Name:
    aliases = tuple(each.get("aliases", ()))
    return Name(id=uid(each["slug"]), kind="zone", name=each["name"], aliases=aliases)


def _device(each: Any) -> Name:
    able = each["capabilities"]
    return Name(
        id=uid(each["external_id"]),
        kind=each["kind"],
        name=each["name"],
        aliases=tuple(each.get("aliases", ())),
        zone=uid(each["zone"]),
        intents=frozenset(able.get("intents", ())),
        values=tuple(able.get("scenes", ())),
    )


def _person(each: Any) -> Name:
    first = each["display_name"].split()[0]
    aliases = (first, each["handle"])
    return Name(id=uid(each["handle"]), kind="user", name=each["display_name"], aliases=aliases)


JOB_NAMES = [each["name"] for each in JOBS]
NAMES = Names(
    version="demo",
    entries=(
        *(_zone(each) for each in ZONES),
        *(_device(each) for each in DEVICES),
        *(Name(id=uid(name), kind="job", name=name) for name in JOB_NAMES),
        *(_person(each) for each in PEOPLE),
    ),
)
KEYS = {
    uid(key): key
    for key in [
        *(each["slug"] for each in ZONES),
        *(each["external_id"] for each in DEVICES),
        *JOB_NAMES,
        *(each["handle"] for each in PEOPLE),
    ]
}


def _fits(call: Call, tool: str, expected: dict[str, Any]) -> bool:
    got = {key: KEYS.get(value, value) for key, value in call.arguments.items()}
    if call.tool != tool or set(got) != set(expected):
        return False
    return all(
        value == "*" or got[key] in (value if isinstance(value, list) else [value])
        for key, value in expected.items()
    )


def score(reading: Reading, wanted: Sequence[Any]) -> float:
    """Return 1 for a right call, 0.5 for a question that offers it, else 0."""
    pairs = list(zip(wanted[::2], wanted[1::2], strict=True))
    if isinstance(reading, Act | Stop) and reading.calls:
        return float(any(all(_fits(call, *pair) for call in reading.calls) for pair in pairs))
    if isinstance(reading, Ask):
        offered = [call for call in reading.options if any(_fits(call, *pair) for pair in pairs)]
        return 0.5 if offered else 0.0
    return 0.0


def scores(name: str) -> list[tuple[float, list[Any], Reading]]:
    """Return the score of every sentence of a data file, with the sentence and its reading."""
    read_all = [(case, read(case[0], names=NAMES)) for case in data(name)]
    return [(score(reading, case[1:]), case, reading) for case, reading in read_all]
