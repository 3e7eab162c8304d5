"""One KITTY for the long runs."""

from collections.abc import Iterator

import pytest
from fakes.house import House, house


@pytest.fixture(scope="module")
def kitty() -> Iterator[House]:
    with house() as running:
        yield running
