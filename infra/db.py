"""Connections to the store: a pool that outlives a restart of the database."""

import select
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import ClassVar, Final

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout, TooManyRequests

CONNECT_TIMEOUT: Final = timedelta(seconds=5)
"""How long one attempt to connect may take."""
CHECKOUT_TIMEOUT: Final = timedelta(seconds=10)
"""How long a caller waits for a connection: longer than a restart of the database takes."""
RECONNECT_FOR: Final = timedelta(seconds=2)
"""How long the pool goes on trying by itself; after that the next caller starts it again, so
the pause between attempts never grows beyond this."""
MAX_WAITING: Final = 1_000
"""Callers that may queue for a connection; one more is refused at once."""

_LOST_CLASSES: Final = ("08", "57P")
"""SQLSTATE classes of a lost or refused connection and of a database that stops or starts."""


class StoreError(Exception):
    """The store cannot do that; `code` is stable snake_case."""

    code: ClassVar[str] = "store_error"


class StoreUnavailableError(StoreError):
    """The database does not answer now; the same call may work later."""

    code: ClassVar[str] = "store_unavailable"


def unavailable(error: psycopg.Error) -> StoreUnavailableError:
    """Say in plain words that the database does not answer, and why."""
    cause = " ".join(str(error).split()) or type(error).__name__
    return StoreUnavailableError(
        f"the database does not answer ({cause}); "
        "it may be restarting: try again, and see `kitt doctor` if it stays away"
    )


def is_lost(error: psycopg.Error) -> bool:
    """Tell whether the connection, not the statement, is at fault."""
    if isinstance(error, PoolTimeout | PoolClosed | TooManyRequests):
        return True
    if not isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return False
    return error.sqlstate is None or error.sqlstate.startswith(_LOST_CLASSES)


class StorePool(AsyncConnectionPool[AsyncConnection[TupleRow]]):
    """A psycopg pool whose lost connections surface as StoreUnavailableError."""

    lost: int = 0
    """How often one was lost while lent, or could not be had."""

    @asynccontextmanager
    async def connection(
        self,
        timeout: float | None = None,  # noqa: ASYNC109  # the pool's own signature
    ) -> AsyncIterator[AsyncConnection[TupleRow]]:
        """Lend a connection; `timeout` in seconds replaces CHECKOUT_TIMEOUT.

        Raises StoreUnavailableError if none can be had, or if it is lost while lent.  A
        statement that was under way then may or may not have been carried out.
        """
        try:
            async with super().connection(timeout) as connection:
                yield connection
        except psycopg.Error as error:
            if is_lost(error):
                self.lost += 1
                raise unavailable(error) from error
            raise


@asynccontextmanager
async def open_pool(
    dsn: str, *, min_size: int = 2, max_size: int = 16, patience: timedelta = CHECKOUT_TIMEOUT
) -> AsyncIterator[StorePool]:
    """Open a pool of autocommitting connections and close it at the end.

    Each connection is checked when it is lent, so a killed database costs its callers a short
    wait (`patience` at most) and no error once it is back.

    Raises StoreUnavailableError if it cannot be reached now.
    """
    pool = StorePool(
        dsn,
        connection_class=AsyncConnection[TupleRow],
        kwargs={
            "autocommit": True,
            "connect_timeout": int(CONNECT_TIMEOUT.total_seconds()),
            "application_name": "kitty",
            "options": "-c timezone=UTC",
        },
        min_size=min_size,
        max_size=max_size,
        max_waiting=MAX_WAITING,
        timeout=patience.total_seconds(),
        reconnect_timeout=RECONNECT_FOR.total_seconds(),
        check=_check,
        open=False,
        name="store",
    )
    try:
        await _first_connection(pool, patience)
        yield pool
    finally:
        await pool.close()


async def _check(connection: AsyncConnection[TupleRow]) -> None:
    """Ask the server only if it has said something, such as goodbye: that saves a round trip."""
    hung_up = select.poll()
    hung_up.register(connection.fileno(), select.POLLIN)
    if hung_up.poll(0):
        await AsyncConnectionPool.check_connection(connection)


async def _first_connection(pool: StorePool, patience: timedelta) -> None:
    try:
        await pool.open(wait=True, timeout=patience.total_seconds())
    except PoolTimeout as error:
        raise unavailable(error) from error
