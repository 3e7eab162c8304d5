"""Every tampering is found, and found at its place; lesser checks miss what they must miss."""

import hashlib
import io
import json
from collections import Counter
from random import Random

import pytest
from audit.logs import KEY, KINDS, LOG, Log, Tampered, make

from safety.audit.entries import SEAL, genesis
from safety.audit.verdict import Status, Verdict
from safety.audit.verify import verify

EVERY = 32
"""Entries between two checkpoints."""


@pytest.fixture(scope="module")
def log() -> Log:
    return make(300, EVERY)


def checked(log: Log, tampered: Tampered) -> Verdict:
    return verify(tampered.source(), key=KEY.public_key(), outside=log.outside)


def test_an_intact_log_is_intact(log: Log) -> None:
    verdict = verify(io.BytesIO(log.written()), key=KEY.public_key(), outside=log.outside)
    assert (verdict.status, verdict.entries, verdict.sealed) == (Status.INTACT, 300, 300)
    assert (verdict.inside, verdict.outside, verdict.log) == (10, 10, LOG)


def hunt(log: Log, seed: int, rounds: int) -> None:
    chance, found = Random(seed), Counter[str]()
    for number in range(rounds):
        for kind, tamper in KINDS.items():
            tampered = tamper(log, chance)
            assert tampered.data != log.written(), (kind, number)
            verdict = checked(log, tampered)
            about = (kind, number, tampered.truth, verdict)
            assert verdict.status is Status.TAMPERED, about
            assert verdict.first is not None, about
            assert verdict.last is not None, about
            assert verdict.first <= tampered.truth <= verdict.last, about
            assert verdict.last - verdict.first <= (0 if tampered.exact else EVERY), about
            found[kind] += 1
    assert found == dict.fromkeys(KINDS, rounds)


def test_seven_hundred_tamperings_are_found_at_their_place(log: Log) -> None:
    hunt(log, seed=1, rounds=100)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_ten_thousand_tamperings_are_found_at_their_place(log: Log) -> None:
    hunt(log, seed=2, rounds=1_429)


def _entries(data: bytes) -> list[bytes]:
    return [line for line in data.splitlines(keepends=True) if line.startswith(b'{"prev":')]


def chain_alone_is_content(data: bytes) -> bool:
    """Check the chain and nothing else: what a log without checkpoints can do."""
    head = genesis(LOG).hex().encode()
    for line in _entries(data):
        stated = line[-67:-3]
        computed = hashlib.sha256(line[:-SEAL] + b"}").hexdigest().encode()
        if stated != computed or not line.startswith(b'{"prev":"' + head):
            return False
        head = computed
    return True


def no_chain_is_content(data: bytes) -> bool:
    """Check what a table of rows can: numbers that go up by one, and readable rows."""
    try:
        numbers = [json.loads(line)["seq"] for line in _entries(data)]
    except (ValueError, KeyError):
        return False
    return numbers == list(range(1, len(numbers) + 1))


def test_lesser_checks_miss_what_ours_finds(log: Log) -> None:
    chance, misses = Random(3), Counter[tuple[str, str]]()
    for kind, tamper in KINDS.items():
        for _ in range(60):
            tampered = tamper(log, chance)
            misses["chain", kind] += chain_alone_is_content(tampered.data)
            misses["rows", kind] += no_chain_is_content(tampered.data)
    assert misses["chain", "cut_end"] == 60
    assert misses["chain", "rewrite"] == 60
    assert misses["chain", "swap"] == 0
    assert misses["rows", "edit"] > 30
    assert misses["rows", "rewrite"] == 60
