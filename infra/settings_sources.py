"""Where settings come from: the environment, kitty.toml, the command line."""

import difflib
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

from infra.settings_kinds import Item

PREFIX: Final = "KITTY_"
FILE_VARIABLE: Final = "KITTY_SETTINGS_FILE"
"""Names the settings file; without it `kitty.toml` in KITTY's home is read, if it is there."""
MAX_FILE: Final = 65_536
"""Bytes in a settings file."""


class SettingsError(ValueError):
    """Settings that cannot be used; the message has one sentence per problem, one per line."""

    code: ClassVar[str] = "bad_settings"

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A value as somebody wrote it."""

    value: object
    typed: bool
    """True where numbers are numbers (kitty.toml, overrides), False for text."""
    name: str
    """How its author knows it: `KITTY_HTTP_PORT`, `http.port in /etc/kitty.toml`."""
    folder: Path
    """Where relative paths start."""


def from_environment(
    environ: Mapping[str, str], items: Mapping[str, Item], problems: list[str]
) -> dict[str, Given]:
    """Return what KITTY_* variables say, by dotted name; add what is wrong to `problems`."""
    by_variable = {item.env: name for name, item in items.items()}
    found = {}
    for variable in sorted(environ):
        if not variable.startswith(PREFIX) or variable == FILE_VARIABLE or not environ[variable]:
            continue
        if variable in by_variable:
            found[by_variable[variable]] = Given(
                value=environ[variable], typed=False, name=variable, folder=Path.cwd()
            )
        else:
            problems.append(_unknown(variable, [*by_variable, FILE_VARIABLE]))
    return found


def from_overrides(
    overrides: Mapping[str, object], items: Mapping[str, Item], problems: list[str]
) -> dict[str, Given]:
    """Return what the command line says, by dotted name; add what is wrong to `problems`."""
    found = {}
    for name, value in overrides.items():
        if name not in items:
            problems.append(_unknown(name, items))
        elif items[name].secret:
            problems.append(
                f"{name} may hold a secret, which does not belong on a command line; "
                f"set {items[name].env} in the environment instead."
            )
        else:
            plain = str(value) if isinstance(value, Path) else value
            found[name] = Given(value=plain, typed=True, name=name, folder=Path.cwd())
    return found


def from_file(file: Path, items: Mapping[str, Item], problems: list[str]) -> dict[str, Given]:
    """Return what a settings file says, by dotted name; add what is wrong to `problems`."""
    found = {}
    for name, value in _flat(_toml(file)):
        if name in items:
            found[name] = Given(
                value=value, typed=True, name=f"{name} in {file}", folder=file.resolve().parent
            )
        else:
            problems.append(_unknown(f"{name} in {file}", items, asked=name))
    return found


def _toml(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as source:
            data = source.read(MAX_FILE + 1)
        if len(data) > MAX_FILE:
            raise SettingsError([f"{file} is over {MAX_FILE} bytes; keep only settings in it."])
        return tomllib.loads(data.decode())
    except OSError as error:
        raise SettingsError(
            [f"{file} cannot be read ({error.strerror}); correct the path or its permissions."]
        ) from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        where = error if isinstance(error, tomllib.TOMLDecodeError) else "not readable text"
        raise SettingsError([f"{file} is not TOML ({where}); correct it there."]) from None


def _flat(table: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    for part, content in table.items():
        if isinstance(content, dict) and content:
            yield from ((f"{part}.{name}", value) for name, value in content.items())
        elif content != {}:
            yield part, content


def _unknown(name: str, known: Iterable[str], asked: str | None = None) -> str:
    near = difflib.get_close_matches(asked or name, list(known), n=1, cutoff=0.75)
    hint = f"did you mean {near[0]}?" if near else "remove it; docs/settings.md lists them all."
    return f"{name} is not a setting of KITTY: {hint}"
