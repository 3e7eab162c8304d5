import pytest
from fakes.world import World

from infra.db import StorePool


@pytest.fixture
async def world(pool: StorePool) -> World:
    return await World(pool).open()
