"""What every test may ask for: an event loop, a database of its own, and no way out."""

import itertools
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest
from fakes.loopback import loopback_only
from psycopg import sql

from infra.db import StorePool, open_pool
from infra.migrate import migrate
from infra.postgres import EmbeddedPostgres

TEMPLATE = "kitty_template"
_numbers = itertools.count(1)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def nothing_leaves_the_machine(request: pytest.FixtureRequest) -> Iterator[None]:
    with loopback_only(request.node.nodeid):
        yield


def _quick_folder() -> str | None:
    """Return a folder in memory if there is a roomy one: a database is then made in 10 ms."""
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > 2 * 1024**3
    return str(memory) if roomy else None


@pytest.fixture(scope="session")
def cluster() -> Iterator[EmbeddedPostgres]:
    """Run a PostgreSQL server for this worker, careless of power cuts, which tests never see."""
    with tempfile.TemporaryDirectory(
        prefix="kitty-tests-", dir=_quick_folder(), ignore_cleanup_errors=True
    ) as folder:
        home = Path(folder)
        home.chmod(0o755)  # as root the server runs as nobody, who must get in
        quick = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        with EmbeddedPostgres(home, database=TEMPLATE, settings=quick) as server:
            migrate(server.dsn)
            yield server


@pytest.fixture
def database(cluster: EmbeddedPostgres) -> Iterator[str]:
    """Make a fresh, migrated database; its connection string."""
    name = f"test_{next(_numbers)}"
    with psycopg.connect(cluster.dsn_of("postgres"), autocommit=True) as admin:
        admin.execute(
            sql.SQL("create database {} template {} strategy file_copy").format(
                sql.Identifier(name), sql.Identifier(TEMPLATE)
            )
        )
        yield cluster.dsn_of(name)
        admin.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@pytest.fixture
async def pool(anyio_backend: str, database: str) -> AsyncIterator[StorePool]:
    """Open a pool of connections to the test's own database."""
    async with open_pool(database, min_size=1, max_size=8) as opened:
        yield opened
