"""Rules about the code that no linter knows; lists of exceptions may only shrink."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
FOLDERS = ("assistant", "tools", "routing", "cad", "safety", "infra")
CEILING = 400
"""Lines in a module."""

LONGER: dict[str, int] = {}
"""Modules over the ceiling, with the length they may not exceed; split, they leave this list."""
BROAD = {
    "assistant/channels/http/query.py": 1,
    "assistant/channels/http/shell.py": 1,
    "assistant/core.py": 1,
    "infra/supervise.py": 1,
}
"""The channel loops and the supervisor: where any error is told or logged instead of lost."""
CLOCKS = {"infra/clock.py", "infra/demo/clock.py"}
"""The product's clock and the demo lab's, which is a separate set of processes."""
MEASURE = {"assistant/channels/http/shell.py", "infra/ids.py"}
"""How long a request took; the milliseconds inside a UUIDv7.  Nothing is decided by them."""
ENVIRONMENT = {"infra/settings.py", "infra/settings_sources.py"}

_CLOCK_CALLS = {
    "time": {"time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns",
             "localtime", "gmtime", "strftime", "ctime"},
    "datetime": {"now", "utcnow", "today"},
    "date": {"today"},
    "loop": {"time"},
}  # fmt: skip


def modules() -> Iterator[tuple[str, ast.Module, str]]:
    """Yield each module of the product: its path, its tree, its text."""
    for top in FOLDERS:
        for path in sorted((ROOT / top).rglob("*.py")):
            text = path.read_text(encoding="utf-8")
            yield path.relative_to(ROOT).as_posix(), ast.parse(text), text


MODULES = list(modules())


def last_name(node: ast.expr) -> str:
    """Return the last name of `a.b.c`, or nothing."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


def clock_readings(tree: ast.Module) -> list[int]:
    """Return the lines in which a clock is named."""
    lines = []
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=value, attr=attr):
                if attr in _CLOCK_CALLS.get(last_name(value), set()):
                    lines.append(node.lineno)
            case ast.ImportFrom(module="time", names=names):
                if any(each.name in _CLOCK_CALLS["time"] for each in names):
                    lines.append(node.lineno)
            case _:
                pass
    return lines


def environment_readings(tree: ast.Module) -> list[int]:
    """Return the lines in which the process's environment is named."""
    lines = []
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id="os"), attr="environ" | "environb" | "getenv"):
                lines.append(node.lineno)
            case ast.ImportFrom(module="os", names=names):
                if any(each.name in {"environ", "environb", "getenv"} for each in names):
                    lines.append(node.lineno)
            case _:
                pass
    return lines


def broad_handlers(tree: ast.Module) -> int:
    """Return how often everything is caught."""
    handlers = [node for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler)]

    def broad(node: ast.expr | None) -> bool:
        if isinstance(node, ast.Tuple):
            return any(broad(each) for each in node.elts)
        return node is None or last_name(node) in {"Exception", "BaseException"}

    return sum(broad(each.type) for each in handlers)


def test_there_is_something_to_check():
    assert len(MODULES) > 100


def test_only_the_clock_module_reads_the_clock():
    readers = {path for path, tree, _ in MODULES if clock_readings(tree)}
    assert readers - CLOCKS <= MEASURE
    assert "infra/clock.py" in readers


def test_only_the_settings_read_the_environment():
    readers = {path for path, tree, _ in MODULES if environment_readings(tree)}
    assert readers <= ENVIRONMENT
    assert readers


def test_everything_is_caught_only_in_named_places():
    found = {path: count for path, tree, _ in MODULES if (count := broad_handlers(tree))}
    assert found == BROAD


def test_no_module_is_long():
    lengths = {path: len(text.splitlines()) for path, _, text in MODULES}
    long = {path: length for path, length in lengths.items() if length > CEILING}
    assert {path: length for path, length in long.items() if path not in LONGER} == {}
    assert {path for path in long if long[path] > LONGER[path]} == set()
    assert set(LONGER) == set(long), "take modules that are short enough now off the list"


def test_only_the_executor_holds_the_seal():
    """Whoever names the seal could build a permit."""
    holders = {path for path, _, text in MODULES if "_SEAL" in text or "_Seal" in text}
    assert holders == {"safety/permit.py", "safety/execution.py"}


def test_only_the_executor_calls_a_driver():
    """A driver is found and called in one place; others only ask whether there is one."""
    finders = {
        path
        for path, tree, _ in MODULES
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr == "find"
        and last_name(node.value) in {"drivers", "_drivers"}
    }
    assert finders == {"safety/execution.py", "safety/parts.py"}


def test_drivers_take_nothing_but_a_permit():
    for path, tree, _ in MODULES:
        if not path.startswith("infra/drivers/"):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.AsyncFunctionDef) and node.name == "__call__":
                (_, permit), named = node.args.posonlyargs, node.args.kwonlyargs
                assert ast.unparse(permit.annotation).startswith("Permit["), path
                assert [each.arg for each in named] == ["before_send"], path
                assert not node.args.args


def test_nothing_but_the_ledger_moves_the_gates_rows():
    """No other module writes to what was asked, signed, told to devices, or logged."""
    writers = set()
    for path, tree, _ in MODULES:
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                words = " ".join(node.value.lower().split())
                for table in ("safety_events", "safety_signatures", "device_commands", "gate_log"):
                    for verb in ("insert into", "update", "delete from", "truncate"):
                        if f"{verb} {table}" in words:
                            writers.add(path)
    ledger = {"infra/store/ledger.py", "infra/store/ledger_sql.py"}
    assert writers - ledger <= {"infra/store/returning.py"}  # what devices say once they are back
    assert writers & ledger


@pytest.mark.parametrize(
    ("check", "text"),
    [
        (clock_readings, "import datetime\ndatetime.datetime.now()"),
        (clock_readings, "from datetime import datetime\nx = datetime.utcnow"),
        (clock_readings, "from time import monotonic"),
        (clock_readings, "import time\ntime.time()"),
        (environment_readings, "import os\nos.environ['x']"),
        (environment_readings, "from os import getenv"),
        (broad_handlers, "try:\n    f()\nexcept Exception:\n    pass"),
        (broad_handlers, "try:\n    f()\nexcept (ValueError, BaseException):\n    pass"),
        (broad_handlers, "try:\n    f()\nexcept:\n    pass"),
    ],
)
def test_the_checks_see_what_they_look_for(check, text):
    """Positive control: a forbidden line is found."""
    assert check(ast.parse(text))
    assert not check(
        ast.parse("import json\ntry:\n    f()\nexcept ValueError:\n    json.loads('')")
    )
