"""Settings: read once, from the environment over kitty.toml over defaults, into a frozen value.

Only `from_process` touches the process; `load` takes what it reads as arguments.
`python -m infra.settings --docs` writes docs/settings.md.
"""

import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr

from infra.settings_docs import settings_page
from infra.settings_kinds import Item, items_of
from infra.settings_parts import (
    ROOT_HOME,
    BrokerEngine,
    BrokerSettings,
    GateSettings,
    HttpSettings,
    LabSettings,
    LimitsSettings,
    LogFormat,
    LogLevel,
    LogSettings,
    RoutingSettings,
    Settings,
    StoreSettings,
    SyncedKeys,
)
from infra.settings_sources import (
    FILE_VARIABLE,
    Given,
    SettingsError,
    from_environment,
    from_file,
    from_overrides,
)

__all__ = [
    "BrokerEngine",
    "BrokerSettings",
    "GateSettings",
    "HttpSettings",
    "LabSettings",
    "LimitsSettings",
    "LogFormat",
    "LogLevel",
    "LogSettings",
    "RoutingSettings",
    "Settings",
    "SettingsError",
    "StoreSettings",
    "SyncedKeys",
    "describe",
    "from_process",
    "load",
]

FILE_NAME: Final = "kitty.toml"
MAX_SECRET: Final = 4_096
"""Bytes in a file that holds a secret."""
_SHOWN: Final = 60
"""Characters of a refused value that its message repeats."""
_DOCS: Final = Path(__file__).resolve().parent.parent / "docs" / "settings.md"
_USERINFO: Final = re.compile(r"(?<=://).*@|(?<=password=)[^&]*")


def known_items() -> dict[str, Item]:
    """Return every setting by its dotted name, for example `http.port`."""
    return {
        f"{part}.{name}": item
        for part, value in _parts(Settings()).items()
        for name, item in items_of(value).items()
    }


def _parts(settings: Settings) -> dict[str, Any]:
    return {each.name: getattr(settings, each.name) for each in fields(settings)}


def load(
    environ: Mapping[str, str],
    file: Path | None = None,
    overrides: Mapping[str, object] | None = None,
    *,
    home: Path | None = None,
) -> Settings:
    """Return the settings of an environment, a settings file and overrides by dotted name.

    `home` is where KITTY lives if nobody says otherwise.  Overrides (command line) win, then the
    environment, then the file; empty variables count as not set.  Raises SettingsError.
    """
    problems: list[str] = []
    items = known_items()
    given: dict[str, Given] = {}
    if file is not None:
        given |= from_file(file, items, problems)
    given |= from_environment(environ, items, problems)
    given |= from_overrides(overrides or {}, items, problems)
    values = {"store.home": home} if home is not None else {}
    for name, each in given.items():
        _read(name, each, items[name], values, problems)
    settings = _with_values(Settings(), values)
    problems += _contradictions(settings, given)
    settings = _with_password(settings, problems)
    if problems:
        raise SettingsError(problems)
    return settings


def _read(name: str, given: Given, item: Item, values: dict[str, Any], problems: list[str]) -> None:
    try:
        value = item.kind.read(given.value, typed=given.typed)
    except ValueError:
        text = repr(given.value)
        text = f"{text[:_SHOWN]}..." if len(text) > _SHOWN else text
        what = "not usable" if item.secret else text
        problems.append(
            f"{given.name} is {what}, but must be {item.kind.wants}; "
            "correct it, or leave it out to use the default."
        )
    else:
        values[name] = given.folder / value if isinstance(value, Path) else value


def _with_values(settings: Settings, values: Mapping[str, Any]) -> Settings:
    changed = {}
    for part, value in _parts(settings).items():
        own = {name: values[f"{part}.{name}"] for name in items_of(value)
               if f"{part}.{name}" in values}  # fmt: skip
        changed[part] = replace(value, **own)
    return replace(settings, **changed)


def _contradictions(settings: Settings, given: Mapping[str, Given]) -> Iterator[str]:
    broker = settings.broker
    for name in ("port", "username", "password_file", "tls", "ca_file"):
        if f"broker.{name}" in given and broker.host is None:
            yield (
                f"{given[f'broker.{name}'].name} is set, but no broker: set KITTY_MQTT_HOST too, "
                "or leave both out to use KITTY's own broker."
            )
    if broker.password_file is not None and broker.username is None:
        yield (
            f"{given['broker.password_file'].name} is set, but no user name: "
            "set KITTY_MQTT_USERNAME too."
        )


def _with_password(settings: Settings, problems: list[str]) -> Settings:
    file = settings.broker.password_file
    if file is None:
        return settings
    try:
        with file.open("rb") as source:
            data = source.read(MAX_SECRET + 1)
        text = data.decode().rstrip("\r\n")
    except OSError as error:
        problems.append(
            f"KITTY_MQTT_PASSWORD_FILE cannot be read ({error.strerror}); "
            "correct the path or its permissions."
        )
    except UnicodeDecodeError:
        problems.append("KITTY_MQTT_PASSWORD_FILE is not text; put only the password in it.")
    else:
        if not text or len(data) > MAX_SECRET or "\n" in text:
            problems.append(
                "KITTY_MQTT_PASSWORD_FILE must hold one line, the password, of at most "
                f"{MAX_SECRET} bytes; write only that into it."
            )
        return replace(settings, broker=replace(settings.broker, password=SecretStr(text)))
    return settings


def default_home(environ: Mapping[str, str], *, root: bool) -> Path:
    """Return where KITTY lives if nobody says otherwise."""
    if root:
        return ROOT_HOME
    return Path(environ.get("HOME") or Path.home()) / ".local" / "share" / "kitty"


def from_process(
    overrides: Mapping[str, object] | None = None, *, file: Path | None = None
) -> Settings:
    """Return this process's settings; the only reader of its environment.

    The file is `file`, else what KITTY_SETTINGS_FILE names, else kitty.toml in the home if there.
    """
    environ = dict(os.environ)  # noqa: TID251 - this is the one place
    home = default_home(environ, root=os.geteuid() == 0)
    named = environ.get(FILE_VARIABLE)
    file = file or (Path(named) if named else None)
    if file is None:
        usual = Path(str((overrides or {}).get("store.home") or environ.get("KITTY_HOME") or home))
        file = usual.expanduser() / FILE_NAME
        file = file if file.is_file() else None
    return load(environ, file, overrides, home=home)


def describe(settings: Settings) -> dict[str, str]:
    """Return every setting by its dotted name, for people and logs; secrets are masked."""
    return {
        f"{part}.{name}": _shown(getattr(value, name))
        for part, value in _parts(settings).items()
        for name in items_of(value)
    }


def _masked(match: re.Match[str]) -> str:
    return "***@" if match[0].endswith("@") else "***"


def _shown(value: object) -> str:
    if isinstance(value, SecretStr):
        return _USERINFO.sub(_masked, value.get_secret_value())
    return "" if value is None else str(value)


def main(arguments: list[str]) -> int:
    """Write docs/settings.md, or with --check tell whether the written one is current."""
    page = settings_page(known_items(), Settings())
    match arguments:
        case ["--docs"]:
            _DOCS.write_text(page, encoding="utf-8")
            return 0
        case ["--check"]:
            current = _DOCS.read_text(encoding="utf-8") == page
            if not current:
                sys.stderr.write("docs/settings.md is not current: run `make docs`\n")
            return int(not current)
        case _:
            sys.stderr.write("usage: python -m infra.settings --docs | --check\n")
            return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
