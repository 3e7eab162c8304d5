"""The layer contracts hold, and each of them would notice what it forbids."""

import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
FOLDERS = ("assistant", "tools", "routing", "cad", "safety", "infra")
LINTER = ROOT / ".venv" / "bin" / "lint-imports"
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
NAMES = {each["id"]: each["name"] for each in SETTINGS["tool"]["importlinter"]["contracts"]}

FORBIDDEN: dict[str, list[tuple[str, str]]] = {
    "layers": [
        ("safety/errors.py", "import tools.spec"),
        ("safety/gate.py", "import infra.clock"),
        ("tools/spec.py", "import infra.clock"),
        ("tools/run.py", "import assistant.core"),
        ("infra/clock.py", "import assistant.words"),
        ("routing/router.py", "import cad"),
        ("cad/__init__.py", "import routing.router"),
        ("routing/router.py", "import tools.spec"),
    ],
    "drivers": [
        ("assistant/core.py", "from infra.drivers.devices import MqttDriver"),
        ("assistant/channels/http/safety.py", "import infra.drivers.mqtt_devices"),
        ("infra/ingest.py", "import infra.drivers.devices"),
    ],
    "no-io": [
        ("tools/spec.py", "import httpx"),
        ("routing/router.py", "import subprocess"),
        ("safety/gate.py", "import os"),
        ("safety/parts.py", "import psycopg"),
    ],
    "floor": [("safety/gate.py", "import asyncio"), ("safety/actions.py", "import pydantic")],
    "channels": [
        ("assistant/channels/http/safety.py", "import assistant.channels.console"),
        ("assistant/channels/console/__init__.py", "import assistant.channels.http"),
    ],
    "demo": [
        ("assistant/core.py", "import infra.demo.lab"),
        ("safety/gate.py", "import infra.demo.lab"),
    ],
    "demo-apart": [
        ("infra/demo/lab.py", "import tools.spec"),
        ("infra/demo/doors.py", "from assistant import core"),
    ],
    "demo-edge": [("infra/demo/doors.py", "from safety.gate import Gate")],
    "cycles": [
        ("safety/errors.py", "import safety.gate"),
        ("infra/db.py", "import infra.store.ledger"),
        ("tools/spec.py", "import tools.catalog"),
    ],
}
"""By contract: one import in one module that it must notice."""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the product's Python files and the contracts."""
    folder = tmp_path_factory.mktemp("copy")
    for top in FOLDERS:
        shutil.copytree(
            ROOT / top,
            folder / top,
            ignore=lambda at, names: [
                name for name in names if "." in name and not name.endswith(".py")
            ],
        )
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def broken(folder: Path, *contracts: str) -> set[str]:
    """Return the names of the contracts that import-linter finds broken."""
    chosen = [argument for each in contracts for argument in ("--contract", each)]
    ran = subprocess.run(
        [LINTER, "--no-cache", *chosen],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    verdicts = dict(re.findall(r"^(.*) (KEPT|BROKEN)$", ran.stdout, re.MULTILINE))
    assert len(verdicts) == (len(contracts) or len(NAMES)), ran.stdout + ran.stderr
    assert ran.returncode == ("BROKEN" in verdicts.values())
    return {name for name, verdict in verdicts.items() if verdict == "BROKEN"}


@contextmanager
def injected(path: Path, line: str) -> Iterator[None]:
    """Add a line to a file for a while."""
    before = path.read_text(encoding="utf-8")
    path.write_text(f"{before}\n{line}\n", encoding="utf-8")
    try:
        yield
    finally:
        path.write_text(before, encoding="utf-8")


def test_all_contracts_hold(copy: Path) -> None:
    assert broken(copy) == set()


def test_every_contract_is_put_to_the_test() -> None:
    assert set(FORBIDDEN) == set(NAMES)


@pytest.mark.parametrize(
    ("contract", "module", "line"),
    [(contract, *each) for contract, injections in FORBIDDEN.items() for each in injections],
)
def test_a_forbidden_import_breaks_its_contract(
    copy: Path, contract: str, module: str, line: str
) -> None:
    with injected(copy / module, line):
        assert broken(copy, contract) == {NAMES[contract]}
    assert (copy / module).read_text(encoding="utf-8") == (ROOT / module).read_text(
        encoding="utf-8"
    )
