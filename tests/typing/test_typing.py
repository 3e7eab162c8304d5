"""What must not type-check does not, for mypy as the product is checked with it."""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
CASES = sorted(path for path in HERE.glob("*.py") if not path.name.startswith("test_"))
_FOUND = re.compile(r"^(?P<file>[^:]+):(?P<line>\d+): error: .*\[(?P<code>[a-z-]+)\]$")
_EXPECTED = re.compile(r"# E: (?P<codes>[a-z-]+(, [a-z-]+)*)$")

Errors = Counter[tuple[str, int, str]]


def expected() -> Errors:
    """Return the errors that the marks in the files announce."""
    errors: Errors = Counter()
    for path in CASES:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if match := _EXPECTED.search(line):
                errors.update((path.name, number, code) for code in match["codes"].split(", "))
    return errors


def found(cache: Path) -> Errors:
    """Return the errors that mypy finds, with the product's own configuration."""
    ran = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy",
            "--no-error-summary",
            f"--cache-dir={cache}",
            *map(str, CASES),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    assert ran.returncode == 1, ran.stdout + ran.stderr
    errors: Errors = Counter()
    for line in ran.stdout.splitlines():
        if (match := _FOUND.match(line)) and Path(match["file"]).parent.name == HERE.name:
            errors[Path(match["file"]).name, int(match["line"]), match["code"]] += 1
    return errors


def test_what_is_marked_is_an_error_and_nothing_else_is(request: pytest.FixtureRequest) -> None:
    wanted = expected()
    assert len(wanted) > 15
    assert found(request.config.cache.mkdir("mypy")) == wanted
