"""Checkpoints: made when something was added, kept outside, told to others, never for a lie."""

import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from audit.gatelog import add, checked, exported
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from infra import clock
from infra.audit_checkpoints import TOPIC, Checkpoints, ContradictionError, Sealer
from infra.audit_files import AuditFiles, AuditFilesError
from infra.db import StorePool
from infra.mqtt_settings import BusUnavailableError
from infra.store.audit import AuditLog
from safety.audit.checkpoint import Signed, sign
from safety.audit.entries import genesis
from safety.audit.verdict import Status

pytestmark = pytest.mark.anyio


class Broker:
    """Keeps what was retained; can be away."""

    def __init__(self) -> None:
        self.away = False
        self.kept: list[bytes] = []

    async def publish(
        self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False
    ) -> None:
        if self.away:
            raise BusUnavailableError("away")
        assert (topic, qos, retain) == (TOPIC, 1, True)
        self.kept.append(payload)


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def writer(database: str):
    with psycopg.connect(database, autocommit=True) as connection:
        yield connection


@pytest.fixture
def files(tmp_path: Path) -> AuditFiles:
    return AuditFiles(tmp_path)


@pytest.fixture
def service(pool: StorePool, files: AuditFiles, broker: Broker) -> Checkpoints:
    return Checkpoints(log=AuditLog(pool), files=files, now=clock.now, carrier=broker)


def fresh(pool: StorePool, files: AuditFiles) -> Sealer:
    return Sealer(log=AuditLog(pool), files=files, now=clock.now)


async def test_only_what_is_new_is_sealed_and_told(
    service: Checkpoints, files: AuditFiles, broker: Broker, writer: psycopg.Connection[Any]
) -> None:
    await service.tick()
    await service.tick()
    assert [each.checkpoint.size for each in files.all()] == [0]
    add(writer, 3)
    await service.tick()
    add(writer, 4500)
    await service.close()
    made = list(files.all())
    assert [each.checkpoint.size for each in made] == [0, 3, 4503]
    assert made[0].checkpoint.head == genesis(made[0].checkpoint.log)
    assert [each.checkpoint.previous for each in made] == [
        None, made[0].checkpoint.digest(), made[1].checkpoint.digest(),
    ]  # fmt: skip
    assert [Signed.of(line) for line in broker.kept] == made
    assert (service.fault, service.size) == (None, 4503)


async def test_the_key_is_made_once_and_only_its_owner_can_read_it(
    service: Checkpoints, files: AuditFiles
) -> None:
    await service.tick()
    key = (files.folder / "log.key").read_bytes()
    assert stat.S_IMODE((files.folder / "log.key").stat().st_mode) == 0o600
    assert stat.S_IMODE(files.folder.stat().st_mode) == 0o700
    assert b"PRIVATE" not in (files.folder / "log.pub").read_bytes()
    assert (
        files.key().private_bytes_raw() == AuditFiles(files.folder.parent).key().private_bytes_raw()
    )
    assert (files.folder / "log.key").read_bytes() == key


async def test_what_the_broker_missed_it_hears_later(
    service: Checkpoints, broker: Broker, writer: psycopg.Connection[Any]
) -> None:
    broker.away = True
    add(writer)
    await service.tick()
    assert service.fault is None
    broker.away = False
    await service.tick()
    await service.tick()
    assert [Signed.of(line).checkpoint.size for line in broker.kept] == [1]


async def test_two_processes_make_one_line_of_checkpoints(
    pool: StorePool, files: AuditFiles, tmp_path: Path, writer: psycopg.Connection[Any]
) -> None:
    one, two = fresh(pool, files), fresh(pool, files)
    for number in range(6):
        add(writer, 3)
        signed, new = await (one, two)[number % 2].seal()
        assert (signed.checkpoint.size, new) == (3 * number + 3, True)
        assert (await (two, one)[number % 2].seal()) == (signed, False)
    verdict = checked(await exported(pool, tmp_path), tmp_path)
    assert (verdict.status, verdict.inside, verdict.outside) == (Status.INTACT, 6, 6)


async def test_half_a_line_of_a_crash_is_overwritten(
    pool: StorePool, files: AuditFiles, tmp_path: Path, writer: psycopg.Connection[Any]
) -> None:
    for torn in (b"", b'{"checkpoint":{"format"', b'{"checkpoint"'):
        add(writer)
        await fresh(pool, files).seal()
        with files.checkpoints.open("ab") as opened:
            opened.write(torn)
    add(writer)
    await fresh(pool, files).seal()
    assert checked(await exported(pool, tmp_path), tmp_path).outside == 4


async def test_a_later_part_is_exported_with_what_it_rests_on(
    pool: StorePool, files: AuditFiles, tmp_path: Path, writer: psycopg.Connection[Any]
) -> None:
    for _ in range(4):
        add(writer, 7)
        await fresh(pool, files).seal()
    for first in (1, 2, 8, 15, 28, 29):
        data = await exported(pool, tmp_path, first=first)
        verdict = checked(data, tmp_path, partial=True)
        assert (verdict.status, verdict.begins, verdict.entries) == (Status.INTACT, first, 28)
    assert checked(await exported(pool, tmp_path, first=8), tmp_path).code == "partial_file"


async def test_a_log_that_went_back_is_not_signed_for(
    service: Checkpoints, files: AuditFiles, broker: Broker, writer: psycopg.Connection[Any]
) -> None:
    add(writer, 5)
    await service.tick()
    before = files.checkpoints.read_bytes()
    writer.execute("set session_replication_role = replica")
    writer.execute("delete from gate_log_chain where seq = 5")
    await service.tick()
    assert service.fault is not None
    assert "the rest is gone" in service.fault
    assert files.checkpoints.read_bytes() == before
    assert len(broker.kept) == 1


async def test_a_chain_written_anew_is_seen_at_the_next_start(
    pool: StorePool, files: AuditFiles, writer: psycopg.Connection[Any]
) -> None:
    add(writer, 5)
    await fresh(pool, files).seal()
    writer.execute("set session_replication_role = replica")
    writer.execute("update gate_log_chain set hash = sha256('x') where seq = 2")
    with pytest.raises(ContradictionError, match="written anew"):
        await fresh(pool, files).seal()


async def test_another_database_is_not_signed_for(
    pool: StorePool, files: AuditFiles, writer: psycopg.Connection[Any]
) -> None:
    await fresh(pool, files).seal()
    writer.execute("set session_replication_role = replica")
    writer.execute("update gate_log_identity set id = gen_random_uuid()")
    with pytest.raises(ContradictionError, match="holds log"):
        await fresh(pool, files).seal()


async def test_checkpoints_that_somebody_else_signed_are_not_followed(
    pool: StorePool, files: AuditFiles, writer: psycopg.Connection[Any]
) -> None:
    add(writer)
    signed, _ = await fresh(pool, files).seal()
    forged = sign(signed.checkpoint, Ed25519PrivateKey.generate())
    files.checkpoints.write_bytes(forged.line())
    with pytest.raises(ContradictionError, match="not signed with the key"):
        await fresh(pool, files).seal()
    files.checkpoints.write_bytes(b"rubbish\n")
    with pytest.raises(AuditFilesError, match="was altered"):
        await fresh(pool, files).seal()


async def test_a_lost_key_is_said_and_nothing_is_signed(
    service: Checkpoints, files: AuditFiles
) -> None:
    files.folder.mkdir(parents=True)
    (files.folder / "log.key").write_bytes(b"not a key")
    await service.tick()
    assert service.fault is not None
    assert "not the log's key" in service.fault
    assert not files.checkpoints.exists()


async def test_times_are_those_of_the_clock_that_was_given(
    pool: StorePool, files: AuditFiles
) -> None:
    at = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
    signed, _ = await Sealer(log=AuditLog(pool), files=files, now=lambda: at).seal()
    assert signed.checkpoint.time == "2026-03-02T09:00:00.000000+00:00"
