"""The chain in the database: nobody forgets it, nothing breaks it, changes behind it show."""

import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

import psycopg
import pytest
from audit.gatelog import add, checked, exported, sealer
from psycopg import sql

from infra import clock
from infra.audit_checkpoints import ContradictionError
from infra.db import StorePool, open_pool
from infra.migrate import MIGRATIONS, migrate
from infra.postgres import EmbeddedPostgres
from infra.postgres_process import running_server
from safety.audit.verdict import Status

pytestmark = pytest.mark.anyio
GAPS = """
select count(*), coalesce(min(seq), 1), coalesce(max(seq), 0),
       count(*) filter (where prev_hash is distinct from before and seq > 1),
       (select count(*) from gate_log)
from (select *, lag(hash) over (order by seq) as before from gate_log_chain) c
"""


@pytest.fixture
def writer(database: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database, autocommit=True) as connection:
        yield connection


def gapless(connection: psycopg.Connection[Any]) -> int:
    """Return the length of the chain after checking that it is one."""
    row = connection.execute(GAPS).fetchone()
    assert row is not None
    count, first, last, broken, entries = row
    assert (first, last, broken, entries) == (1, count, 0, count)
    return int(count)


async def test_what_the_database_chains_the_check_accepts(
    pool: StorePool, writer: psycopg.Connection[Any], tmp_path: Path
) -> None:
    add(writer, 5)
    writer.execute("insert into gate_log (at, verdict) values ('1999-12-31T23:59:59Z', 'x')")
    writer.execute("set timezone = 'Asia/Kathmandu'")
    writer.execute("set datestyle = 'German, DMY'")
    add(writer, 5)
    signed, new = await sealer(pool, tmp_path).seal()
    assert (signed.checkpoint.size, new) == (11, True)
    data = await exported(pool, tmp_path)
    verdict = checked(data, tmp_path)
    assert (verdict.status, verdict.entries, verdict.inside) == (Status.INTACT, 11, 1)
    assert '"words": "größer\\n\\t\u2028☃"'.encode() in data
    assert b'"at":"1999-12-31T23:59:59.000000Z"' in data


def test_many_writers_make_one_chain(database: str) -> None:
    def write(seed: int) -> int:
        chance, kept = Random(seed), 0
        with psycopg.connect(database) as connection:
            for _ in range(40):
                count = chance.randrange(1, 4)
                add(connection, count)
                if chance.random() < 0.25:
                    connection.rollback()
                else:
                    connection.commit()
                    kept += count
        return kept

    with ThreadPoolExecutor(8) as threads:
        kept = sum(threads.map(write, range(8)))
    with psycopg.connect(database) as connection:
        assert gapless(connection) == kept


def test_writers_never_wait_for_one_another_in_a_ring(database: str) -> None:
    """The log's lock is taken at the commit: after every other lock, so there is no deadlock."""
    with psycopg.connect(database) as one, psycopg.connect(database) as two:
        one.execute("create table things (id int primary key, n int)")
        one.execute("insert into things values (1, 0)")
        one.commit()
        add(one)
        two.execute("update things set n = 1")
        add(two)
        with ThreadPoolExecutor(1) as thread:
            waiting = thread.submit(one.execute, "update things set n = 2")
            two.commit()
            waiting.result(timeout=20)
        one.commit()
        assert gapless(one) == 2


@pytest.fixture
def own_home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="kitty-audit-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


async def test_a_killed_database_keeps_a_valid_chain(own_home: Path, tmp_path: Path) -> None:
    with EmbeddedPostgres(own_home) as server:
        migrate(server.dsn)
        committed = sum(_write_until_killed(server, own_home) for _ in range(3))
        with psycopg.connect(server.dsn, autocommit=True) as connection:
            kept = gapless(connection)
            assert kept >= committed > 0
            add(connection)
        async with open_pool(server.dsn, min_size=1, max_size=2) as pool:
            await sealer(pool, tmp_path).seal()
            verdict = checked(await exported(pool, tmp_path), tmp_path)
        assert (verdict.status, verdict.entries) == (Status.INTACT, kept + 1)


def _write_until_killed(server: EmbeddedPostgres, home: Path) -> int:
    """Write from four connections, kill the server meanwhile; return what was confirmed."""
    enough, confirmed = threading.Event(), [0] * 4

    def write(number: int) -> None:
        try:
            with psycopg.connect(server.dsn, autocommit=True) as connection:
                while True:
                    add(connection)
                    confirmed[number] += 1
                    if confirmed[number] == 10:
                        enough.set()
        except psycopg.OperationalError:
            return

    with ThreadPoolExecutor(4) as threads:
        for number in range(4):
            threads.submit(write, number)
        assert enough.wait(30)
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
    deadline, pause = clock.monotonic() + 20, threading.Event()
    while running_server(home / "pg18") is not None:
        assert clock.monotonic() < deadline
        pause.wait(0.01)
    server.ensure_running()
    return sum(confirmed)


def test_entries_from_before_are_chained_by_the_migration(
    cluster: EmbeddedPostgres, tmp_path: Path
) -> None:
    old = tmp_path / "old"
    old.mkdir()
    for path in sorted(MIGRATIONS.glob("*.sql")):
        if int(path.name[:4]) < 9:
            (old / path.name).write_bytes(path.read_bytes())
    with psycopg.connect(cluster.dsn_of("postgres"), autocommit=True) as admin:
        admin.execute("create database before_audit")
        dsn = cluster.dsn_of("before_audit")
        try:
            migrate(dsn, old)
            with psycopg.connect(dsn, autocommit=True) as connection:
                add(connection, 7)
                with connection.transaction(force_rollback=True):
                    add(connection)
                add(connection, 2)
            migrate(dsn)
            with psycopg.connect(dsn, autocommit=True) as connection:
                assert gapless(connection) == 9
                add(connection)
                assert gapless(connection) == 10
                match = connection.execute(
                    """select bool_and(c.hash = sha256(convert_to(
                           gate_log_entry(g, c.seq, c.prev_hash), 'UTF8')))
                       from gate_log g join gate_log_chain c on c.entry = g.seq"""
                ).fetchone()
                assert match == (True,)
        finally:
            admin.execute("drop database before_audit with (force)")


def test_every_column_of_the_log_is_under_the_hash(writer: psycopg.Connection[Any]) -> None:
    """A column added to the log needs a new form of the entry: say so here, loudly."""
    columns = {
        name
        for (name,) in writer.execute(
            "select column_name from information_schema.columns where table_name = 'gate_log'"
        )
    }
    assert columns == {
        "seq", "at", "event_id", "command_id", "actor", "action_kind", "device_id", "verdict",
        "reason_code", "detail", "correlation_id",
    }  # fmt: skip


def test_an_entry_too_large_to_be_checked_is_refused(writer: psycopg.Connection[Any]) -> None:
    with pytest.raises(psycopg.errors.CheckViolation) as caught:
        add(writer, verdict="x" * 600_000)
    assert caught.value.diag.constraint_name == "gate_log_size"
    assert gapless(writer) == 0


@pytest.mark.parametrize(
    "statement",
    [
        "update gate_log_chain set hash = prev_hash",
        "delete from gate_log_chain",
        "truncate gate_log_chain",
        "update gate_log_identity set id = gen_random_uuid()",
        "delete from gate_log_identity",
        "truncate gate_log_identity",
        "insert into gate_log_identity (id) values (gen_random_uuid())",
    ],
)
def test_the_chain_only_grows(writer: psycopg.Connection[Any], statement: str) -> None:
    add(writer)
    with pytest.raises((psycopg.errors.CheckViolation, psycopg.errors.UniqueViolation)):
        writer.execute(statement)  # type: ignore[call-overload]


def owner_of_its_own() -> str:
    """Return the statements of docs/audit.md."""
    page = (Path(__file__).parents[2] / "docs/audit.md").read_text(encoding="utf-8")
    return page.partition("```sql\n")[2].partition("```")[0]


@pytest.mark.parametrize(
    "statement",
    [
        "update gate_log set verdict = 'x'",
        "delete from gate_log",
        "truncate gate_log",
        "alter table gate_log disable trigger all",
        "drop trigger gate_log_chained on gate_log",
        "insert into gate_log_chain values (99, 99, sha256(''), sha256(''))",
        "update gate_log_chain set hash = sha256('')",
        "insert into gate_log_identity values (gen_random_uuid())",
        "set session_replication_role = replica",
        "create or replace function gate_log_chained() returns trigger language sql as ''",
        "create or replace function refuse() returns trigger language sql as ''",
        "drop function gate_log_genesis()",
    ],
)
def test_a_role_of_its_own_can_only_add(writer: psycopg.Connection[Any], statement: str) -> None:
    """The statements of docs/audit.md for an external database do what they say."""
    with writer.transaction(force_rollback=True):
        writer.execute("create role kitty nologin")
        writer.execute(owner_of_its_own())  # type: ignore[call-overload]
        writer.execute("set local role kitty")
        add(writer, 2)
        writer.execute("set constraints all immediate")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            writer.execute(statement)  # type: ignore[call-overload]


def test_a_temporary_table_does_not_stand_in_for_the_chain(
    writer: psycopg.Connection[Any],
) -> None:
    writer.execute("create temporary table gate_log_chain (like public.gate_log_chain)")
    add(writer, 2)
    count = "select count(*) from {}.gate_log_chain"
    counted = [
        writer.execute(sql.SQL(count).format(sql.Identifier(schema))).fetchone()
        for schema in ("pg_temp", "public")
    ]
    assert counted == [(0,), (2,)]


# -- who may do anything, changes the log behind the triggers' backs ------------------------

ATTACKS = {
    "edited": ("update gate_log set verdict = 'approved' where seq = 15", 15),
    "unchained": ("insert into gate_log (at, verdict) values (now(), 'approved')", 31),
    "missing": ("delete from gate_log where seq = 15", 15),
    "cut_at_start": (
        "delete from gate_log where seq < 5; delete from gate_log_chain where seq < 5", 1,
    ),
    "cut_at_end": (
        "delete from gate_log where seq > 25; delete from gate_log_chain where seq > 25", 26,
    ),
    "out_of_order": (
        """update gate_log_chain set entry = -entry where seq in (7, 8);
           update gate_log_chain set entry = case seq when 7 then 8 else 7 end where seq in (7, 8)
        """, 7,
    ),
    "rewritten": (
        """update gate_log set verdict = 'approved' where seq = 15;
           do $$ declare c record; before bytea; begin
           select prev_hash into before from gate_log_chain where seq = 15;
           for c in select k.seq, k.entry from gate_log_chain k where k.seq >= 15 order by seq loop
             update gate_log_chain k set prev_hash = before, hash = sha256(convert_to(
               gate_log_entry(g, c.seq, before), 'UTF8')) from gate_log g
             where k.seq = c.seq and g.seq = c.entry returning k.hash into before;
           end loop; end $$""", 15,
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", ATTACKS)
async def test_changes_behind_the_database_are_found(
    kind: str, pool: StorePool, writer: psycopg.Connection[Any], tmp_path: Path
) -> None:
    for _ in range(3):
        add(writer, 10)
        await sealer(pool, tmp_path).seal()
    assert checked(await exported(pool, tmp_path), tmp_path).status is Status.INTACT
    attack, truth = ATTACKS[kind]
    writer.execute("set session_replication_role = replica")
    writer.execute(attack)  # type: ignore[call-overload]
    verdict = checked(await exported(pool, tmp_path), tmp_path)
    assert verdict.status is Status.TAMPERED
    # Rows that change places in the chain look like two edits: each has the other's words.
    expected = {"out_of_order": "edited", "cut_at_end": "missing"}.get(kind, kind)
    assert verdict.code == expected
    assert verdict.first is not None
    assert verdict.last is not None
    assert verdict.first <= truth <= verdict.last
    if kind in {"cut_at_start", "cut_at_end", "rewritten"}:
        writer.execute("set session_replication_role = origin")
        add(writer)
        with pytest.raises(ContradictionError):
            await sealer(pool, tmp_path).seal()
