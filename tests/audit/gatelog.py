"""The gate's log in a real database: written to, exported, tampered with."""

import io
from pathlib import Path
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from infra import clock
from infra.audit_checkpoints import Sealer
from infra.audit_export import Export, Part
from infra.audit_files import AuditFiles
from infra.db import StorePool
from infra.store.audit import AuditLog
from safety.audit.checkpoint import load_pem, read_checkpoints
from safety.audit.verdict import Verdict
from safety.audit.verify import verify

ADD = """
insert into gate_log (at, event_id, actor, action_kind, verdict, reason_code, detail,
                      correlation_id)
values (now(), gen_random_uuid(), gen_random_uuid(), 'UnlockDoor', %s, null, %s, %s)
"""


def add(connection: psycopg.Connection[Any], count: int = 1, verdict: str = "signed") -> None:
    for number in range(count):
        detail = Jsonb({"key": 'SHA256:"quoted\\"', "words": "größer\n\t\u2028☃", "n": number})
        connection.execute(ADD, (verdict, detail, f"c{number}"))


def sealer(pool: StorePool, home: Path) -> Sealer:
    return Sealer(log=AuditLog(pool), files=AuditFiles(home), now=clock.now)


async def exported(pool: StorePool, home: Path, first: int = 1, last: int | None = None) -> bytes:
    log = AuditLog(pool)
    if last is None:
        last = (await log.head()).size
    lines = Export(log, AuditFiles(home)).lines(Part(first=first, last=last))
    return b"".join([line async for line in lines])


def checked(data: bytes, home: Path, *, partial: bool = False) -> Verdict:
    """Check an export against the key and the checkpoints of a home."""
    folder = home / "audit"
    with (folder / "checkpoints.jsonl").open("rb") as source:
        outside = list(read_checkpoints(source, "copies"))
    key = load_pem((folder / "log.pub").read_bytes())
    return verify(io.BytesIO(data), key=key, outside=outside, partial=partial)
