"""`kitt demo`, started once for the whole story."""

from collections.abc import Iterator

import pytest
from fakes.house import Demo, quick_folder


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    with quick_folder() as home:
        running = Demo(home)
        try:
            running.start()
            yield running
        finally:
            running.close()
