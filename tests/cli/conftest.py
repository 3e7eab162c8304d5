"""What tests of the command line share: a scripted server, a person's home, the command."""

import io
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli.scripted import TOKEN, Kitt, Ran, Scripted, running

from assistant.cli.app import run


@pytest.fixture
def script() -> Iterator[Scripted]:
    with running() as script:
        yield script


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a person's own folder, and an environment that says nothing of KITTY."""
    for name in ("KITTY_URL", "KITTY_TOKEN_FILE", "KITTY_HOME", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def local(home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Kitt:
    """Run `kitt` in this process, with what is typed on standard input."""

    def kitt(*arguments: str, typed: str = "") -> Ran:
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        code = run(arguments)
        out, err = capsys.readouterr()
        return Ran(code, out, err)

    return kitt


@pytest.fixture
def kitt(local: Kitt, home: Path, script: Scripted) -> Kitt:
    """Run `kitt` against the scripted server."""
    token = home / "my.token"
    token.write_text(f"{TOKEN}\n")
    server = ("--url", script.url, "--token-file", str(token), "--home", str(home / "kitty"))

    def run_it(*arguments: str, typed: str = "") -> Ran:
        return local(*arguments, *server, typed=typed)

    return run_it
