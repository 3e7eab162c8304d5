import pytest
from fakes.edge import Bench


@pytest.fixture
def bench() -> Bench:
    return Bench()
