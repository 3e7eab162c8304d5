"""Which server, and as whom."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from assistant.cli.leave import Code, CommandError
from assistant.cli.session import Session, Wanted, default_homes, find
from infra.settings import default_home

URL = "http://127.0.0.1:8400"


def a_home(folder: Path, url: str = URL, pid: int | None = None, **tokens: str) -> Path:
    (folder / "tokens").mkdir(parents=True)
    for handle, token in tokens.items():
        (folder / "tokens" / f"{handle}.token").write_text(f"{token}\n")
    run = {"url": url, "token_file": str(folder / "tokens/operator.token")}
    (folder / "run.json").write_text(json.dumps(run | {"pid": pid or os.getpid()}))
    return folder


def ended_pid() -> int:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def test_the_first_home_with_a_living_server(tmp_path: Path) -> None:
    one = a_home(tmp_path / "one", operator="t1", pid=ended_pid())
    two = a_home(tmp_path / "two", operator="t2", engineer="t3")
    homes = (tmp_path / "none", one, two)
    assert find(Wanted(), homes) == Session(url=URL, token="t2", home=two)
    assert find(Wanted(person="engineer"), homes).token == "t3"
    with pytest.raises(CommandError, match="no token of 'ghost'"):
        find(Wanted(person="ghost"), homes)
    with pytest.raises(CommandError) as refused:
        find(Wanted(home=one), homes)
    assert refused.value.code is Code.UNREACHABLE


def test_a_token_goes_only_to_the_server_it_is_for(tmp_path: Path) -> None:
    home = a_home(tmp_path / "one", operator="t1")
    assert find(Wanted(url=URL), (home,)).token == "t1"
    assert find(Wanted(url=URL.replace("127.0.0.1", "localhost")), (home,)).token == "t1"
    for other in ("http://elsewhere.example", "http://127.0.0.1:8401", "https://127.0.0.1:8400"):
        with pytest.raises(CommandError) as refused:
            find(Wanted(url=other), (home,))
        assert refused.value.code is Code.NOT_ALLOWED


@pytest.mark.parametrize("person", ["../admin", "", "a/b", "x" * 65])
def test_people_are_not_paths(tmp_path: Path, person: str) -> None:
    home = a_home(tmp_path / "one", operator="t1")
    with pytest.raises(CommandError):
        find(Wanted(person=person), (home,))


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"two\nlines", b"x" * 5000, b"a\x00b"])
def test_files_that_hold_no_token(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    with pytest.raises(CommandError) as refused:
        find(Wanted(url=URL, token_file=file), (tmp_path,))
    assert refused.value.code is Code.NOT_ALLOWED


@pytest.mark.parametrize("text", ["", "[]", "{", '{"url": 3}', '{"pid": true}', '{"pid": -1}'])
def test_broken_run_files_are_no_servers(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(CommandError) as refused:
        find(Wanted(), (tmp_path,))
    assert refused.value.code is Code.UNREACHABLE


def test_secrets_are_not_shown() -> None:
    assert "secret" not in repr(Session(url=URL, token="secret", home=Path()))


def test_client_and_server_agree_on_the_home(home: Path) -> None:
    server = default_home({"HOME": str(home)}, root=os.geteuid() == 0)
    assert default_homes()[0] == server
