"""What the log costs: a million entries checked, and one more inserted."""

import hashlib
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from audit.gatelog import add
from audit.logs import KEY, LOG, entry
from cryptography.hazmat.primitives import serialization

from safety.audit.checkpoint import Checkpoint, sign, spki_of
from safety.audit.entries import Header, genesis, sealed
from safety.audit.merkle import Tree

ENTRIES = 1_000_000
EVERY = 1_000
"""Entries between two checkpoints: a minute of a very busy shop."""
BUDGET = 10.0
"""CPU seconds for the million."""
MEMORY = 150
"""MiB that the check may take."""
INSERT = 0.3
"""Milliseconds that the chain may add to an insert."""
CHECK = """
import json, resource, sys, time
from pathlib import Path
from safety.audit.checkpoint import load_pem, read_checkpoints
from safety.audit.verify import verify
file, copies, key = map(Path, sys.argv[1:])
with copies.open("rb") as source:
    outside = list(read_checkpoints(source, "copies"))
start = time.process_time()
with file.open("rb") as source:
    verdict = verify(source, key=load_pem(key.read_bytes()), outside=outside)
cpu = time.process_time() - start
print(json.dumps([verdict.code, verdict.entries, verdict.inside, verdict.outside, cpu,
                  resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""
pytestmark = pytest.mark.slow


def lines() -> Iterator[tuple[bytes, bool]]:
    """Yield the lines of a long log, and whether each is a checkpoint."""
    yield (
        Header(
            log=LOG, spki=spki_of(KEY.public_key()), first=1, head=genesis(LOG), peaks=()
        ).line(),
        False,
    )
    head, tree, previous = genesis(LOG), Tree(), None
    for seq in range(1, ENTRIES + 1):
        text = entry(seq, head)
        head = hashlib.sha256(text.encode()).digest()
        yield sealed(text, head), False
        tree.extend([head])
        if seq % EVERY == 0:
            made = Checkpoint(
                log=LOG, size=seq, root=tree.root(), head=head,
                time="2026-03-02T09:00:00+00:00", previous=previous,
            )  # fmt: skip
            previous = made.digest()
            yield sign(made, KEY).line(), True


@pytest.mark.timeout(600)
def test_a_million_entries_in_ten_cpu_seconds(tmp_path: Path) -> None:
    file, copies, key = (tmp_path / name for name in ("log.jsonl", "copies.jsonl", "log.pub"))
    hashing = 0.0
    with file.open("wb") as out, copies.open("wb") as kept:
        for line, checkpoint in lines():
            out.write(line)
            if checkpoint:
                kept.write(line)
    key.write_bytes(
        KEY.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    with file.open("rb") as source:
        start = time.process_time()
        for line in source:
            hashlib.sha256(line).digest()
        hashing = time.process_time() - start
    size = file.stat().st_size / ENTRIES
    done = subprocess.run(
        [sys.executable, "-c", CHECK, *map(str, (file, copies, key))],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=300, check=True,
    )  # fmt: skip
    file.unlink()
    code, entries, inside, outside, cpu, memory = json.loads(done.stdout)
    print(
        f"\n{entries} entries of {size:.0f} bytes, {inside} checkpoints: {cpu:.2f} CPU-s, "
        f"{cpu / hashing:.1f} times the mere hashing of the lines ({hashing:.2f} CPU-s), "
        f"{memory:.0f} MiB"
    )
    assert (code, entries, inside, outside) == ("intact", ENTRIES, 1_000, 1_000)
    assert cpu <= BUDGET
    assert memory <= MEMORY


def test_the_chain_adds_little_to_an_insert(database: str) -> None:
    def one_round(connection: psycopg.Connection, *, chained: bool) -> float:
        able = "enable" if chained else "disable"
        connection.execute(f"alter table gate_log {able} trigger gate_log_chained")
        start = time.perf_counter()
        add(connection, 300)
        return (time.perf_counter() - start) / 300 * 1_000

    with psycopg.connect(database, autocommit=True) as connection:
        add(connection, 1_000)
        pairs = [
            (one_round(connection, chained=False), one_round(connection, chained=True))
            for _ in range(15)
        ]
    bare, chained = (statistics.median(each) for each in zip(*pairs, strict=True))
    print(f"\ninsert: {bare:.3f} ms bare, {chained:.3f} ms chained, {chained - bare:.3f} ms more")
    assert chained - bare <= INSERT
