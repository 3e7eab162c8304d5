"""Exported logs, made without a database, and the seven ways of tampering with them."""

import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from safety.audit.checkpoint import Checkpoint, Signed, sign, spki_of
from safety.audit.entries import SEAL, Header, genesis, sealed
from safety.audit.merkle import Tree

LOG = UUID("0f9e8d7c-0000-4000-8000-00000000000a")
KEY = Ed25519PrivateKey.from_private_bytes(b"\x01" * 32)
INTRUDER = Ed25519PrivateKey.from_private_bytes(b"\x02" * 32)
VERDICTS = ("waits", "signed", "approved", "claimed", "done", "refused")


def entry(seq: int, prev: bytes, **over: object) -> str:
    """Write an entry as `gate_log_entry` in the database does."""
    values = {
        "row": seq,
        "at": f"2026-03-02T09:00:{seq % 60:02}.{seq % 1_000_000:06}Z",
        "event_id": f"3f2a1b7c-0000-4000-8000-{seq:012}",
        "command_id": None,
        "actor": "3f2a1b7c-0000-4000-8000-00000000beef",
        "action_kind": "UnlockDoor",
        "device_id": "3f2a1b7c-0000-4000-8000-00000000d00r".replace("r", "0"),
        "verdict": VERDICTS[seq % len(VERDICTS)],
        "reason_code": None,
        "detail": {"key": "SHA256:abcdefghijklmnop", "seconds": seq % 30},
        "correlation_id": f"c{seq}",
    } | over
    members = ",".join(f'"{name}":{json.dumps(value)}' for name, value in values.items())
    return f'{{"prev":"{prev.hex()}","seq":{seq},{members}}}'


def digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


@dataclass(frozen=True, kw_only=True)
class Log:
    """An export in its parts."""

    header: Header
    rows: tuple[bytes, ...]
    checkpoints: tuple[Signed, ...]
    outside: tuple[Signed, ...] = field(default=())

    def written(self, rows: tuple[bytes, ...] | None = None) -> bytes:
        """Write the file: each checkpoint behind the entry that it was made at."""
        at = {each.checkpoint.size: each for each in self.checkpoints}
        lines = [self.header.line()]
        if 0 in at:
            lines.append(at[0].line())
        for number, row in enumerate(self.rows if rows is None else rows, self.header.first):
            lines.append(row)
            if number in at:
                lines.append(at[number].line())
        return b"".join(lines)


def chained(texts: list[dict[str, object]], start: int = 1, prev: bytes | None = None):
    """Chain entries that differ from the usual ones in these members."""
    head, rows, hashes = prev or genesis(LOG), [], []
    for seq, over in enumerate(texts, start):
        text = entry(seq, head, **over)
        head = digest(text)
        rows.append(sealed(text, head))
        hashes.append(head)
    return tuple(rows), hashes


def signed_at(hashes: list[bytes], sizes: list[int], key: Ed25519PrivateKey = KEY):
    """Sign checkpoints of these sizes."""
    tree, made, previous = Tree(), [], None
    for size in sizes:
        tree.extend(hashes[tree.size : size])
        checkpoint = Checkpoint(
            log=LOG,
            size=size,
            root=tree.root(),
            head=hashes[size - 1] if size else genesis(LOG),
            time=f"2026-03-02T10:{size % 60:02}:00+00:00",
            previous=previous,
        )
        made.append(sign(checkpoint, key))
        previous = checkpoint.digest()
    return tuple(made)


def make(size: int, every: int = 32) -> Log:
    """Make an intact log; all its checkpoints are also kept elsewhere."""
    rows, hashes = chained([{}] * size)
    sizes = [*range(every, size, every), size]
    checkpoints = signed_at(hashes, sizes)
    header = Header(log=LOG, spki=spki_of(KEY.public_key()), first=1, head=genesis(LOG), peaks=())
    return Log(header=header, rows=rows, checkpoints=checkpoints, outside=checkpoints)


@dataclass(frozen=True, kw_only=True)
class Tampered:
    """A file that somebody worked on, and the number of the first entry that is wrong."""

    data: bytes
    truth: int
    exact: bool = True
    """Whether the check must name that very entry, not a stretch between checkpoints."""

    def source(self) -> io.BytesIO:
        return io.BytesIO(self.data)


def _hash_of(row: bytes) -> bytes:
    return bytes.fromhex(row[-67:-3].decode())


def _text_of(row: bytes) -> str:
    return row[:-SEAL].decode() + "}"


def _without_later_checkpoints(log: Log, size: int) -> Log:
    kept = tuple(each for each in log.checkpoints if each.checkpoint.size <= size)
    return replace(log, checkpoints=kept)


def edit(log: Log, chance: Random) -> Tampered:
    at = chance.randrange(len(log.rows))
    row, rows = log.rows[at], list(log.rows)
    way = chance.randrange(3)
    if way == 0:  # one bit, anywhere in the line
        data = bytearray(row)
        data[chance.randrange(len(row) - 1)] ^= 1 << chance.randrange(8)
        rows[at] = bytes(data)
    elif way == 1:  # another verdict
        rows[at] = row.replace(b'"verdict":"', b'"verdict":"x')
    else:  # another verdict, and a hash that fits it; it looks written anew since the last seal
        text = _text_of(row).replace('"verdict":"', '"verdict":"x')
        rows[at] = sealed(text, digest(text))
    return Tampered(data=log.written(tuple(rows)), truth=at + 1, exact=way < 2)


def insert(log: Log, chance: Random) -> Tampered:
    at = chance.randrange(len(log.rows))
    before = _hash_of(log.rows[at - 1]) if at else genesis(LOG)
    way = chance.randrange(3)
    if way == 0:  # an entry of our own that follows the one before
        text = entry(at + 1, before, verdict="approved by nobody")
        row = sealed(text, digest(text))
    elif way == 1:  # a copy of another
        row = log.rows[chance.randrange(len(log.rows))]
        if row == log.rows[at]:
            at += 1  # behind itself, as before itself, is the same file
    else:  # rubbish with a hash of rubbish
        row = sealed(entry(at + 1, before, verdict="approved by nobody"), chance.randbytes(32))
    lines = log.written().splitlines(keepends=True)
    place = next(
        (i for i, line in enumerate(lines) if at < len(log.rows) and line == log.rows[at]),
        len(lines),
    )
    lines.insert(place, row)
    return Tampered(data=b"".join(lines), truth=at + 1, exact=way != 1)


def delete(log: Log, chance: Random) -> Tampered:
    count = chance.choice([1, 1, 1, 2, 7])
    at = chance.randrange(1, len(log.rows) - count)
    gone = set(log.rows[at : at + count])
    lines = [line for line in log.written().splitlines(keepends=True) if line not in gone]
    return Tampered(data=b"".join(lines), truth=at + 1)


def swap(log: Log, chance: Random) -> Tampered:
    one = chance.randrange(len(log.rows) - 1)
    other = one + 1 if chance.random() < 0.5 else chance.randrange(one + 1, len(log.rows))
    rows = list(log.rows)
    rows[one], rows[other] = rows[other], rows[one]
    return Tampered(data=log.written(tuple(rows)), truth=one + 1)


def cut_end(log: Log, chance: Random) -> Tampered:
    """Cut entries off, with the checkpoints that would tell: what is left fits together."""
    sizes = [each.checkpoint.size for each in log.checkpoints[:-1]]
    left = chance.choice(sizes) if chance.random() < 0.5 else chance.randrange(len(log.rows))
    short = _without_later_checkpoints(log, left)
    return Tampered(data=short.written(log.rows[:left]), truth=left + 1, exact=False)


def cut_start(log: Log, chance: Random) -> Tampered:
    count = chance.randrange(1, len(log.rows) - 1)
    gone = set(log.rows[:count])
    lines = [line for line in log.written().splitlines(keepends=True) if line not in gone]
    if chance.random() < 0.5:  # and the checkpoints of what was cut off
        lost = {each.line() for each in log.checkpoints if each.checkpoint.size <= count}
        lines = [line for line in lines if line not in lost]
    return Tampered(data=b"".join(lines), truth=1)


def rewrite(log: Log, chance: Random) -> Tampered:
    """Change one entry and chain everything behind it anew."""
    at = chance.randrange(len(log.rows))
    texts: list[dict[str, object]] = [{} for _ in log.rows[at:]]
    texts[0] = {"verdict": "refused by nobody"}
    before = _hash_of(log.rows[at - 1]) if at else genesis(LOG)
    rows, _ = chained(texts, at + 1, before)
    forged = log.rows[:at] + rows
    way = chance.randrange(3)
    if way == 0:  # the old checkpoints are left
        return Tampered(data=log.written(forged), truth=at + 1, exact=False)
    sizes = [each.checkpoint.size for each in log.checkpoints]
    everything = [_hash_of(row) for row in forged]
    mine = signed_at(everything, sizes, INTRUDER)
    header = log.header
    if way == 2:  # and the intruder's own key in the header
        header = replace(header, spki=spki_of(INTRUDER.public_key()))
    else:  # the checkpoints are left out where they would tell
        mine = tuple(each for each in log.checkpoints if each.checkpoint.size <= at)
    data = replace(log, header=header, checkpoints=mine).written(forged)
    return Tampered(data=data, truth=at + 1, exact=False)


KINDS: dict[str, Callable[[Log, Random], Tampered]] = {
    "edit": edit,
    "insert": insert,
    "delete": delete,
    "swap": swap,
    "cut_end": cut_end,
    "cut_start": cut_start,
    "rewrite": rewrite,
}
