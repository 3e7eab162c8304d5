"""A scripted KITTY behind a real server, and a real browser in front of it."""

from collections.abc import Iterator

import pytest
from fakes.browsing import Served, Visitor, real_browser
from fakes.console import House
from playwright.sync_api import Browser


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
def served(house: House) -> Iterator[Served]:
    with Served(house) as server:
        yield server


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with real_browser() as browser:
        yield browser


@pytest.fixture
def visitor(served: Served, chromium: Browser) -> Iterator[Visitor]:
    someone = Visitor(served=served, chromium=chromium, contexts=[], trouble=[])
    yield someone
    for context in someone.contexts:
        context.close()
    assert someone.trouble == []
