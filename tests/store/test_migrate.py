"""Migrations run once, in order, and nobody edits one that has run."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from infra.db import StoreUnavailableError
from infra.migrate import (
    MIGRATIONS,
    ChangedMigrationError,
    FailedMigrationError,
    MigrationError,
    NewerDatabaseError,
    migrate,
    read_migrations,
)
from infra.postgres import EmbeddedPostgres


@pytest.fixture
def empty(cluster: EmbeddedPostgres) -> Iterator[str]:
    name = sql.Identifier(f"empty_{uuid4().hex}")
    with psycopg.connect(cluster.dsn_of("postgres"), autocommit=True) as admin:
        admin.execute(sql.SQL("create database {}").format(name))
        yield cluster.dsn_of(name.as_string().strip('"'))
        admin.execute(sql.SQL("drop database {} with (force)").format(name))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "0001_one.sql").write_text("create table one (a integer);")
    (tmp_path / "0002_two.sql").write_text("create table two (a integer);")
    return tmp_path


def _tables(dsn: str) -> set[str]:
    with psycopg.connect(dsn) as connection:
        return {
            name
            for (name,) in connection.execute(
                "select tablename from pg_tables where schemaname = 'public'"
            )
        } - {"schema_migrations"}


def test_what_is_missing_is_applied_once(empty: str, folder: Path) -> None:
    assert migrate(empty, folder) == ["0001_one.sql", "0002_two.sql"]
    assert migrate(empty, folder) == []
    (folder / "0003_three.sql").write_text("create table three (a integer);")
    assert migrate(empty, folder) == ["0003_three.sql"]
    assert _tables(empty) == {"one", "two", "three"}


def test_a_changed_file_is_refused(empty: str, folder: Path) -> None:
    migrate(empty, folder)
    (folder / "0001_one.sql").write_text("create table one (a bigint);")
    (folder / "0003_three.sql").write_text("create table three (a integer);")
    with pytest.raises(ChangedMigrationError, match=r"0001_one\.sql was changed after") as refused:
        migrate(empty, folder)
    assert refused.value.code == "migration_changed"
    assert "new migration" in str(refused.value)
    assert "three" not in _tables(empty)


def test_a_newer_database_is_refused(empty: str, folder: Path) -> None:
    migrate(empty, folder)
    (folder / "0002_two.sql").unlink()
    with pytest.raises(NewerDatabaseError, match=r"newer KITTY: it has 0002_two\.sql") as refused:
        migrate(empty, folder)
    assert refused.value.code == "database_newer"


def test_a_failed_migration_leaves_nothing_behind(empty: str, folder: Path) -> None:
    broken = folder / "0003_three.sql"
    broken.write_text("create table three (a integer); select 1 / 0;")
    with pytest.raises(FailedMigrationError, match=r"0003_three\.sql failed and was undone"):
        migrate(empty, folder)
    assert _tables(empty) == {"one", "two"}
    broken.write_text("create table three (a integer);")
    assert migrate(empty, folder) == ["0003_three.sql"]


def test_processes_that_start_at_once_wait_for_one_another(empty: str) -> None:
    with ThreadPoolExecutor(6) as threads:
        applied = list(threads.map(migrate, [empty] * 6))
    everything = [each.name for each in read_migrations()]
    assert sorted(applied, key=len) == [[]] * 5 + [everything]


@pytest.mark.parametrize("name", ["0003_Three.sql", "three.sql", "0004_four.sql", "0002_again.sql"])
def test_a_badly_numbered_file_is_refused(folder: Path, name: str) -> None:
    (folder / name).write_text("select 1;")
    with pytest.raises(MigrationError, match="numbers go up by one"):
        read_migrations(folder)


def test_a_database_that_does_not_answer(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailableError, match="does not answer") as refused:
        migrate(f"host={tmp_path} dbname=kitty user=postgres")
    assert refused.value.code == "store_unavailable"


def test_the_files_are_in_the_package() -> None:
    assert MIGRATIONS.parent.name == "infra"
    assert len(read_migrations()) == len(list(MIGRATIONS.iterdir()))
