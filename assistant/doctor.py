"""`kitt doctor`: what this machine has, what it lacks, why that matters, how to get it."""

import asyncio
import importlib.util
import os
import shutil
import sys
from collections.abc import Callable
from typing import Final, NamedTuple

from assistant import doctor_checks as checks
from assistant.doctor_table import Finding, State, exit_code, findings_text
from infra import clock
from infra.settings import Settings, SettingsError, from_process


class Extra(NamedTuple):
    """A library that gives KITTY more, and the extra of the distribution that brings it."""

    what: str
    module: str
    why: str
    how: str


class Program(NamedTuple):
    """A program that gives KITTY more."""

    what: str
    names: tuple[str, ...]
    why: str
    how: str


EXTRAS: Final = (
    Extra("CAD", "cadquery", "For designing parts (later).", "uv sync --extra cad"),
    Extra("Listening", "faster_whisper", "For free speech (later).", "uv sync --extra voice"),
    Extra("Listening (grammar)", "pocketsphinx", "For spoken commands (later).",
          "uv pip install pocketsphinx"),
    Extra("Speaking", "piper", "For spoken answers (later).", "uv sync --extra voice"),
    Extra("Local model", "llama_cpp", "For talk offline (later).", "uv sync --extra local-llm"),
    Extra("Frontier models", "litellm", "For online models (later).", "uv sync --extra frontier"),
)  # fmt: skip
PROGRAMS: Final = (
    Program("Chromium", ("chromium", "chromium-browser", "google-chrome", "chrome"),
            "The console's own tests run in it; people may use any browser.",
            "Install the package chromium."),
    Program("PrusaSlicer", ("prusa-slicer", "PrusaSlicer", "prusaslicer"),
            "For slicing designs (later).", "Install the package prusa-slicer."),
)  # fmt: skip


def extra(known: Extra) -> Finding:
    """Look whether a library is there, without loading it."""
    there = importlib.util.find_spec(known.module) is not None
    return _optional(known.what, known.module if there else None, known.why, known.how)


def program(known: Program, which: Callable[[str], str | None] = shutil.which) -> Finding:
    """Look whether a program is there, without starting it."""
    path = next((path for name in known.names if (path := which(name))), None)
    return _optional(known.what, path, known.why, known.how)


def _optional(what: str, found: str | None, why: str, how: str) -> Finding:
    return Finding(
        state=State.OK if found else State.MISSING,
        what=what,
        found=found or "not installed",
        why=why,
        how="" if found else how,
    )


async def examine(settings: Settings) -> list[Finding]:
    """Look at everything; takes at most a few seconds and changes nothing."""
    now = clock.now()
    root = os.geteuid() == 0
    database, broker, lab = await asyncio.gather(
        checks.database(settings.store.database_url, now),
        checks.broker(settings.broker),
        asyncio.to_thread(checks.lab, settings.lab),
    )
    return [
        checks.python(),
        checks.home(settings.store.home, root=root and settings.store.database_url is None),
        checks.clock_sane(now),
        *database,
        broker,
        checks.port(settings.http),
        lab,
        *map(extra, EXTRAS),
        *map(program, PROGRAMS),
    ]


def main() -> int:
    """Print what was found; return 1 if KITTY cannot work like this."""
    try:
        findings = asyncio.run(examine(from_process()))
    except SettingsError as error:
        findings = [
            checks.python(),
            Finding(
                state=State.PROBLEM,
                what="Settings",
                found=str(error),
                why="KITTY does not start with settings it cannot read.",
                how="Correct them; docs/settings.md lists them all.",
            ),
        ]
    width = shutil.get_terminal_size((100, 24)).columns
    sys.stdout.write(findings_text(findings, width=width) + "\n")
    return exit_code(findings)


if __name__ == "__main__":
    sys.exit(main())
