"""`kitt audit export`: write the gate's log to a file.

Loaded only when it runs (see app): it needs the database's libraries.
"""

import asyncio
import os
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import BinaryIO

import psycopg

from assistant.cli import screen
from assistant.cli.leave import Code, CommandError
from assistant.cli.session import alive, default_homes
from assistant.cli.words import WordsError, since
from infra import clock
from infra.audit_checkpoints import ContradictionError, Sealer
from infra.audit_export import Export, Part
from infra.audit_files import AuditFiles, AuditFilesError
from infra.db import StoreError, open_pool
from infra.postgres import DATA, EmbeddedPostgres
from infra.settings import Settings, SettingsError, from_process
from infra.store.audit import AuditLog


def export(*, back: str | None, out: Path | None, home: Path | None) -> Code:
    """Seal the log and write it to `out`, or to standard output."""
    settings = _settings(home or _running())
    url = settings.store.database_url
    if url is None and not (settings.store.home / DATA).exists():
        raise CommandError(
            f"there is no KITTY in {settings.store.home}. Say where it is with --home."
        )
    try:
        database = EmbeddedPostgres(settings.store.home) if url is None else None
        with database or nullcontext():
            dsn = database.dsn if database is not None else url.get_secret_value() if url else ""
            _to_file(dsn, settings.store.home, back, out)
    except StoreError as error:
        raise CommandError(f"{error}.") from None
    except psycopg.errors.UndefinedTable:
        raise CommandError(
            "the database has no chained log yet. Run `kitt migrate` first."
        ) from None
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        raise CommandError(f"the log cannot be written: {error.strerror}.") from None
    return Code.DONE


def _running() -> Path | None:
    """Return the home of the KITTY that runs here, if the settings name no home of their own."""
    usual = default_homes()
    if _settings(None).store.home != usual[0]:
        return None
    return next((home for home, _ in alive(usual)), None)


def _settings(home: Path | None) -> Settings:
    overrides = {} if home is None else {"store.home": home.absolute()}
    try:
        return from_process(overrides)
    except SettingsError as error:
        raise CommandError(str(error), Code.USAGE) from None


def _to_file(dsn: str, home: Path, back: str | None, out: Path | None) -> None:
    if out is None:
        asyncio.run(_write(dsn, home, back, sys.stdout.buffer))
        return
    draft = out.with_name(f".{out.name}.part")
    try:
        with draft.open("wb") as target:
            asyncio.run(_write(dsn, home, back, target))
        draft.replace(out)
    finally:
        draft.unlink(missing_ok=True)


async def _write(dsn: str, home: Path, back: str | None, target: BinaryIO) -> None:
    files = AuditFiles(home)
    async with open_pool(dsn, min_size=1, max_size=2) as pool:
        log = AuditLog(pool)
        try:
            signed, _ = await Sealer(log=log, files=files, now=clock.now).seal()
            last = signed.checkpoint.size
        except (ContradictionError, AuditFilesError) as error:
            screen.complain(f"warning: the log was not sealed: {error}.")
            last = (await log.head()).size
        part = Part(first=await _first(log, back, last), last=last)
        async for line in Export(log, files).lines(part):
            target.write(line)
        target.flush()
    screen.screen(stderr=True).print(f"Exported entries {part.first} to {part.last}.")


async def _first(log: AuditLog, back: str | None, last: int) -> int:
    if back is None:
        return 1
    try:
        start = since(back, clock.now())
    except WordsError as error:
        raise CommandError(f"{error}.", Code.USAGE) from None
    found = await log.first_since(start)
    return last + 1 if found is None else found
