"""A tool is declared once: everything that is made from the declaration is there for each."""

from pathlib import Path

import pytest
from fakes.desk import Room

from assistant.channels.http.devices import TOOLS as BY_INTENT
from assistant.understanding.sentences import Intents, sentences
from safety.actions import KINDS
from tools.catalog import build_catalog
from tools.run import CallOutcome, Origin, Runner

CATALOG = build_catalog()
INTENTS = Intents.load()
NAMES = [tool.name for tool in CATALOG]


@pytest.mark.parametrize("name", NAMES)
def test_it_has_sentences(name):
    assert len(sentences(name, INTENTS)) >= 3


def test_the_grammar_names_no_tool_that_does_not_exist():
    named = {spec.tool for spec in INTENTS.specs.values() if spec.tool}
    assert named - set(NAMES) == set()


@pytest.mark.parametrize("name", NAMES)
def test_it_is_described_in_the_reference(name):
    page = (Path(__file__).parents[2] / "docs" / "tools.md").read_text(encoding="utf-8")
    section = page.split(f"### `{name}`\n", 1)[1].split("\n### ", 1)[0]
    assert f"POST /api/tools/{name}`" in section
    assert f"Hazard: **{CATALOG[name].hazard.word}**" in section


@pytest.mark.anyio
@pytest.mark.parametrize("name", NAMES)
async def test_it_refuses_arguments_that_do_not_fit(name):
    runner = Runner(catalog=CATALOG, gate=None)
    result = await runner.call(
        name, {"surprise": 1}, Room().desk(), Origin(step=0, correlation="test")
    )
    assert result.outcome is CallOutcome.REFUSED
    assert result.declined.code == "bad_arguments"
    assert "surprise" in result.declined.message


def test_every_action_can_be_told_over_the_device_route():
    assert set(BY_INTENT) == {kind.intent for kind in KINDS}
    assert {tool for tool, _ in BY_INTENT.values()} <= set(NAMES)
