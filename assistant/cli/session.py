"""Which server to talk to, and as whom."""

import json
import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from assistant.cli.leave import Code, CommandError

RUN_FILE: Final = "run.json"
"""Written into the home by `kitt serve` and `kitt demo` while they run."""
LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
MAX_TOKEN: Final = 4_096
"""Bytes in a token file."""
_PERSON: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the command line and the environment say about the server."""

    url: str | None = None
    token_file: Path | None = None
    home: Path | None = None
    person: str | None = None
    """Handle of someone whose token lies in the home (`--as`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A server, a token for it, and where the client keeps its own files."""

    url: str
    token: str = field(repr=False)
    home: Path


def default_homes() -> tuple[Path, Path]:
    """Return the home of `kitt serve` and the one of `kitt demo`."""
    base = Path("/var/lib") if os.geteuid() == 0 else Path.home() / ".local/share"
    return base / "kitty", base / "kitty-demo"


def find(wanted: Wanted, homes: Iterable[Path]) -> Session:
    """Find the server and the token; raise CommandError that says what to do otherwise."""
    looked = (wanted.home,) if wanted.home else tuple(homes)
    if wanted.url is None:
        home, run = _running(looked, wanted.person)
        url = _checked_url(str(run.get("url")))
    else:
        url = _checked_url(wanted.url)
        home, run = next(
            ((each, run) for each, run in alive(looked) if _same(str(run.get("url")), url)),
            (looked[0], {}),
        )
    file = wanted.token_file or _token_file(home, run, wanted.person)
    if file is None:
        raise CommandError(
            f"there is no token for {url}. Give --token-file FILE; an administrator makes one "
            "with `kitt users token PERSON`.",
            Code.NOT_ALLOWED,
        )
    return Session(url=url, token=_token(file), home=home)


def program() -> str:
    """Return what to type for `kitt` here: its name if that is found, else where it lies."""
    own = Path(sys.argv[0]).absolute()
    found = shutil.which("kitt")
    if own.name != "kitt" or (found is not None and Path(found).resolve() == own.resolve()):
        return "kitt"
    near = own.is_relative_to(Path.cwd())
    return shlex.quote(str(own.relative_to(Path.cwd()) if near else own))


def alive(homes: Iterable[Path]) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield the homes whose KITTY runs, with what it wrote of itself."""
    for home in homes:
        run = _run_file(home)
        if run is not None and _lives(run.get("pid")):
            yield home, run


def _running(homes: tuple[Path, ...], person: str | None) -> tuple[Path, dict[str, Any]]:
    found = list(alive(homes))
    for home, run in found:
        if person is None or _person_token(home, person).exists():
            return home, run
    if found and person is not None:
        places = " or ".join(str(_person_token(home, person)) for home, _ in found)
        raise CommandError(
            f"there is no token of {person!r}: {places} does not exist. Leave --as away, or "
            "name a person of the demo.",
            Code.NOT_ALLOWED,
        )
    places = " or ".join(str(home / RUN_FILE) for home in homes)
    raise CommandError(
        f"no KITTY is running here: {places} names no living server. Start one with "
        "`kitt demo` or `kitt serve`, or give --url and --token-file.",
        Code.UNREACHABLE,
    )


def _run_file(home: Path) -> dict[str, Any] | None:
    try:
        run = json.loads((home / RUN_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return run if isinstance(run, dict) else None


def _lives(pid: object) -> bool:
    if not isinstance(pid, int) or isinstance(pid, bool) or pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _checked_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises ValueError outside 0 to 65535
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
        raise CommandError(
            f"{url!r} is not the address of a KITTY server. Write it as http://127.0.0.1:8400.",
            Code.USAGE,
        )
    return url.rstrip("/")


def _same(one: str, other: str) -> bool:
    """Tell whether two addresses are the same server; this machine has several names."""
    parts = (urlsplit(one), urlsplit(other))
    first, second = (
        (each.scheme, "" if each.hostname in LOOPBACK else each.hostname, each.port)
        for each in parts
    )
    return first == second


def _person_token(home: Path, person: str) -> Path:
    if not _PERSON.fullmatch(person):
        raise CommandError(f"{person!r} is not a person's handle.", Code.USAGE)
    return home / "tokens" / f"{person}.token"


def _token_file(home: Path, run: dict[str, Any], person: str | None) -> Path | None:
    if person is not None:
        return _person_token(home, person)
    named = run.get("token_file")
    return Path(named) if isinstance(named, str) and named else None


def _token(file: Path) -> str:
    try:
        with file.open(encoding="utf-8") as opened:
            token = opened.read(MAX_TOKEN + 1).strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise CommandError(
            f"the token file {file} cannot be read: {why}. Give --token-file FILE.",
            Code.NOT_ALLOWED,
        ) from None
    if not token or len(token) > MAX_TOKEN or not token.isascii() or not token.isprintable():
        raise CommandError(
            f"{file} does not hold a token. Give --token-file FILE.", Code.NOT_ALLOWED
        )
    return token
