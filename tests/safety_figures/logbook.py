"""The gate's log: ten thousand tamperings of seven kinds, and a million entries checked."""

import json
import subprocess
import sys
import tempfile
from itertools import islice
from pathlib import Path
from random import Random

from audit.logs import KEY, KINDS, make
from audit.test_tampering import EVERY, chain_alone_is_content, checked
from bench.bench_audit import BUDGET, CHECK, ENTRIES, lines
from cryptography.hazmat.primitives import serialization
from fakes.processes import ROOT
from safety_figures.figure import Figure

from safety.audit.verdict import Status

SIZE = 300
"""Entries of the log that is tampered with."""
CHECKPOINT_EVERY = 1_000


def tampered(number: int) -> Figure:
    """Tamper with a log in seven ways, in turn."""
    log, chance = make(SIZE, EVERY), Random(7)
    untouched = log.written()
    found = located = content = 0
    for turn in range(number):
        case = list(KINDS.values())[turn % len(KINDS)](log, chance)
        assert case.data != untouched
        verdict = checked(log, case)
        found += verdict.status is Status.TAMPERED
        if verdict.first is not None and verdict.last is not None:
            near = verdict.last - verdict.first <= (0 if case.exact else EVERY)
            located += near and verdict.first <= case.truth <= verdict.last
        if turn < 700:
            content += chain_alone_is_content(case.data)
    return Figure(
        what="tamperings with the log, seven kinds",
        tried=number,
        goal="all found, all located",
        measured=f"{found} found, {located} located",
        met=found == located == number,
        naive=f"a hash chain alone: {content} of {min(number, 700)} missed",
        caught=content > 0,
    )


def long_log(entries: int) -> Figure:
    """Check a long log in a process of its own; in CPU seconds for a million entries."""
    with tempfile.TemporaryDirectory(prefix="kitty-figure-") as folder:
        file, copies, key = (Path(folder) / name for name in ("log", "copies", "key"))
        with file.open("wb") as out, copies.open("wb") as kept:
            for line, checkpoint in islice(lines(), 1 + entries + entries // CHECKPOINT_EVERY):
                out.write(line)
                if checkpoint:
                    kept.write(line)
        key.write_bytes(
            KEY.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        )
        intact = _check(file, copies, key)
        with file.open("r+b") as out:  # one bit, in the middle
            out.seek(file.stat().st_size // 2)
            byte = out.read(1)[0]
            out.seek(-1, 1)
            out.write(bytes([byte ^ 1]))
        broken = _check(file, copies, key)
    cpu = intact[4] * ENTRIES / entries
    return Figure(
        what="a long log checked, CPU-s for a million entries",
        tried=entries,
        goal=f"intact, <= {BUDGET:.0f} CPU-s",
        measured=f"{intact[0]}, {cpu:.1f} CPU-s, {intact[5]:.0f} MiB",
        met=intact[:2] == ["intact", entries] and cpu <= BUDGET,
        naive=f"one bit of it changed: {broken[0]}",
        caught=broken[0] != "intact",
    )


def _check(file: Path, copies: Path, key: Path) -> list[object]:
    done = subprocess.run(
        [sys.executable, "-c", CHECK, *map(str, (file, copies, key))],
        cwd=ROOT, capture_output=True, text=True, timeout=600, check=True,
    )  # fmt: skip
    found: list[object] = json.loads(done.stdout)
    return found
