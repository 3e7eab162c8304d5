"""Bring a database to the shape this version of KITTY needs.

The shape is written in `infra/migrations/NNNN_name.sql`.  Each file runs once, in a
transaction of its own, and is remembered with its SHA-256: an applied file is never edited,
a new one is added.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

import psycopg

from infra.db import StoreError, is_lost, unavailable

MIGRATIONS: Final = Path(__file__).parent / "migrations"
_FILE_NAME: Final = re.compile(r"(?P<version>[0-9]{4})_[a-z0-9_]+\.sql")
_LOCK: Final = 7_272_741
"""Advisory lock that processes starting at once wait for in turn."""
_LOCK_TIMEOUT: Final = "60s"

_HISTORY: Final = """
create table if not exists schema_migrations (
    version integer primary key,
    name text not null,
    sha256 text not null,
    applied_at timestamptz not null default now()
)
"""


class MigrationError(StoreError):
    """The database and this version of KITTY do not fit together."""

    code: ClassVar[str] = "migration_refused"


class ChangedMigrationError(MigrationError):
    """A migration file differs from what was applied."""

    code: ClassVar[str] = "migration_changed"


class NewerDatabaseError(MigrationError):
    """The database was made by a newer version."""

    code: ClassVar[str] = "database_newer"


class FailedMigrationError(MigrationError):
    """The database refused a migration; nothing of it was kept."""

    code: ClassVar[str] = "migration_failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One file of SQL."""

    version: int
    name: str
    sql: str
    sha256: str


def read_migrations(folder: Path = MIGRATIONS) -> tuple[Migration, ...]:
    """Read the files in order; raises MigrationError on a bad name or a gap."""
    found = []
    for expected, path in enumerate(sorted(folder.glob("*.sql")), start=1):
        match = _FILE_NAME.fullmatch(path.name)
        if match is None or int(match["version"]) != expected:
            raise MigrationError(
                f"migration {path.name!r} should be called {expected:04d}_<name>.sql: "
                "numbers go up by one, names are lower-case words"
            )
        sql = path.read_text(encoding="utf-8")
        sha256 = hashlib.sha256(sql.encode()).hexdigest()
        found.append(Migration(version=expected, name=path.name, sql=sql, sha256=sha256))
    return tuple(found)


def migrate(dsn: str, folder: Path = MIGRATIONS) -> list[str]:
    """Apply what is missing, oldest first, and return the names of the files applied.

    Raises StoreUnavailableError if the database does not answer and a MigrationError if it and
    the files disagree.  Safe to run from several processes at once.
    """
    wanted = read_migrations(folder)
    try:
        with psycopg.connect(dsn, autocommit=True, connect_timeout=10) as connection:
            return _migrate(connection, wanted)
    except psycopg.Error as error:
        if is_lost(error):
            raise unavailable(error) from error
        raise MigrationError(f"the database refused to be prepared: {error}") from error


def _migrate(connection: psycopg.Connection[Any], wanted: tuple[Migration, ...]) -> list[str]:
    connection.execute("select set_config('lock_timeout', %s, false)", (_LOCK_TIMEOUT,))
    connection.execute("select pg_advisory_lock(%s)", (_LOCK,))
    connection.execute("set client_min_messages = warning")
    connection.execute(_HISTORY)
    applied: dict[int, tuple[str, str]] = {
        version: (name, sha256)
        for version, name, sha256 in connection.execute(
            "select version, name, sha256 from schema_migrations order by version"
        )
    }
    _refuse_newer(applied, wanted)
    for each in wanted:
        _refuse_changed(each, applied.get(each.version))
    missing = [each for each in wanted if each.version not in applied]
    for each in missing:
        _apply(connection, each)
    return [each.name for each in missing]


def _refuse_newer(applied: dict[int, tuple[str, str]], wanted: tuple[Migration, ...]) -> None:
    unknown = applied.keys() - {each.version for each in wanted}
    if unknown:
        name, _ = applied[max(unknown)]
        raise NewerDatabaseError(
            f"the database was made by a newer KITTY: it has {name}, and this one knows only "
            f"{len(wanted)} migrations. Start the newer KITTY, or restore a backup made before it"
        )


def _refuse_changed(migration: Migration, applied: tuple[str, str] | None) -> None:
    if applied is not None and applied[1] != migration.sha256:
        raise ChangedMigrationError(
            f"migration {migration.name} was changed after it was applied (SHA-256 "
            f"{migration.sha256[:12]}, applied {applied[1][:12]}). Put the file back as it was "
            "and write the change as a new migration"
        )


def _apply(connection: psycopg.Connection[Any], migration: Migration) -> None:
    try:
        with connection.transaction():
            connection.execute(migration.sql)
            connection.execute(
                "insert into schema_migrations (version, name, sha256) values (%s, %s, %s)",
                (migration.version, migration.name, migration.sha256),
            )
    except psycopg.Error as error:
        if is_lost(error):
            raise
        raise FailedMigrationError(
            f"migration {migration.name} failed and was undone: {error}"
        ) from error
