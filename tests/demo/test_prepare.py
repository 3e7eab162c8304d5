"""The lab's files: the same seed gives the same lab, and the product can read it."""

import hashlib
import json
import re
import socket
import stat
import tomllib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from infra.demo.__main__ import main
from infra.demo.gcode import summarize
from infra.demo.prepare import prepare
from infra.demo.toml import dump
from infra.lab_file import parse_lab, read_lab
from safety.actions import KINDS

SECRET = ("keys", "tokens", "trust")
"""What differs from lab to lab: made once, or telling who holds what was made once."""


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def without_secrets(files: dict[str, bytes]) -> dict[str, bytes]:
    public = {name: data for name, data in files.items() if not name.startswith(SECRET)}
    public["lab.toml"] = re.sub(rb"(token_sha256|spki) = .*", b"", public["lab.toml"])
    return public


def test_the_same_seed_gives_the_same_lab_but_for_keys_and_tokens(tmp_path: Path) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        prepare(tmp_path / name, seed=seed)
    one, same, other = (contents(tmp_path / name) for name in "abc")
    assert without_secrets(one) == without_secrets(same)
    assert without_secrets(one) != without_secrets(other)
    for name in one:
        if name.startswith(SECRET):
            assert one[name] != same[name]


def test_preparing_again_changes_nothing(tmp_path: Path) -> None:
    prepare(tmp_path, seed=1)
    before = contents(tmp_path)
    prepare(tmp_path, seed=1)
    assert contents(tmp_path) == before


def test_secrets_are_for_their_owner_only(tmp_path: Path) -> None:
    done = prepare(tmp_path, seed=1)
    for path in (*done.keys.values(), *done.tokens.values()):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_the_product_reads_the_lab_and_finds_it_whole(tmp_path: Path) -> None:
    done = prepare(tmp_path, seed=1)
    lab = read_lab(done.lab)
    assert {person.handle for person in lab.people} == {"operator", "engineer", "safety", "admin"}
    for person in lab.people:
        token = done.tokens[person.handle].read_bytes()
        assert person.token_sha256 == (hashlib.sha256(token).hexdigest(),)
        key = load_pem_private_key(done.keys[person.handle].read_bytes(), password=None)
        assert isinstance(key, Ed25519PrivateKey)
        assert person.keys[0].spki.endswith(key.public_key().public_bytes_raw())
    for job in lab.jobs:
        content = (tmp_path / "artifacts" / job.gcode_path).read_bytes()
        assert hashlib.sha256(content).hexdigest() == job.gcode_sha256
        assert summarize(content).seconds == job.estimated_seconds


def test_every_device_can_be_told_what_the_product_has_for_its_kind(tmp_path: Path) -> None:
    lab = read_lab(prepare(tmp_path, seed=1).lab)
    for device in lab.devices:
        known = {kind.intent for kind in KINDS if device.kind in kind.device_kinds}
        heating = {"set_temperature", "send_gcode"} if device.external_id == "snapmaker" else set()
        assert set(device.capabilities.intents) == known - heating


def test_every_job_fits_the_printers_it_names(tmp_path: Path) -> None:
    lab = read_lab(prepare(tmp_path, seed=1).lab)
    printers = {each.external_id: each.capabilities.model_dump() for each in lab.devices}
    for job in lab.jobs:
        file = summarize((tmp_path / "artifacts" / job.gcode_path).read_bytes())
        for name in job.printers:
            assert job.material in printers[name]["materials"]
            assert file.nozzle_c <= printers[name].get("nozzle_max_c", 0)
            assert file.bed_c <= printers[name].get("bed_max_c", 0)


def test_the_documented_example_is_a_lab_file() -> None:
    text = (Path(__file__).parents[2] / "docs" / "lab-file.md").read_text(encoding="utf-8")
    lab = parse_lab(text.split("```toml\n")[1].split("```")[0])
    assert [device.external_id for device in lab.devices] == ["welding-bay-lights", "mk4"]


def test_the_command_line_says_where_things_are(tmp_path: Path, capsys) -> None:
    assert main(["prepare", "--home", str(tmp_path), "--seed", "2"]) == 0
    where = json.loads(capsys.readouterr().out)
    assert Path(where["lab"]).is_file()
    assert all(
        Path(path).is_file() for path in [*where["keys"].values(), *where["tokens"].values()]
    )


def test_the_command_line_says_what_is_wrong(tmp_path: Path, capsys) -> None:
    assert main(["run", "--home", str(tmp_path)]) == 1
    assert "run `prepare` first" in capsys.readouterr().err
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
    assert main(["order", "--control-port", port, "{}"]) == 1
    assert "That did not work" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["run", "--home", str(tmp_path), "--speed", "0"])
    assert "the speed is from 0.1 to 10000" in capsys.readouterr().err


@pytest.mark.parametrize(
    "document",
    [
        {"a": 'say "hi"\n\\ ünï', "b": [1, 2], "c": True, "d": []},
        {"t": {"x": 1, "u": {"y": ["z"]}}},
        {"list": [{"n": 1, "sub": {"k": "v"}, "more": [{"m": 1}, {"m": 2}]}, {"n": 2}]},
    ],
)
def test_what_is_dumped_reads_back(document: dict) -> None:
    assert tomllib.loads(dump(document)) == document
