"""The store and the broker: KITTY's own, supervised, unless the settings name others."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

import psycopg
import structlog
from psycopg.rows import TupleRow

from infra.broker import BrokerProcess, Engine
from infra.checkpoints import PooledSaver
from infra.db import StoreError, StorePool, open_pool, unavailable
from infra.migrate import migrate
from infra.mqtt import Bus
from infra.mqtt_settings import BusSettings
from infra.postgres import EmbeddedPostgres
from infra.settings import Settings
from infra.supervise import Supervisor

_log = structlog.get_logger("kitty")
_WATCH: Final = timedelta(seconds=1)
_HOLD: Final = timedelta(seconds=5)
_ANSWER_WITHIN: Final = 2.0
"""Seconds in which the store must answer to count as ready."""
_ONE_KITTY: Final = 7_554_894
"""Key of the advisory lock that says: this database has its KITTY."""


class TakenError(StoreError):
    """Another KITTY serves this database."""

    code = "database_taken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where things are kept and how devices are reached."""

    pool: StorePool
    bus: Bus
    bus_host: str
    bus_port: int
    device_login: Path | None
    """JSON file with the broker's login for devices; None when the broker is not ours."""
    probe: "StoreProbe"

    async def store_answers(self) -> bool:
        """Tell whether the store answers within two seconds."""
        return await self.probe.answers()


class StoreProbe:
    """Asks the store for a sign of life, one question at a time."""

    def __init__(self, pool: StorePool) -> None:
        self._pool = pool
        self._asking: asyncio.Task[None] | None = None

    async def answers(self) -> bool:
        """Tell whether the store answers within two seconds."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
            self._asking.add_done_callback(_looked_at)
        asking = self._asking
        # Not a time-out around the question: taking it back would wait for the store as well.
        await asyncio.wait({asking}, timeout=_ANSWER_WITHIN)
        return asking.done() and not asking.cancelled() and asking.exception() is None

    async def _ask(self) -> None:
        async with self._pool.connection() as connection:
            await connection.execute("select 1")

    def close(self) -> None:
        """Ask no more."""
        if self._asking is not None:
            self._asking.cancel()


def _looked_at(asking: asyncio.Task[None]) -> None:
    """Look at the outcome of a question whose answer came too late for anybody."""
    if not asking.cancelled():
        asking.exception()


@asynccontextmanager
async def open_places(settings: Settings, supervisor: Supervisor) -> AsyncIterator[Places]:
    """Start or find the store and the broker; stop what was started."""
    async with AsyncExitStack() as stack:
        broker = _broker(settings)
        if broker is not None:
            stack.push_async_callback(broker.stop)
        postgres = _postgres(settings)
        if postgres is not None:
            stack.callback(postgres.stop)
        await asyncio.gather(
            _nothing() if broker is None else broker.start(),
            _nothing() if postgres is None else asyncio.to_thread(postgres.start),
        )
        dsn = _dsn(settings, postgres)
        await asyncio.to_thread(migrate, dsn)
        only_one = _OnlyOne(dsn)
        stack.push_async_callback(only_one.close)
        await only_one.hold()
        pool = await stack.enter_async_context(open_pool(dsn))
        await PooledSaver(pool).setup()
        stack.push_async_callback(supervisor.stop)
        _watch(supervisor, broker, postgres)
        supervisor.every(_HOLD, "only_one", only_one.hold)
        bus_settings = _bus_settings(settings, broker)
        probe = StoreProbe(pool)
        stack.callback(probe.close)
        yield Places(
            pool=pool,
            probe=probe,
            bus=Bus(bus_settings),
            bus_host=bus_settings.host,
            bus_port=bus_settings.port,
            device_login=None if broker is None else broker.devices_file,
        )


async def _nothing() -> None:
    """Stand for a part that somebody else runs."""


def _broker(settings: Settings) -> BrokerProcess | None:
    if settings.broker.host is not None:
        return None
    return BrokerProcess(settings.store.home, engine=Engine(settings.broker.engine.value))


def _postgres(settings: Settings) -> EmbeddedPostgres | None:
    return EmbeddedPostgres(settings.store.home) if settings.store.database_url is None else None


def _dsn(settings: Settings, postgres: EmbeddedPostgres | None) -> str:
    if postgres is not None:
        return postgres.dsn
    assert settings.store.database_url is not None
    return settings.store.database_url.get_secret_value()


def _watch(
    supervisor: Supervisor, broker: BrokerProcess | None, postgres: EmbeddedPostgres | None
) -> None:
    if broker is not None:
        supervisor.every(_WATCH, "broker", broker.ensure_running)
    if postgres is not None:

        async def watch() -> None:
            if await asyncio.to_thread(postgres.ensure_running):
                _log.warning("database_restarted")

        supervisor.every(_WATCH, "database", watch)


class _OnlyOne:
    """The lock that keeps a second KITTY off this database; lost with its connection."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._connection: psycopg.AsyncConnection[TupleRow] | None = None

    async def hold(self) -> None:
        """Take the lock unless it is held; raise TakenError if another KITTY has it."""
        if self._connection is not None:
            try:
                await self._connection.execute("select 1")
            except psycopg.Error:
                await self.close()
            else:
                return
        try:
            await self._take()
        except psycopg.OperationalError as error:
            raise unavailable(error) from error

    async def _take(self) -> None:
        connection = await psycopg.AsyncConnection.connect(self._dsn, autocommit=True)
        cursor = await connection.execute("select pg_try_advisory_lock(%s)", (_ONE_KITTY,))
        row = await cursor.fetchone()
        if row is None or not row[0]:
            await connection.close()
            raise TakenError(
                "another KITTY serves this database; stop it first, or give this one its own"
            )
        self._connection = connection

    async def close(self) -> None:
        """Let it go."""
        if self._connection is not None:
            await self._connection.close()
        self._connection = None


def _bus_settings(settings: Settings, broker: BrokerProcess | None) -> BusSettings:
    home = str(settings.store.home.resolve())
    client_id = f"kitty-{hashlib.sha256(home.encode()).hexdigest()[:12]}"
    if broker is not None:
        return BusSettings(
            host=broker.host,
            port=broker.port,
            client_id=client_id,
            username=broker.username,
            password=broker.password,
        )
    given = settings.broker
    assert given.host is not None
    return BusSettings(
        host=given.host,
        port=given.port,
        client_id=client_id,
        username=given.username,
        password=None if given.password is None else given.password.get_secret_value(),
        tls=given.tls,
        ca_file=given.ca_file,
    )
