"""What the demo lab's tests share: a stage, a printer and its files."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from fakes.stage import START, Stage

from infra.demo.heaters import bed, nozzle
from infra.demo.printers import Printer

CUBE = b";TIME:1000\nG28\nM140 S60\nM104 S215\nM190 S60\nM109 S215\nG1 X1 Y1\n"
FILES = {
    "gcode/cube.gcode": CUBE,
    "gcode/hot.gcode": b";TIME:10\nM109 S280\n",
    "gcode/sign.gcode": b";TIME:100\nG28\n",
}


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


@pytest.fixture(scope="session")
def cold_printer() -> Printer:
    return Printer(
        intents=frozenset(
            {
                *("start_print", "pause_print", "resume_print", "abort_print"),
                *("set_temperature", "send_gcode"),
            }
        ),
        name="MK4",
        shelf=FILES.get,
        nozzle=nozzle(270),
        bed=bed(110),
        at=START,
    )


@pytest.fixture(scope="session")
def print_of() -> Callable[[str], dict]:
    def payload(path: str = "gcode/cube.gcode") -> dict:
        sha256 = hashlib.sha256(FILES.get(path, b"")).hexdigest()
        return {"job": "j1", "gcode_path": path, "gcode_sha256": sha256}

    return payload
