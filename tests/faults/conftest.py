"""Houses whose server can be killed at a chosen point."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes.house import House, house

DOOMED = Path(__file__).with_name("doomed.py")


@pytest.fixture(scope="module")
def mortal() -> Iterator[House]:
    """Run a KITTY whose broker and lab outlive its server."""
    with house(
        server=(sys.executable, DOOMED), environment={"KITTY_COMMAND_SECONDS": "25"}
    ) as running:
        yield running
