"""The server process of the embedded PostgreSQL: starting it, finding it, stopping it."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Final

from infra import postgres_child
from infra.postgres_files import Account, PostgresError

_IMMEDIATE_SHUTDOWN: Final = signal.SIGQUIT
_LOG_TAIL: Final = 2_000
_STATUS_LINE: Final = 7
"""Index of the line of postmaster.pid that becomes `ready`."""


class ServerProcess:
    """A running server that we started; it stops when KITTY ends, however KITTY ends."""

    def __init__(self, command: Sequence[str], *, account: Account, log: Path) -> None:
        self._command = list(command)
        self._account = account
        self._log = log
        self._spawned = threading.Event()
        self._error: OSError | None = None
        self._process: subprocess.Popen[bytes] | None = None
        # Linux ties the death signal to the thread that spawns, so that thread must live as long
        # as the server does; it also reaps it.
        threading.Thread(target=self._keep, name="postgres", daemon=True).start()
        self._spawned.wait()
        if self._error is not None:
            raise PostgresError(f"{self._command[0]!r} cannot be started: {self._error}")

    @property
    def pid(self) -> int:
        """Process id of the server."""
        assert self._process is not None
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process is not None and self._process.poll() is None

    def complaint(self) -> str:
        """Return the end of the server's log."""
        return self._log.read_text(encoding="utf-8", errors="replace")[-_LOG_TAIL:].strip()

    def stop(self, patience: timedelta) -> None:
        """Shut down cleanly; after `patience` at once (the next start recovers)."""
        assert self._process is not None
        for how in (postgres_child.FAST_SHUTDOWN, _IMMEDIATE_SHUTDOWN, signal.SIGKILL):
            with suppress(subprocess.TimeoutExpired):
                self._process.send_signal(how)
                self._process.wait(patience.total_seconds())
                return

    def _launcher(self) -> list[str]:
        account = self._account
        numbers = (os.getpid(), account.uid, account.gid)
        return [sys.executable, "-I", "-S", postgres_child.__file__, *map(str, numbers)]

    def _keep(self) -> None:
        try:
            with self._log.open("ab") as log:
                self._process = subprocess.Popen(  # noqa: S603  # our own command, no shell
                    [*self._launcher(), *self._command],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd="/",
                    start_new_session=True,  # Ctrl-C is for KITTY, which stops us in its turn
                )
        except OSError as error:
            self._error = error
            return
        finally:
            self._spawned.set()
        self._process.wait()


def running_server(data: Path) -> int | None:
    """Return the process id of the server of that data folder, ours or not; None if none runs."""
    lines = _pid_file(data)
    with suppress(IndexError, ValueError):
        pid = int(lines[0])
        if pid > 0 and _serves(pid, data):
            return pid
    return None


def is_ready(data: Path, pid: int) -> bool:
    """Tell whether the server with that process id takes connections."""
    lines = _pid_file(data)
    return len(lines) > _STATUS_LINE and lines[0] == str(pid) and lines[_STATUS_LINE] == "ready"


def forget_dead_server(data: Path) -> None:
    """Let a new server take over the pid file of one that is known to be dead.

    PostgreSQL asks only whether a process of that id exists: one that nobody reaped, or that got
    the id of a dead server, would keep the new one out for ever.  The file stays, so PostgreSQL
    still looks whether workers of the dead server are at the data.
    """
    file = data / "postmaster.pid"
    with suppress(FileNotFoundError):
        lines = file.read_text(encoding="utf-8").splitlines()
        # The id of a server's own parent never counts as another server.
        file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n", encoding="utf-8")


def _pid_file(data: Path) -> list[str]:
    with suppress(FileNotFoundError):
        text = (data / "postmaster.pid").read_text(encoding="utf-8", errors="replace")
        return [line.strip() for line in text.splitlines()]
    return []


_PROC: Final = Path("/proc")


def _serves(pid: int, data: Path) -> bool:
    """Tell whether a live process of that id is the server of the data; ids are used again."""
    if _PROC.is_dir():
        with suppress(FileNotFoundError, ProcessLookupError):
            # A dead process that nobody has reaped yet has an empty command line.
            words = (_PROC / str(pid) / "cmdline").read_bytes().split(b"\0")
            return words[0].endswith(b"postgres") and os.fsencode(data) in words
        return False
    with suppress(ProcessLookupError):
        with suppress(PermissionError):
            os.kill(pid, 0)
        return True
    return False
