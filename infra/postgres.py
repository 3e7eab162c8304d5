"""PostgreSQL of KITTY's own, for when no server is configured: started, watched, stopped by us."""

import fcntl
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from infra import clock
from infra.postgres_files import (
    PG_MAJOR,
    Account,
    PostgresError,
    choose_account,
    find_binaries,
    make_private,
    prepare_home,
    socket_folder,
)
from infra.postgres_process import ServerProcess, forget_dead_server, is_ready, running_server

SETTINGS: Final[Mapping[str, str]] = {
    "listen_addresses": "",  # the socket only
    "unix_socket_permissions": "0700",
    "port": "5432",
    "max_connections": "60",
    "shared_buffers": "128MB",
    "jit": "off",
    "logging_collector": "off",
    "log_destination": "stderr",
    "log_min_messages": "warning",
    "log_checkpoints": "off",
    # Statements can hold people's words; the log keeps the error without them.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "max_wal_size": "512MB",
    "min_wal_size": "80MB",
    "autovacuum_naptime": "30s",
}

_POLL: Final = 0.01
"""Seconds between looks at a server that starts or stops."""
DATA: Final = f"pg{PG_MAJOR}"
"""Folder of the data in the home."""
_LOG_MAX: Final = 8 * 1024 * 1024
"""Bytes of log after which a start puts the old one aside."""


class EmbeddedPostgres:
    """A PostgreSQL server with its data in `home`.

    A server that another KITTY of the same home started is used, not disturbed.
    """

    def __init__(
        self,
        home: Path,
        *,
        database: str = "kitty",
        settings: Mapping[str, str] | None = None,
        start_timeout: timedelta = timedelta(seconds=120),
        stop_timeout: timedelta = timedelta(seconds=20),
    ) -> None:
        """Lay `settings` over SETTINGS; recovery after a crash must fit in `start_timeout`."""
        self._home = home.expanduser().absolute()
        self._data = self._home / DATA
        self._sockets = socket_folder(self._home)
        self._database = database
        self._settings = {**SETTINGS, **(settings or {})}
        self._start_timeout = start_timeout
        self._stop_timeout = stop_timeout
        self._process: ServerProcess | None = None
        self._pid: int | None = None
        self._busy = threading.Lock()

    @property
    def home(self) -> Path:
        """The folder that holds the data, the log and the socket."""
        return self._home

    @property
    def dsn(self) -> str:
        """The libpq connection string of KITTY's database."""
        return self.dsn_of(self._database)

    def dsn_of(self, database: str) -> str:
        """Return the connection string of another database of the same server."""
        return make_conninfo(
            host=str(self._sockets),
            port=self._settings["port"],
            user="postgres",
            dbname=database,
        )

    @property
    def pid(self) -> int | None:
        """Process id of the server; None before `start` and after `stop`."""
        return self._pid

    @property
    def adopted(self) -> bool:
        """Whether somebody else started the server; then `stop` leaves it running."""
        return self._pid is not None and self._process is None

    def start(self) -> None:
        """Start the server, or use the running one, and make the database.

        Raises a PostgresError that says what is missing and what to do.
        """
        with self._busy:
            self._start()

    def stop(self) -> None:
        """Shut the server down if we started it."""
        with self._busy:
            if self._process is not None:
                self._process.stop(self._stop_timeout)
                with suppress(OSError):  # somebody else may have put something there
                    self._sockets.rmdir()
            self._process = None
            self._pid = None

    def ensure_running(self) -> bool:
        """Start the server again if it has died; tell whether that was needed."""
        with self._busy:
            if self._pid is not None and self._pid == running_server(self._data):
                return False
            self._start()
            return True

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _start(self) -> None:
        account = choose_account()
        prepare_home(self._home, account)
        with (self._home / "postgres.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # let go when the file is closed
            make_private(self._sockets, account)
            deadline = clock.monotonic() + self._start_timeout.total_seconds()
            if not self._adopt(deadline):
                binaries = find_binaries(self._home, account)
                if not (self._data / "PG_VERSION").exists():
                    self._initialise(binaries, account)
                self._launch(binaries, account, deadline)
            self._make_database()

    def _adopt(self, deadline: float) -> bool:
        """Use a running server; wait for one that is just going down."""
        while (pid := running_server(self._data)) is not None:
            try:
                psycopg.connect(self.dsn_of("postgres"), connect_timeout=5).close()
            except psycopg.OperationalError as error:
                if clock.monotonic() > deadline:
                    raise PostgresError(
                        f"a PostgreSQL server (process {pid}) holds {str(self._data)!r} but does "
                        f"not answer: {error}. Stop it and start again"
                    ) from error
                time.sleep(_POLL)
            else:
                self._process, self._pid = None, pid
                return True
        return False

    def _initialise(self, binaries: Path, account: Account) -> None:
        # In a folder of another name, so that a kill half-way leaves nothing that looks done.
        unfinished = self._data.with_name(self._data.name + ".new")
        shutil.rmtree(unfinished, ignore_errors=True)
        make_private(unfinished, account)
        command = [
            str(binaries / "initdb"),
            *("-D", str(unfinished), "-U", "postgres", "--encoding=UTF8", "--locale=C"),
            *("--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
            *("--auth-local=trust", "--auth-host=scram-sha-256"),
            *("--no-instructions", "--no-sync"),
        ]
        done = subprocess.run(  # noqa: S603  # our own command, no shell
            command,
            check=False,
            capture_output=True,
            text=True,
            cwd="/",
            timeout=self._start_timeout.total_seconds(),
            user=account.uid if account.dropped else None,
            group=account.gid if account.dropped else None,
            extra_groups=[] if account.dropped else None,
        )
        if done.returncode != 0:
            raise PostgresError(
                f"the database could not be created in {str(self._home)!r}: "
                f"{(done.stderr or done.stdout).strip()[-1000:]}"
            )
        try:
            unfinished.rename(self._data)
        except OSError as error:
            raise PostgresError(
                f"{str(self._data)!r} holds something that is not a database: "
                "move it away and start again"
            ) from error
        if self._settings.get("fsync") != "off":
            # The disk may take its time; the server need not wait for it.
            threading.Thread(target=os.sync, name="postgres-sync", daemon=True).start()

    def _launch(self, binaries: Path, account: Account, deadline: float) -> None:
        forget_dead_server(self._data)
        log = self._home / "postgres.log"
        if log.exists() and log.stat().st_size > _LOG_MAX:
            log.replace(log.with_suffix(".log.1"))
        settings = {**self._settings, "unix_socket_directories": str(self._sockets)}
        command = [str(binaries / "postgres"), "-D", str(self._data)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        while True:
            process = ServerProcess(command, account=account, log=log)
            if self._wait_ready(process, deadline):
                self._process, self._pid = process, process.pid
                return
            # Workers of a killed server hold its shared memory for a moment longer.
            lingering = "shared memory block" in process.complaint().rpartition("FATAL")[2]
            if not lingering or clock.monotonic() > deadline:
                raise PostgresError(f"PostgreSQL did not start: {process.complaint()}")
            time.sleep(_POLL * 10)

    def _wait_ready(self, process: ServerProcess, deadline: float) -> bool:
        while process.alive:
            if is_ready(self._data, process.pid):
                return True
            if clock.monotonic() > deadline:
                process.stop(self._stop_timeout)
                raise PostgresError(
                    f"PostgreSQL was not ready after {self._start_timeout.total_seconds():.0f} s: "
                    f"{process.complaint()}"
                )
            time.sleep(_POLL)
        return False

    def _make_database(self) -> None:
        with psycopg.connect(self.dsn_of("postgres"), autocommit=True) as connection:
            found = connection.execute(
                "select from pg_database where datname = %s", (self._database,)
            )
            if found.rowcount == 0:
                connection.execute(
                    sql.SQL("create database {}").format(sql.Identifier(self._database))
                )
