"""A real browser, for the tests that need one."""

from collections.abc import Iterator

import pytest
from fakes.browsing import real_browser
from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with real_browser() as browser:
        yield browser
