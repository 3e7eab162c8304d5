"""A clean clone: `make run` answers its first request within two minutes."""

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fakes.processes import ROOT, Child

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
WITHIN = 120.0
"""Seconds, with a warm package cache."""


@pytest.fixture
def clone() -> Iterator[Path]:
    if shutil.which("make") is None or shutil.which("git") is None:
        pytest.skip("needs git and make")
    with tempfile.TemporaryDirectory(prefix="kitty-clone-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        target = Path(folder) / "kitty"
        subprocess.run(
            ["git", "clone", "--quiet", "--no-local", str(ROOT), str(target)],
            check=True,
            timeout=120,
        )
        yield target


def test_first_request(clone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = clone.parent / "home"
    clean = {"VIRTUAL_ENV": "", "PYTHONPATH": ""}
    began = time.monotonic()
    done = subprocess.run(
        ["make", "setup"],
        cwd=clone,
        env={**os.environ, **clean},
        check=False,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    set_up = time.monotonic() - began
    child = Child(
        ["make", "run", f"ARGS=--json --port 0 --home {home}"],
        log=clone.parent / "run.log",
        environment=clean,
        folder=clone,
    )
    try:
        said = json.loads(child.line(within=WITHIN))
        response = httpx.post(
            f"{said['url']}/api/query",
            json={"input": {"text": "turn on the welding bay lights"}},
            headers={"authorization": f"Bearer {said['tokens']['operator']}"},
            timeout=30,
            trust_env=False,
        )
        took = time.monotonic() - began
        assert response.json()["calls"][0]["outcome"] == "done", response.text
    finally:
        child.destroy()
    assert took < WITHIN
    size = sum(
        each.stat().st_size
        for each in (clone / ".venv").rglob("*")
        if each.is_file() and not each.is_symlink()
    )
    with capsys.disabled():
        print(
            f"\nclean clone: set up in {set_up:.0f} s, first answer after {took:.0f} s, "
            f"environment {size / 1e6:.0f} MB"
        )
