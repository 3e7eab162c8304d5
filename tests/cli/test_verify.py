"""`kitt verify` and `kitt trust export`: exit codes that scripts can rely on."""

import base64
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cli.scripted import Kitt, Scripted
from fakes.edge import NOW, Bench

from infra.wire import CommandMessage
from safety.trust import read_trust

FINE = "2026-03-02T09:00:01+00:00"


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def files(bench: Bench, tmp_path: Path) -> dict[str, Any]:
    signed = bench.signed()
    told = {
        "v": 1,
        "command_id": signed.command.id,
        "device": signed.command.device,
        "intent": signed.command.intent,
        "payload": dict(signed.command.arguments),
        "issued_at": NOW.isoformat(),
        "deadline": signed.command.deadline.isoformat(),
        "correlation_id": "c",
        "safety_event_id": signed.command.event,
        "envelope": signed.envelope,
    }
    CommandMessage.decode(json.dumps(told).encode())
    (tmp_path / "trust.json").write_bytes(bench.trust.write())
    return told


def saved(folder: Path, content: Any) -> str:
    path = folder / "command.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return str(path)


def trust(folder: Path) -> tuple[str, str]:
    return "--trust", str(folder / "trust.json")


def test_a_good_command_would_be_obeyed(local: Kitt, files, tmp_path: Path) -> None:
    ran = local("verify", saved(tmp_path, files), *trust(tmp_path), "--now", FINE)
    assert ran.code == 0, ran
    assert '"emil", "sara"' in ran.out
    ran = local("verify", saved(tmp_path, files), *trust(tmp_path), "--now", FINE, "--json")
    assert json.loads(ran.out)["signed_by"] == ["emil", "sara"]
    alone = saved(tmp_path, files["envelope"])
    assert local("verify", alone, *trust(tmp_path), "--now", FINE).code == 0


@pytest.mark.parametrize(
    ("code", "changes", "more"),
    [
        ("expired", {}, ("--now", (NOW + timedelta(hours=1)).isoformat())),
        ("expired", {}, ()),
        ("wrong_device", {}, ("--now", FINE, "--device", "laser-door")),
        ("wrong_arguments", {"payload": {"seconds": 60}}, ("--now", FINE)),
        ("no_envelope", {"envelope": None}, ("--now", FINE)),
        ("wrong_fields", {"surprise": 1}, ("--now", FINE)),
    ],
)
def test_anything_else_would_not(local: Kitt, files, tmp_path, code, changes, more) -> None:
    ran = local("verify", saved(tmp_path, files | changes), *trust(tmp_path), *more, "--json")
    assert ran.code == 3
    assert json.loads(ran.out)["code"] == code
    ran = local("verify", saved(tmp_path, files | changes), *trust(tmp_path), *more)
    assert (ran.code, code in ran.out) == (3, True)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"a": 1, "a": 2}', '{"payloadType": 1}'])
def test_what_is_no_command_would_not_either(local: Kitt, files, tmp_path, content) -> None:
    ran = local("verify", saved(tmp_path, content), *trust(tmp_path), "--json")
    assert ran.code == 3
    assert not json.loads(ran.out)["ok"]


def test_files_that_cannot_be_used(local: Kitt, files, tmp_path: Path) -> None:
    command = saved(tmp_path, files)
    assert local("verify", str(tmp_path / "no"), *trust(tmp_path)).code == 64
    assert local("verify", command, "--trust", str(tmp_path / "no")).code == 64
    assert local("verify", command, *trust(tmp_path), "--now", "soon").code == 64
    (tmp_path / "trust.json").write_text("{}")
    ran = local("verify", command, *trust(tmp_path))
    assert (ran.code, "trust file" in ran.err) == (64, True)


def test_a_key_with_escape_codes_in_its_name_shows_them(local: Kitt, tmp_path) -> None:
    body = base64.b64encode(b"\x1b[2J").decode()
    evil = {"payloadType": "\x1b[2J", "signs": "", "payload": body, "signatures": []}
    (tmp_path / "trust.json").write_bytes(Bench().trust.write())
    ran = local("verify", saved(tmp_path, evil), *trust(tmp_path))
    assert (ran.code, "\x1b" in ran.out) == (3, False)


def test_the_trust_file_is_exported(kitt: Kitt, script: Scripted, bench: Bench, tmp_path) -> None:
    script.on("GET", "/api/safety/trust", json.loads(bench.trust.write()))
    out = tmp_path / "out.json"
    ran = kitt("trust", "export", "--out", str(out), "--days", "90")
    assert ran.code == 0, ran
    assert all(key.id in ran.out for key in bench.keys.values())
    written = read_trust(out.read_bytes())
    assert written.keys == bench.trust.keys
    assert written.valid_until == bench.trust.issued_at + timedelta(days=90)
    script.on("GET", "/api/safety/trust", {"format": "other"})
    assert kitt("trust", "export", "--out", str(out)).code == 4
