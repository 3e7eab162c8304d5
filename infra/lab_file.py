"""Read lab.toml: the people, places, machines and jobs of a lab (docs/lab-file.md).

Everything is checked before anything is believed; each problem is named by its path.
"""

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Final

from pydantic import ValidationError

from infra.lab_checks import contradictions
from infra.lab_parts import Lab

__all__ = ["Lab", "LabFileError", "parse_lab", "read_lab"]

MAX_FILE: Final = 5_000_000
"""Bytes in a lab file."""
MAX_DEPTH: Final = 16
"""Tables and lists inside one another."""
MAX_DOTS: Final = 200
"""Dots in one line: reading a dotted key costs the square of its length."""
MAX_PROBLEMS: Final = 50
"""Problems named in one message."""


class LabFileError(ValueError):
    """A lab file that cannot be used; `problems` has one sentence each."""

    code: ClassVar[str] = "bad_lab_file"

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


def parse_lab(text: str) -> Lab:
    """Return the lab that a TOML text describes; raise LabFileError with every problem found."""
    if len(text.encode()) > MAX_FILE:
        raise LabFileError([f"the lab file is over {MAX_FILE:,} bytes; split the lab"])
    for number, line in enumerate(text.split("\n"), start=1):
        if line.count(".") > MAX_DOTS:
            raise LabFileError([f"line {number} has over {MAX_DOTS} dots; break it up"])
    try:
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise LabFileError([f"the lab file is not TOML: {error}"]) from None
    if _deeper_than(table, MAX_DEPTH):
        raise LabFileError([f"the lab file nests tables more than {MAX_DEPTH} deep; flatten it"])
    try:
        lab = Lab.model_validate(table)
    except ValidationError as error:
        raise LabFileError(_limited(map(_problem, error.errors(include_url=False)))) from None
    if problems := _limited(contradictions(lab)):
        raise LabFileError(problems)
    return lab


def read_lab(path: Path) -> Lab:
    """Return the lab of a file; raise LabFileError if it cannot be read or used."""
    try:
        with path.open("rb") as source:
            data = source.read(MAX_FILE + 1)
        return parse_lab(data.decode())
    except OSError as error:
        raise LabFileError([f"{path} cannot be read: {error.strerror}"]) from None
    except UnicodeDecodeError:
        raise LabFileError([f"{path} is not text in UTF-8"]) from None


def _problem(error: Mapping[str, Any]) -> str:
    path = ""
    for step in error["loc"]:
        path += f"[{step}]" if isinstance(step, int) else f".{step}"
    return f"{path.lstrip('.') or 'the lab file'}: {error['msg'].removeprefix('Value error, ')}"


def _limited(problems: Iterable[str]) -> list[str]:
    found = list(problems)
    if len(found) > MAX_PROBLEMS:
        found[MAX_PROBLEMS:] = [f"... and {len(found) - MAX_PROBLEMS} more problems"]
    return found


def _deeper_than(value: object, limit: int) -> bool:
    level: list[object] = [value]
    for _ in range(limit):
        level = [inner for each in level for inner in _inside(each)]
        if not level:
            return False
    return True


def _inside(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
