"""`kitt audit export` and `kitt audit verify`, as people run them."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from audit.gatelog import add
from psycopg.conninfo import conninfo_to_dict

from assistant.cli.app import run

Kitt = Callable[..., tuple[int, str, str]]


@pytest.fixture
def home(tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    where = conninfo_to_dict(database)
    url = f"postgresql://postgres@/{where['dbname']}?host={quote(str(where['host']), safe='')}"
    monkeypatch.setenv("KITTY_DATABASE_URL", url)
    monkeypatch.setenv("KITTY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path / "home"


@pytest.fixture
def kitt(home: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> Kitt:
    def run_it(*arguments: object) -> tuple[int, str, str]:
        code = run([str(each) for each in arguments])
        sys.stdout.flush()
        out, err = capfdbinary.readouterr()
        return code, out.decode(), err.decode()

    return run_it


@pytest.fixture
def written(database: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database, autocommit=True) as connection:
        add(connection, 12)
        yield connection


def test_export_and_verify(kitt: Kitt, home: Path, written: object, tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    code, out, err = kitt("audit", "export", "--out", file)
    assert (code, out, "Exported entries 1 to 12." in err) == (0, "", True)
    code, out, _ = kitt("audit", "verify", file)
    assert code == 0
    assert "INTACT: entries 1 to 12" in out
    assert "compare it with log.pub" in out
    copies, key = home / "audit", home / "audit" / "log.pub"
    code, out, _ = kitt("audit", "verify", file, "--checkpoints", copies, "--key", key, "--json")
    found = json.loads(out)
    assert (code, found["status"], found["outside"], found["sealed"]) == (0, "intact", 1, 12)
    code, out, _ = kitt("audit", "export")
    assert (code, out) == (0, file.read_text(encoding="utf-8"))


def test_a_changed_copy_is_caught_at_the_right_entry(
    kitt: Kitt, home: Path, written: object, tmp_path: Path
) -> None:
    file = tmp_path / "log.jsonl"
    kitt("audit", "export", "--out", file)
    data = file.read_bytes()
    file.write_bytes(data.replace(b'"correlation_id":"c6"', b'"correlation_id":"c9"'))
    code, out, err = kitt("audit", "verify", file)
    assert (code, err) == (1, "")
    assert "TAMPERED (edited): Entry 7 was altered" in out
    assert "First wrong entry: 7." in out
    lines = data.splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:6]))
    assert kitt("audit", "verify", file)[0] == 1
    code, out, _ = kitt("audit", "verify", file, "--checkpoints", home / "audit")
    assert code == 1
    assert "entries 6 to 12 are missing" in out


def test_a_part(kitt: Kitt, written: psycopg.Connection[Any], tmp_path: Path) -> None:
    written.execute("insert into gate_log (at, verdict) values ('2999-01-01Z', 'later')")
    file = tmp_path / "log.jsonl"
    assert kitt("audit", "export", "--since", "2998-01-01T00:00:00Z", "--out", file)[0] == 0
    code, out, _ = kitt("audit", "verify", file)
    assert code == 2
    assert "CANNOT BE CHECKED (partial_file): the file begins with entry 13" in out
    code, out, _ = kitt("audit", "verify", file, "--partial")
    assert code == 0
    assert "Entries 1 to 12 are not in this file." in out
    assert kitt("audit", "export", "--since", "yesterday")[0] == 64


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("{dir}/none",), "unreadable_file"),
        (("{dir}",), "unreadable_file"),
        (("{file}", "--key", "{dir}/none"), "unreadable_file"),
        (("{file}", "--key", "{file}"), "bad_key"),
        (("{file}", "--key", "{key}"), "bad_key"),
        (("{file}", "--checkpoints", "{dir}/empty"), "no_checkpoints"),
        (("{file}", "--checkpoints", "{file}"), "bad_checkpoint"),
        (("{key}",), "not_json"),
    ],
)
def test_what_cannot_be_checked_is_said_so(
    kitt: Kitt, home: Path, written: object, tmp_path: Path, arguments: tuple[str, ...], code: str
) -> None:
    (tmp_path / "empty").mkdir()
    file = tmp_path / "log.jsonl"
    kitt("audit", "export", "--out", file)
    names = {"dir": tmp_path, "file": file, "key": home / "audit" / "log.key"}
    got, out, err = kitt("audit", "verify", *(each.format(**names) for each in arguments))
    assert (got, err) == (2, "")
    assert f"CANNOT BE CHECKED ({code})" in out


def test_the_check_needs_neither_database_nor_settings(
    kitt: Kitt, written: object, tmp_path: Path
) -> None:
    """Another process, without the store's libraries, comes to the same."""
    file = tmp_path / "log.jsonl"
    kitt("audit", "export", "--out", file)
    program = """
import sys
from pathlib import Path
from safety.audit.verify import verify
with Path(sys.argv[1]).open("rb") as source:
    verdict = verify(source)
others = {"psycopg", "pydantic", "fastapi", "infra", "assistant", "safety.gate"} & set(sys.modules)
print(verdict.status.value, verdict.entries, sorted(others))
"""
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program, str(file)],
        cwd=root, env={}, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "intact 12 []"
    assert done.stderr == ""


def test_a_log_that_contradicts_its_checkpoints_is_still_exported(
    kitt: Kitt, home: Path, written: psycopg.Connection[Any], tmp_path: Path
) -> None:
    file = tmp_path / "log.jsonl"
    kitt("audit", "export", "--out", file)
    written.execute("set session_replication_role = replica")
    written.execute("delete from gate_log_chain where seq > 9")
    code, _, err = kitt("audit", "export", "--out", file)
    assert code == 0
    assert "warning: the log was not sealed: the log has 9 entries, but 12 were signed for" in err
    code, out, _ = kitt("audit", "verify", file)
    assert code == 1
    assert "Entries 10 to 12 are missing" in out


def test_a_folder_without_kitty_is_said_and_left_empty(tmp_path: Path) -> None:
    empty = tmp_path / "nothing"
    empty.mkdir()
    said = subprocess.run(
        [sys.executable, "-m", "assistant", "audit", "export", "--home", str(empty)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert said.returncode != 0
    assert "there is no KITTY in" in said.stderr
    assert list(empty.iterdir()) == []
