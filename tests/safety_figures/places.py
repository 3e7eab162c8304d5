"""Databases of a figure's own, and labs in them."""

import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from fakes.world import World

from infra.db import open_pool
from infra.migrate import migrate
from infra.postgres import EmbeddedPostgres
from infra.store.trust import trust_of
from safety.actions import Action
from safety.edge import Accepted, EdgeCommand, Verdict, verify
from safety.nonces import Memory, VolatileMemory
from safety.permit import Permit
from safety.records import Carried, Receipt, Rejected
from safety.trust import TrustFile

QUICK = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
TEMPLATE = "figures"
UNLIMITED = "update access_policies set max_pending = 10000"
"""Thousands ask here for one person; how many requests may wait has its own tests."""


@contextmanager
def cluster() -> Iterator[EmbeddedPostgres]:
    """Run a PostgreSQL of its own, with the schema in it."""
    memory = Path("/dev/shm")
    folder = str(memory) if memory.is_dir() else None
    with tempfile.TemporaryDirectory(
        prefix="kitty-figure-", dir=folder, ignore_cleanup_errors=True
    ) as name:
        home = Path(name)
        home.chmod(0o755)  # as root the server runs as nobody, who must get in
        with EmbeddedPostgres(home, database=TEMPLATE, settings=QUICK) as server:
            migrate(server.dsn)
            yield server


@asynccontextmanager
async def lab() -> AsyncIterator[World]:
    """Open a small lab in a database of its own."""
    with cluster() as server:
        async with open_pool(server.dsn, min_size=1, max_size=8) as pool:
            world = await World(pool).open()
            await world.sql(UNLIMITED)
            yield world


async def in_the_past(world: World) -> None:
    """Move a lab back in time: the store takes no sightings from the real clock's future."""
    world.clock.moment -= timedelta(days=3_000)
    await world.sql("delete from zone_presences")


@dataclass
class EdgeDriver:
    """The machines, each behind its own check: they do only what the check lets through."""

    world: World
    memory: Memory
    trust: TrustFile
    now: Callable[[], datetime]
    """The device's own clock."""

    def __post_init__(self) -> None:
        self.done: list[Permit[Action]] = []
        self.refused: list[str] = []

    async def __call__(
        self, permit: Permit[Action], /, *, before_send: Callable[[], Awaitable[None]]
    ) -> Receipt:
        await before_send()
        verdict = self.verdict(permit)
        if not isinstance(verdict, Accepted):
            self.refused.append(verdict.code)
            return Rejected(code="not_authorised", detail=f"{verdict.code}: {verdict.reason}")
        self.done.append(permit)
        return Carried(at=self.world.clock(), detail="ok")

    def verdict(self, permit: Permit[Action]) -> Verdict:
        return verify(
            EdgeCommand(
                id=str(permit.command),
                device=permit.device.external_id,
                intent=permit.action.intent,
                arguments=permit.action.arguments,
                deadline=permit.deadline,
                event=None if permit.event is None else str(permit.event),
            ),
            None if permit.envelope is None else permit.envelope.document(),
            self.trust,
            device=permit.device.external_id,
            now=self.now(),
            memory=self.memory,
        )


async def edge_of(world: World, memory: Memory | None = None) -> EdgeDriver:
    """Put devices that check for themselves behind a lab's gate, and build that gate."""
    trust = await trust_of(world.pool, site="", now=world.clock())
    driver = EdgeDriver(world, memory or VolatileMemory(), trust, world.clock)
    world.driver = driver
    world.gate = world.new_gate()
    return driver
