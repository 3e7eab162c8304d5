"""The declarations: names, arguments, hazards, docstrings, refusals of what does not fit."""

import ast
import json
from pathlib import Path
from typing import Any

import pytest

from tests.tools.conftest import Call, NotingGate
from tests.tools.expected import CATALOGUE, OPTIONAL, WRONG
from tools.catalog import build_catalog
from tools.spec import Catalog

pytestmark = pytest.mark.anyio
TOOLS = Path(__file__).parents[2] / "tools"
NO_IO = {"psycopg", "socket", "os", "subprocess", "httpx", "requests", "asyncpg", "aiohttp"}


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return build_catalog()


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_tool_keeps_its_family_arguments_and_hazard(catalog: Catalog, name: str) -> None:
    family, arguments, hazard = CATALOGUE[name]
    tool = catalog[name]
    assert (tool.family, tuple(tool.arguments.model_fields), tool.hazard) == (
        family,
        arguments,
        hazard,
    )
    optional = {n for n, f in tool.arguments.model_fields.items() if not f.is_required()}
    assert optional == OPTIONAL.get(name, set())


def test_every_tool_says_what_it_does_and_has_a_plain_schema(catalog: Catalog) -> None:
    for tool in catalog:
        assert tool.summary.rstrip().endswith("."), tool.name
        schema = json.loads(json.dumps(tool.schema))
        assert schema["additionalProperties"] is False, tool.name


def test_two_tools_of_one_name_are_an_error(catalog: Catalog) -> None:
    with pytest.raises(ValueError, match="two tools are called 'why'"):
        Catalog([*catalog, catalog["why"]])


def _required(name: str) -> dict[str, Any]:
    good = {"on": True, "celsius": 200, "part": "nozzle"}
    names = [n for n in CATALOGUE[name][1] if n not in OPTIONAL.get(name, set())]
    return {n: good.get(n, "something") for n in names}


@pytest.mark.parametrize("name", CATALOGUE)
async def test_a_field_too_many_is_refused(call: Call, gate: NotingGate, name: str) -> None:
    result = await call(name, **_required(name), intent="unlock")
    assert result.declined is not None
    assert result.declined.code == "bad_arguments"
    assert "intent" in result.declined.message
    assert gate.proposed == []


@pytest.mark.parametrize(
    ("name", "argument"), [(n, a) for n, (_, names, _) in CATALOGUE.items() for a in names]
)
@pytest.mark.parametrize("kind", ["wrong", "list", "empty", "nul"])
async def test_an_argument_of_the_wrong_kind_is_refused(
    call: Call, gate: NotingGate, name: str, argument: str, kind: str
) -> None:
    wrong = {"wrong": WRONG.get(argument, 7), "list": ["x"], "empty": "  ", "nul": "a\x00b"}[kind]
    if argument in {"since", "until"} and kind == "wrong":
        wrong = "yesterday-ish"
    result = await call(name, **_required(name) | {argument: wrong})
    assert result.declined is not None
    assert result.declined.code == "bad_arguments"
    assert argument in result.declined.message
    assert gate.proposed == []


@pytest.mark.parametrize("name", [n for n in CATALOGUE if _required(n)])
async def test_a_missing_argument_is_refused(call: Call, name: str) -> None:
    result = await call(name)
    assert result.declined is not None
    assert result.declined.code == "bad_arguments"


def test_the_tools_import_nothing_that_reaches_a_wire() -> None:
    seen = set()
    for path in TOOLS.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                seen |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                seen.add((node.module or "").partition(".")[0])
    assert "safety" in seen
    assert not seen & (NO_IO | {"infra", "assistant"})
