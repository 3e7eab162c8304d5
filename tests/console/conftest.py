"""A scripted KITTY behind a real server, and a real browser in front of it."""

import os
import shutil
from collections.abc import Iterator

import pytest
from fakes.browsing import ARGUMENTS, Served, Visitor
from fakes.console import House
from playwright.sync_api import Browser, sync_playwright


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
def served(house: House) -> Iterator[Served]:
    with Served(house) as server:
        yield server


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    path = next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )
    if path is None:
        if os.environ.get("CI") == "true":
            pytest.fail("no Chromium: install it with apt-get install chromium")
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def visitor(served: Served, chromium: Browser) -> Iterator[Visitor]:
    someone = Visitor(served=served, chromium=chromium, contexts=[], trouble=[])
    yield someone
    for context in someone.contexts:
        context.close()
    assert someone.trouble == []
