"""Whatever is handed in as an export: a verdict with a code, never a crash."""

import io
import json
from dataclasses import replace
from random import Random

import pytest
from audit.logs import INTRUDER, KEY, LOG, Log, chained, digest, entry, make, signed_at
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st

from safety.audit.checkpoint import Signed, load_pem, read_checkpoints, sign, spki_of
from safety.audit.entries import MAX_LINE, FormatError, Header, Link, genesis, sealed
from safety.audit.merkle import Tree
from safety.audit.verdict import Verdict
from safety.audit.verify import verify


@pytest.fixture(scope="module")
def log() -> Log:
    return make(40, 10)


def of(data: bytes, **given: object) -> Verdict:
    return verify(io.BytesIO(data), **given)  # type: ignore[arg-type]


def said(verdict: Verdict) -> tuple[int, str]:
    return verdict.exit_code, verdict.code


def headed(log: Log, line: bytes) -> bytes:
    return line + log.written().partition(b"\n")[2]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"\n", "not_json"),
        (b"PK\x03\x04\n", "not_json"),
        (b"\xff\xfe\n", "not_utf8"),
        (b"[]\n", "not_json"),
        (b"[" * 10_000 + b"\n", "too_deep"),
        (b"{}\n", "wrong_format"),
        (b'{"format":"kitty.gate_log/2"}\n', "wrong_format"),
        (b'{"format":"kitty.gate_log/1"}\n', "bad_header"),
        (b'{"format":"kitty.gate_log/1","format":"kitty.gate_log/1"}\n', "duplicate_key"),
        (b'{"format":NaN}\n', "not_finite"),
        (b" " * 20_000 + b"\n", "line_too_long"),
    ],
)
def test_a_first_line_that_is_none(log: Log, line: bytes, code: str) -> None:
    assert said(of(headed(log, line))) == (2, code)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("log", "x"), ("log", 5), ("key", "?"), ("key", None), ("first", 0), ("first", True),
        ("first", 1.0), ("first", 10**30), ("head", "0" * 63), ("head", "0" * 64), ("peaks", {}),
        ("peaks", ["0" * 64]), ("extra", 1),
    ],
)  # fmt: skip
def test_a_header_with_a_wrong_member(log: Log, name: str, value: object) -> None:
    document = json.loads(log.header.line()) | {name: value}
    line = json.dumps(document, separators=(",", ":"), sort_keys=True).encode() + b"\n"
    assert said(of(headed(log, line))) == (2, "bad_header")


def test_nothing_at_all() -> None:
    assert said(of(b"")) == (2, "empty_file")


def test_a_header_with_a_key_of_another_kind(log: Log) -> None:
    header = replace(log.header, spki=b"not a key")
    assert said(of(headed(log, header.line()))) == (2, "bad_key")


def test_a_file_that_ends_inside_a_line(log: Log) -> None:
    data = log.written()
    assert said(of(data[:-1])) == (2, "truncated_file")
    assert said(of(data[: data.index(b'"seq":17,')])) == (2, "truncated_file")


def test_a_line_without_end(log: Log) -> None:
    verdict = of(log.written() + b"x" * (MAX_LINE + 1))
    assert said(verdict) == (2, "line_too_long")
    assert verdict.entries == 40


def test_an_empty_log_is_intact(log: Log) -> None:
    empty = replace(log, rows=(), checkpoints=signed_at([], [0]))
    assert said(of(empty.written(), key=KEY.public_key())) == (0, "intact")


def test_without_any_checkpoint_nothing_is_believed(log: Log) -> None:
    bare = replace(log, checkpoints=())
    assert said(of(bare.written())) == (1, "cut_at_end")
    assert said(of(bare.written(), outside=log.outside)) == (1, "cut_at_end")


# -- entries that are chained and sealed, and still not what they must be ------------------


def rechained(text: str) -> bytes:
    """Return a whole, sealed log whose second entry is this text."""
    first, hashes = chained([{}])
    filled = text.replace("PREV", hashes[0].hex())
    head = digest(filled)
    checkpoints = signed_at([*hashes, head], [2])
    header = Header(log=LOG, spki=spki_of(KEY.public_key()), first=1, head=genesis(LOG), peaks=())
    return Log(
        header=header, rows=(*first, sealed(filled, head)), checkpoints=checkpoints
    ).written()


PROPER = entry(2, b"").replace('"prev":""', '"prev":"PREV"')


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ('"verdict"', '"actor"', "duplicate_key"),
        ('"detail":{', '"detail":{"a":1,"a":2,', "duplicate_key"),
        ('"detail":{', '"detail":{"a":NaN,', "not_finite"),
        ('"detail":{', '"detail":{"a":-Infinity,', "not_finite"),
        ('"detail":{', '"detail":{"a":01,', "not_json"),
        ('"verdict"', '"Verdict"', "wrong_members"),
        ('"row":2,', "", "wrong_members"),
        ('"row":2,', '"row":2,"also":2,', "wrong_members"),
    ],
)
def test_a_sealed_entry_that_two_readers_could_read_differently(
    old: str, new: str, code: str
) -> None:
    assert old in PROPER
    verdict = of(rechained(PROPER.replace(old, new, 1)))
    assert (*said(verdict), verdict.first, verdict.last) == (1, code, 2, 2)


def test_numbers_longer_than_python_reads_are_fine() -> None:
    huge = PROPER.replace('"detail":{', '"detail":{"a":' + "9" * 5_000 + ',"b":1e999,', 1)
    assert said(of(rechained(huge))) == (0, "intact")


def test_a_sealed_entry_nested_too_deeply_cannot_be_checked() -> None:
    deep = PROPER.replace('"detail":{', '"detail":{"a":' + "[" * 5_000 + "]" * 5_000 + ",", 1)
    assert said(of(rechained(deep))) == (2, "too_deep")


def test_an_entry_that_was_never_chained(log: Log) -> None:
    verdict = of(log.written() + b'{"unchained":41}\n')
    assert said(verdict) == (1, "unchained")


# -- checkpoints and keys -------------------------------------------------------------------


def altered(log: Log, at: int, line: bytes) -> bytes:
    return log.written().replace(log.checkpoints[at].line(), line)


def test_checkpoints_in_the_file_are_checked(log: Log) -> None:
    first, second = log.checkpoints[:2]
    changed = replace(second.checkpoint, time="2026-03-02T10:11:00+00:00")
    cases = {
        "bad_checkpoint": b'{"checkpoint":{}}\n',
        "forged_checkpoint": sign(changed, INTRUDER).line(),
        "misplaced_checkpoint": sign(
            replace(first.checkpoint, previous=first.checkpoint.digest()), KEY
        ).line(),
        "missing": log.checkpoints[2].line(),
    }
    for code, line in cases.items():
        if code == "missing":
            data = log.written().replace(first.line(), line)
        else:
            data = altered(log, 1, line)
        assert said(of(data, key=KEY.public_key())) == (1, code)
    assert said(of(altered(log, 1, b""))) == (1, "missing_checkpoint")


def test_a_checkpoint_of_another_log_is_forged(log: Log) -> None:
    other = replace(log.checkpoints[1].checkpoint, log=type(LOG)(int=5))
    assert said(of(altered(log, 1, sign(other, KEY).line()))) == (1, "forged_checkpoint")
    outside = [sign(other, KEY)]
    assert said(of(log.written(), outside=outside)) == (2, "other_log")


def test_a_key_that_is_not_the_logs(log: Log) -> None:
    assert said(of(log.written(), key=INTRUDER.public_key())) == (2, "unknown_key")
    stranger = signed_at([bytes(32)] * 40, [10], INTRUDER)
    assert said(of(log.written(), outside=stranger)) == (2, "unknown_key")


def test_two_histories_signed_with_one_key(log: Log) -> None:
    _, hashes = chained([{"verdict": "other"}] * 40)
    verdict = of(log.written(), outside=[*log.outside, *signed_at(hashes, [20])])
    assert (*said(verdict), verdict.first, verdict.last) == (1, "rewritten", 20, 20)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"\n", "not_json"),
        (b"{}\n", "bad_checkpoint"),
        (b'{"checkpoint":{"size":-1}}\n', "bad_checkpoint"),
        (b"\xff\n", "not_utf8"),
        (b"{", "truncated_file"),
        (b"x" * 5_000, "line_too_long"),
    ],
)
def test_a_file_of_checkpoints_that_is_none(log: Log, line: bytes, code: str) -> None:
    data = log.checkpoints[0].line() + line
    with pytest.raises(FormatError, match="copies, line 2") as caught:
        list(read_checkpoints(io.BytesIO(data), "copies"))
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("name", "value"),
    [("size", True), ("size", 1.5), ("root", "00"), ("time", "2026-03-02"), ("previous", 0),
     ("format", "kitty.audit_checkpoint/2"), ("log", "{0f9e8d7c-0000-4000-8000-00000000000a}")],
)  # fmt: skip
def test_a_checkpoint_with_a_wrong_member(log: Log, name: str, value: object) -> None:
    document = json.loads(log.checkpoints[0].line())
    document["checkpoint"][name] = value
    line = json.dumps(document, separators=(",", ":"), sort_keys=True).encode()
    with pytest.raises(FormatError) as caught:
        Signed.of(line)
    assert caught.value.code == "bad_checkpoint"


def test_only_an_ed25519_public_key_is_a_key() -> None:
    pem = KEY.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    assert spki_of(load_pem(pem)) == spki_of(KEY.public_key())
    private = KEY.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )  # fmt: skip
    for wrong in (private, b"", b"x" * 9_999, pem[:-30]):
        with pytest.raises(FormatError) as caught:
            load_pem(wrong)
        assert caught.value.code == "bad_key"


# -- a later part only ----------------------------------------------------------------------


def part(log: Log, first: int) -> bytes:
    tree, hashes = Tree(), [bytes.fromhex(row[-67:-3].decode()) for row in log.rows]
    tree.extend(hashes[: first - 1])
    header = replace(log.header, first=first, head=hashes[first - 2], peaks=tree.peaks)
    kept = tuple(each for each in log.checkpoints if each.checkpoint.size >= first)
    return replace(log, header=header, rows=log.rows[first - 1 :], checkpoints=kept).written()


def test_a_later_part_must_be_asked_for(log: Log) -> None:
    data = part(log, 15)
    assert said(of(data, outside=log.outside)) == (2, "partial_file")
    verdict = of(data, outside=log.outside, partial=True)
    assert (*said(verdict), verdict.begins, verdict.entries) == (0, "intact", 15, 40)
    assert verdict.outside == 3


def test_a_later_part_with_a_forged_beginning(log: Log) -> None:
    header, rest = part(log, 15).split(b"\n", 1)
    forged = json.loads(header)
    forged["peaks"][0] = "0" * 64
    line = json.dumps(forged, separators=(",", ":"), sort_keys=True).encode() + b"\n"
    verdict = of(line + rest, partial=True)
    assert (*said(verdict), verdict.first, verdict.last) == (1, "rewritten", 15, 20)


# -- anything -------------------------------------------------------------------------------


@given(st.binary(max_size=400))
def test_any_bytes_get_a_verdict(data: bytes) -> None:
    assert of(data).exit_code == 2


@given(st.integers(0, 2**32))
def test_any_damage_gets_a_verdict(seed: int) -> None:
    chance, data = Random(seed), bytearray(SMALL)
    for _ in range(chance.randrange(1, 4)):
        at = chance.randrange(len(data))
        match chance.randrange(4):
            case 0:
                data[at] ^= 1 << chance.randrange(8)
            case 1:
                del data[at : at + chance.randrange(1, 900)]
            case 2:
                data[at:at] = chance.randbytes(chance.randrange(1, 9))
            case _:
                data[at:at] = data[at // 2 : at]
        if not data:
            break
    verdict = of(bytes(data), key=KEY.public_key())
    assert verdict.exit_code in ({0} if bytes(data) == SMALL else {1, 2})


@given(st.binary(max_size=300))
def test_any_line_is_an_entry_or_none(line: bytes) -> None:
    assert Link.of(line) is None


SMALL = make(12, 5).written()
