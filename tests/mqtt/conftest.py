"""A real broker on a real socket: the embedded one, and Mosquitto where it is installed."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest

from infra.broker import BrokerProcess, Engine, find_mosquitto
from infra.broker_files import Login
from infra.mqtt import Bus, BusSettings

WITHIN = timedelta(seconds=15)


@pytest.fixture(params=[Engine.EMBEDDED, Engine.MOSQUITTO])
def engine(request: pytest.FixtureRequest) -> Engine:
    if request.param is Engine.MOSQUITTO and find_mosquitto() is None:
        if os.environ.get("CI") == "true":
            pytest.fail("Mosquitto is not installed, and in CI its tests must run")
        pytest.skip("Mosquitto is not installed")
    return request.param


@pytest.fixture
async def broker(engine: Engine, tmp_path: Path) -> AsyncIterator[BrokerProcess]:
    process = BrokerProcess(tmp_path, engine=engine)
    await process.start()
    yield process
    await process.stop()


def settings_for(
    broker: BrokerProcess, client_id: str, *, login: Login | None = None, **more: object
) -> BusSettings:
    who = login or Login(username=broker.username, password=broker.password)
    return BusSettings(
        host=broker.host,
        port=broker.port,
        client_id=client_id,
        username=who.username,
        password=who.password,
        **more,
    )


class Opener:
    """Opens buses that are closed when the test ends."""

    def __init__(self, broker: BrokerProcess, stack: AsyncExitStack) -> None:
        self.broker = broker
        self._stack = stack

    def device(self, client_id: str) -> Bus:
        return Bus(settings_for(self.broker, client_id, login=self.broker.devices))

    def kitty(self, client_id: str = "kitty", **more: object) -> Bus:
        return Bus(settings_for(self.broker, client_id, **more))

    async def open(self, bus: Bus) -> Bus:
        await self._stack.enter_async_context(bus)
        assert await bus.ready(WITHIN)
        return bus


@pytest.fixture
async def opener(broker: BrokerProcess) -> AsyncIterator[Opener]:
    async with AsyncExitStack() as stack:
        yield Opener(broker, stack)


@asynccontextmanager
async def bounded() -> AsyncIterator[None]:
    async with asyncio.timeout(WITHIN.total_seconds()):
        yield


class Changes:
    """Something to wait on: `await changes.until(lambda: len(seen) == 3)`.

    Looks again whenever told, and every 20 ms for what nobody tells.
    """

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    async def tell(self) -> None:
        self._changed.set()

    async def until(self, predicate: Callable[[], bool]) -> None:
        async with bounded():
            while not predicate():
                self._changed.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), 0.02)


@pytest.fixture
async def changes() -> Changes:
    return Changes()
