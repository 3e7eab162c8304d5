"""Whatever fits the OpenAPI document more or less: never a fault of ours, always the envelope."""

import string
from types import SimpleNamespace
from urllib.parse import quote

import pytest
from fakes.envelopes import check
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assistant.channels.http.app import build, describe
from infra.settings import Settings
from tools.catalog import build_catalog

pytestmark = pytest.mark.anyio
PEOPLE = st.sampled_from(["olga", "emil", "sara", "anna"])
NAMES = st.sampled_from(["floor light", "bay door", "welder", "mk4", "the bay", "floor", "bright"])
UUIDS = st.uuids().map(str)
TEXT = st.text(max_size=40)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
PLAIN = {
    "integer": st.integers(-(2**70), 2**70),
    "number": st.floats(allow_nan=False, allow_infinity=False),
    "boolean": st.booleans(),
    "null": st.none(),
    "string": TEXT | NAMES | UUIDS,
}


def fitting(schema: dict, known: dict) -> st.SearchStrategy:
    """Return values that fit a schema, more or less."""
    if "$ref" in schema:
        return fitting(known[schema["$ref"].rpartition("/")[2]], known)
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "const" in schema:
        return st.just(schema["const"])
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return st.one_of(*(fitting(each, known) for each in schema[several]))
    if schema.get("type") == "array":
        return st.lists(fitting(schema.get("items", {}), known), max_size=3)
    if schema.get("type") == "object":
        return of_object(schema, known)
    return PLAIN.get(schema.get("type", ""), JSON)


def of_object(schema: dict, known: dict) -> st.SearchStrategy:
    fields = {name: fitting(each, known) for name, each in schema.get("properties", {}).items()}
    needed = set(schema.get("required", ()))
    if not fields:
        return st.dictionaries(TEXT, JSON, max_size=3)
    return st.fixed_dictionaries(
        {name: each for name, each in fields.items() if name in needed},
        optional={name: each for name, each in fields.items() if name not in needed},
    )


def spoiled(body: st.SearchStrategy) -> st.SearchStrategy:
    """Return bodies of which some lack a field, have one too many, or one of a wrong type."""

    def spoil(value, name, other, how):
        if not isinstance(value, dict):
            return value
        if how == "more":
            return value | {name: other}
        keys = sorted(value)
        if how == "less" and keys:
            return {key: value[key] for key in keys[1:]}
        return {**value, keys[0]: other} if how == "other" and keys else value

    changes = st.sampled_from(["none", "none", "more", "less", "other"])
    return st.builds(spoil, body, TEXT, JSON, changes) | JSON


def requests(method: str, path: str, operation: dict, known: dict) -> st.SearchStrategy:
    """Return requests to one operation: method, address, query, body or None."""
    values = {
        each["name"]: fitting(each["schema"], known) | TEXT
        for each in operation.get("parameters", ())
    }
    inside = {name for name in values if f"{{{name}}}" in path}
    return st.tuples(
        st.just(method.upper()),
        st.fixed_dictionaries({name: values[name] for name in inside}).map(
            lambda given: address(path, given)
        ),
        st.fixed_dictionaries({}, optional={n: values[n] for n in values if n not in inside}).map(
            lambda given: {name: plain(value) for name, value in given.items() if value is not None}
        ),
        spoiled(fitting(operation["requestBody"]["content"]["application/json"]["schema"], known))
        if "requestBody" in operation
        else st.none(),
    )


def address(path: str, given: dict) -> str:
    for name, value in given.items():
        path = path.replace(f"{{{name}}}", quote(plain(value), safe="") or "x")
    return path


def plain(value: object) -> str:
    return str(value).encode("utf-8", "replace").decode()


def described() -> dict:
    services = SimpleNamespace(
        settings=Settings(), catalog=build_catalog(), metrics=None, people=None
    )
    return describe(build(services))


DOCUMENT = described()
ANY_REQUEST = st.one_of(
    *(
        requests(method, path, operation, DOCUMENT["components"]["schemas"])
        for path, methods in DOCUMENT["paths"].items()
        for method, operation in methods.items()
    )
)


@settings(
    max_examples=400,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(person=PEOPLE, asked=ANY_REQUEST)
async def test_nothing_that_fits_the_description_breaks_us(door, person, asked):
    method, path, query, body = asked
    sent = {} if body is None else {"json": body}
    answer = await door.of(person).request(method, path, params=query, **sent)
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        check(answer)


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    raw=st.binary(max_size=200),
    path=st.sampled_from(["/api/query", "/api/tools/unlock_door", "/api/users"]),
)
async def test_bytes_instead_of_json(door, raw, path):
    answer = await door.of("anna").post(
        path, content=raw, headers={"content-type": "application/json"}
    )
    assert 400 <= answer.status_code < 500
    check(answer)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    text=st.text(min_size=1, max_size=200)
    | st.text(alphabet=string.printable, min_size=1, max_size=60)
)
async def test_any_words_are_answered_or_refused(door, text):
    answer = await door.say(text.encode("utf-8", "replace").decode())
    assert answer.status_code in {200, 202, 400, 422}, answer.text
    if answer.status_code >= 400:
        check(answer)
        assert answer.json()["code"] in {"bad_json", "empty_text"}
