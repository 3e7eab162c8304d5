"""The reference page: complete, current, and its examples mean what it says."""

from collections.abc import Mapping

import pytest
from fakes.desk import NOW, make_id, small_lab

from assistant.reference import EXAMPLES, page
from assistant.understanding.dialogue import Dialogue
from assistant.understanding.names import Name, Names
from assistant.understanding.reading import Act, Call, Stop
from assistant.understanding.sentences import Intents
from assistant.understanding.understanding import Understanding
from tests.tools.expected import CATALOGUE
from tools.catalog import build_catalog


@pytest.fixture(scope="module")
def understanding() -> Understanding:
    return Understanding(Intents.load())


@pytest.fixture(scope="module")
def names() -> Names:
    lab = small_lab()
    zones = [
        Name(id=str(each.zone.id), kind="zone", name=each.zone.name, aliases=each.aliases)
        for each in lab.places
    ]
    devices = [
        Name(
            id=str(view.device.id),
            kind=view.device.kind.value,
            name=view.device.name,
            aliases=view.aliases,
            zone=str(view.zone.id),
            intents=view.device.intents,
            values=tuple(view.device.capabilities.get("scenes", ())),
        )
        for view in lab.views
    ]
    job = Name(id=str(make_id("job hinge")), kind="job", name="hinge")
    return Names(version="1", entries=(*zones, *devices, job))


def test_every_tool_is_in_the_page_with_its_route_arguments_and_hazard() -> None:
    sections = {part.partition("`")[0]: part for part in page().split("### `")[1:]}
    for name, (_, arguments, hazard) in CATALOGUE.items():
        section = sections[name]
        assert f"`POST /api/tools/{name}`" in section
        assert f"Hazard: **{hazard.word}**" in section
        assert "Say: “" in section
        assert all(f"`{argument}`" in section for argument in arguments)
    assert set(sections) == {tool.name for tool in build_catalog()}


def test_bounds_and_choices_are_in_the_page() -> None:
    text = page()
    for words in ("`nozzle` \\| `bed`", "integer 1 to 60", "Default 10.", "date-time"):
        assert words in text


@pytest.mark.parametrize(("tool", "text"), [(t, s) for t, said in EXAMPLES.items() for s in said])
def test_an_example_is_understood_as_its_tool(
    understanding: Understanding, names: Names, tool: str, text: str
) -> None:
    previous = Call(tool="list_devices")
    dialogue = Dialogue(last_calls=(previous,), last_at=NOW)
    reading = understanding.read(text, names, dialogue, NOW)
    assert isinstance(reading, Act | Stop), reading
    assert [each.tool for each in reading.calls] == [tool]
    arguments: Mapping[str, object] = reading.calls[0].arguments
    build_catalog()[tool].arguments.model_validate(dict(arguments))
