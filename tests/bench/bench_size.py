"""What is installed without extras and without what only developers need."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from fakes.processes import ROOT

pytestmark = pytest.mark.slow
GOAL_MB = 400
UV = ROOT / ".make" / "uv" / "bin" / "uv"


def size_mb(folder: Path) -> float:
    """Return what the files of a folder take, in MB of a million bytes; links count once."""
    seen: dict[int, int] = {}
    for found in folder.rglob("*"):
        if found.is_file() and not found.is_symlink():
            status = found.stat()
            seen[status.st_ino] = status.st_size
    return sum(seen.values()) / 1e6


def test_the_core_environment(tmp_path: Path):
    uv = str(UV) if UV.exists() else shutil.which("uv")
    if uv is None:
        pytest.skip("uv is not here: make setup")
    made = subprocess.run(
        [uv, "sync", "--locked", "--no-dev", "--no-install-project", "--link-mode", "copy"],
        cwd=ROOT,
        env={**os.environ, "UV_PROJECT_ENVIRONMENT": str(tmp_path / "venv")},
        capture_output=True,
        text=True,
        check=False,
        timeout=800,
    )
    assert made.returncode == 0, made.stderr[-2000:]
    packages = next((tmp_path / "venv" / "lib").glob("python3*/site-packages"))
    sizes = sorted(
        ((size_mb(each), each.name) for each in packages.iterdir() if each.is_dir()), reverse=True
    )
    whole = size_mb(tmp_path / "venv")
    print(f"the core environment: {whole:.0f} MB, goal {GOAL_MB}")
    print("  most of it: " + ", ".join(f"{name} {size:.0f}" for size, name in sizes[:8]))
    assert whole < GOAL_MB
