"""Child processes of tests: started, watched, killed, and nothing of them left behind."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, TypeVar

ROOT = Path(__file__).resolve().parents[2]
WITHIN = 60.0
"""Seconds: long enough for a busy machine, and far longer than anything should take."""
_PR_SET_CHILD_SUBREAPER = 36
T = TypeVar("T")


def until(condition: Callable[[], T], what: object = "", *, within: float = WITHIN) -> T:
    """Look every 20 ms until the condition holds; return what it returned.

    The one place where tests wait.  `what` is said when it never came true; may be a function.
    """
    limit = time.monotonic() + within
    while not (found := condition()):
        if time.monotonic() > limit:
            raise AssertionError(
                f"not within {within:.0f} s: {what() if callable(what) else what}; last {found!r}"
            )
        time.sleep(0.02)
    return found


def adopt_orphans() -> None:
    """Become the parent of children's children that lose theirs, so that they can be reaped."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)


def family(pid: int) -> list[int]:
    """Return the processes below a process, itself not included."""
    found = []
    with suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            for child in map(int, (thread / "children").read_text().split()):
                found += [child, *family(child)]
    return found


def lives(pid: int) -> bool:
    """Tell whether a process runs: one that has ended but was not reaped does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in {"Z", "X"}


def command_of(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    return ""


def gone(pids: Iterable[int], *, within: float = WITHIN) -> None:
    """Wait until none of these processes runs, and reap those that became ours."""
    pids = list(pids)

    def ended() -> bool:
        for pid in pids:
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        return not any(map(lives, pids))

    until(ended, lambda: [command_of(pid) for pid in pids if lives(pid)], within=within)


def cpu_seconds(pid: int) -> float:
    """Return the CPU time a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Child:
    """One process of ours, with everything that it starts."""

    def __init__(
        self,
        arguments: Sequence[object],
        *,
        log: Path,
        environment: dict[str, str] | None = None,
        folder: Path = ROOT,
    ) -> None:
        adopt_orphans()
        self._log = log
        with log.open("ab") as err:
            self._process = subprocess.Popen(
                [str(each) for each in arguments],
                cwd=folder,
                env={
                    **{k: v for k, v in os.environ.items() if not k.startswith("KITTY_")},
                    "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}",
                    **(environment or {}),
                },
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=err,
                start_new_session=True,
            )
        self.pid = self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    @property
    def code(self) -> int | None:
        """The exit code; None while it runs."""
        return self._process.poll()

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def line(self, *, within: float = WITHIN) -> str:
        """Return the next line of what it says on stdout."""
        out = self._out()
        os.set_blocking(out.fileno(), False)
        said = b""

        def complete() -> bool:
            nonlocal said
            said += out.read() or b""
            return b"\n" in said or not self.running

        until(complete, lambda: self.log()[-2000:], within=within)
        assert b"\n" in said, f"it ended with {self.code}: {self.log()[-3000:]}"
        return said.split(b"\n")[0].decode()

    def ended(self, *, within: float = WITHIN) -> int:
        """Wait for its end; return the exit code."""
        until(lambda: not self.running, lambda: command_of(self.pid), within=within)
        assert self.code is not None
        return self.code

    def kill(self, *, family_too: bool = True) -> None:
        """Kill -9; wait until what it had started has gone as well."""
        below = family(self.pid)
        self._process.kill()
        self._process.wait(WITHIN)
        if family_too:
            gone(below)

    def stop(self, how: signal.Signals = signal.SIGINT, *, within: float = WITHIN) -> int:
        """Ask it to end; return the exit code.  Nothing that it started may outlive it."""
        below = family(self.pid)
        if self.running:
            self._process.send_signal(how)
        try:
            code = self._process.wait(within)
            gone(below, within=10)
        finally:
            self.destroy(below)
        return code

    def destroy(self, below: Iterable[int] = ()) -> None:
        """End it and all that it started, whatever it takes."""
        victims = [*below, *family(self.pid)]
        if self.running:
            self._process.kill()
        self._process.wait(WITHIN)
        with suppress(AssertionError):
            gone(victims, within=10)  # a database that may end by itself leaves nothing in memory
        for pid in filter(lives, victims):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        gone(victims)
        self._out().close()

    def _out(self) -> IO[bytes]:
        assert self._process.stdout is not None
        return self._process.stdout
