"""The embedded server: started, adopted, stopped, killed and back, with nothing lost."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from infra import clock
from infra.postgres import EmbeddedPostgres
from infra.postgres_files import (
    Account,
    HomeNotUsableError,
    PostgresError,
    _copied,
    choose_account,
    find_binaries,
    make_private,
    prepare_home,
    socket_folder,
)
from infra.postgres_process import forget_dead_server, running_server

ROOT = Path(__file__).parents[2]
OWNER = """
import sys
from pathlib import Path
from infra.postgres import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]))
server.start()
print(server.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="kitty-pg-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def _wait(until: Callable[[], bool], seconds: float = 20) -> None:
    deadline, pause = clock.monotonic() + seconds, threading.Event()
    while not until():
        assert clock.monotonic() < deadline, "it did not happen in time"
        pause.wait(0.01)


def _owner(home: Path) -> subprocess.Popen[str]:
    """Start another process that runs the server of that home."""
    return subprocess.Popen(
        [sys.executable, "-c", OWNER, str(home)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _pid_of(owner: subprocess.Popen[str]) -> int:
    assert owner.stdout is not None
    return int(owner.stdout.readline())


def _end(owner: subprocess.Popen[str]) -> None:
    owner.kill()
    owner.communicate(timeout=20)


def test_start_write_stop_start_read(home: Path) -> None:
    server = EmbeddedPostgres(home)
    server.start()
    with psycopg.connect(server.dsn) as connection:
        assert connection.execute("show listen_addresses").fetchone() == ("",)
        assert connection.execute("show data_checksums").fetchone() == ("on",)
        connection.execute("create table kept as select 42 as a")
    first = server.pid
    server.stop()
    assert server.pid is None
    assert running_server(home / "pg18") is None
    with server:
        assert server.pid not in {None, first}
        with psycopg.connect(server.dsn) as connection:
            assert connection.execute("select a from kept").fetchone() == (42,)


def test_a_killed_server_comes_back_with_what_was_committed(home: Path) -> None:
    with EmbeddedPostgres(home) as server:
        assert server.ensure_running() is False
        with psycopg.connect(server.dsn, autocommit=True) as connection:
            connection.execute("create table kept as select 42 as a")
            for _ in range(3):
                assert server.pid is not None
                os.kill(server.pid, signal.SIGKILL)
                _wait(lambda: running_server(home / "pg18") is None)
                assert server.ensure_running() is True
                assert server.ensure_running() is False
        with psycopg.connect(server.dsn) as again:
            assert again.execute("select a from kept").fetchone() == (42,)


def test_a_running_server_is_adopted_and_left_running(home: Path) -> None:
    with EmbeddedPostgres(home) as first:
        second = EmbeddedPostgres(home)
        second.start()
        assert (second.pid, second.adopted, first.adopted) == (first.pid, True, False)
        second.stop()
        assert first.ensure_running() is False


def test_two_that_start_at_once_share_one_server(home: Path) -> None:
    servers = [EmbeddedPostgres(home) for _ in range(3)]
    with ThreadPoolExecutor(3) as threads:
        list(threads.map(EmbeddedPostgres.start, servers))
    try:
        assert len({server.pid for server in servers}) == 1
        assert sorted(server.adopted for server in servers) == [False, True, True]
    finally:
        for server in servers:
            server.stop()


def test_it_outlives_the_thread_that_started_it(home: Path) -> None:
    server = EmbeddedPostgres(home)
    starter = threading.Thread(target=server.start)
    starter.start()
    starter.join()
    try:
        with psycopg.connect(server.dsn) as connection:
            assert connection.execute("select 1").fetchone() == (1,)
        assert server.ensure_running() is False
    finally:
        server.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties a process to its parent")
def test_it_ends_with_its_owner_however_that_ends(home: Path) -> None:
    owner = _owner(home)
    pid = _pid_of(owner)
    assert running_server(home / "pg18") == pid
    _end(owner)
    _wait(lambda: running_server(home / "pg18") is None)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties a process to its parent")
def test_a_new_owner_takes_over_from_one_that_was_killed(home: Path) -> None:
    owner = _owner(home)
    pid = _pid_of(owner)
    with EmbeddedPostgres(home) as server:
        assert server.pid == pid
        _end(owner)
        _wait(lambda: running_server(home / "pg18") is None)
        assert server.ensure_running() is True
        assert not server.adopted
    assert running_server(home / "pg18") is None


def test_a_kill_in_the_middle_of_creation_is_no_harm(home: Path) -> None:
    unfinished = home / "pg18.new"
    unfinished.mkdir()
    (unfinished / "PG_VERSION").write_text("18\n")
    with EmbeddedPostgres(home) as server, psycopg.connect(server.dsn) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
    assert not unfinished.exists()


def test_the_id_of_a_dead_server_may_be_somebody_elses_now(home: Path) -> None:
    with EmbeddedPostgres(home):
        lines = (home / "pg18" / "postmaster.pid").read_text().splitlines()
    stale = home / "pg18" / "postmaster.pid"
    with subprocess.Popen(["/bin/sleep", "60"], user=choose_account().uid) as other:
        stale.write_text("\n".join([str(other.pid), *lines[1:]]) + "\n")
        assert running_server(home / "pg18") is None
        with EmbeddedPostgres(home) as server:
            assert server.pid != other.pid
        other.kill()


def test_something_else_in_the_place_of_the_data(home: Path) -> None:
    (home / "pg18").mkdir()
    (home / "pg18" / "notes.txt").write_text("mine")
    with pytest.raises(PostgresError, match="holds something that is not a database"):
        EmbeddedPostgres(home).start()
    assert (home / "pg18" / "notes.txt").read_text() == "mine"


def test_a_pid_file_that_makes_no_sense(home: Path) -> None:
    (home / "postmaster.pid").write_text("")
    assert running_server(home) is None
    (home / "postmaster.pid").write_text("what\n")
    assert running_server(home) is None
    forget_dead_server(home)
    assert (home / "postmaster.pid").read_text() == f"{os.getpid()}\n"


def test_binaries_in_a_closed_folder_are_copied_whole(home: Path) -> None:
    installed = find_binaries(home, choose_account())
    umask = os.umask(0o077)
    try:
        copied = _copied(installed, home / "postgres-copy")
    finally:
        os.umask(umask)
    assert copied.is_relative_to(home)
    account = choose_account()
    told = subprocess.check_output(
        [copied / "initdb", "--version"], user=account.uid, text=True, cwd="/"
    )
    assert "PostgreSQL) 18" in told
    assert _copied(installed, home / "postgres-copy") == copied


def test_a_new_home_can_be_entered_whatever_the_umask(home: Path) -> None:
    umask = os.umask(0o077)
    try:
        prepare_home(home / "kitty", choose_account())
    finally:
        os.umask(umask)
    assert (home / "kitty").stat().st_mode & 0o777 == 0o711


def test_a_long_path_still_has_a_short_socket(home: Path) -> None:
    deep = home / ("x" * 90) / "quite, deep"
    assert socket_folder(deep).parent == Path(tempfile.gettempdir())
    with EmbeddedPostgres(deep) as server, psycopg.connect(server.dsn) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
    assert not socket_folder(deep).exists()


def test_a_setting_it_does_not_know_is_said(home: Path) -> None:
    server = EmbeddedPostgres(home, settings={"shared_bufers": "1MB"})
    with pytest.raises(PostgresError, match="shared_bufers") as refused:
        server.start()
    assert refused.value.code == "postgres_failed"
    assert server.pid is None


def test_a_server_that_does_not_get_ready_is_stopped(home: Path) -> None:
    server = EmbeddedPostgres(home, start_timeout=timedelta(seconds=30))
    server.start()
    server.stop()
    hasty = EmbeddedPostgres(home, start_timeout=timedelta(0))
    with pytest.raises(PostgresError, match="was not ready after 0 s"):
        hasty.start()
    assert running_server(home / "pg18") is None


def test_a_home_that_the_databases_account_cannot_enter(home: Path) -> None:
    closed = home / "closed"
    closed.mkdir(mode=0o700)
    somebody = Account(uid=os.getuid() + 1, gid=os.getgid() + 1, name="nobody", dropped=True)
    with pytest.raises(HomeNotUsableError, match="KITTY_HOME") as refused:
        prepare_home(closed / "kitty", somebody)
    assert refused.value.code == "home_not_usable"
    assert repr(str(closed)) in str(refused.value)
    assert "'nobody'" in str(refused.value)


def test_a_home_that_cannot_be_made(home: Path) -> None:
    (home / "file").write_text("")
    for place in (home / "file", home / "file" / "kitty"):
        with pytest.raises(HomeNotUsableError, match="cannot be made"):
            prepare_home(place, choose_account())


def test_a_link_in_place_of_a_private_folder(home: Path) -> None:
    (home / "link").symlink_to(home)
    with pytest.raises(HomeNotUsableError, match="is a link"):
        make_private(home / "link", choose_account())
    assert home.stat().st_mode & 0o777 == 0o755
