"""People in a store."""

import pytest

from infra.db import StorePool
from infra.store.people import People


@pytest.fixture
def people(pool: StorePool) -> People:
    return People(pool)
