"""What a broker of our own needs on disk: passwords, rights, configuration.

Everything lies in `mqtt/` below KITTY's home, readable by its owner only.  Passwords travel
through these files, never through a command line, an environment or a log.
"""

import base64
import hashlib
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

KITTY: Final = "kitty"
"""The user KITTY connects as: may read and write everything."""
DEVICES: Final = "devices"
"""The user devices connect as: may report, and hear commands, and nothing else."""

DEVICES_WRITE: Final = (
    "kitty/devices/+/ack",
    "kitty/devices/+/state",
    "kitty/devices/+/telemetry",
    "kitty/devices/+/snapshot",
    "kitty/presence/+",
)
DEVICES_READ: Final = ("kitty/devices/+/cmd",)

_PBKDF2_ROUNDS: Final = 101
"""Mosquitto's own default; the passwords are 256 random bits, so stretching adds nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A user of the broker."""

    username: str
    password: str = field(repr=False)


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)


def logins(folder: Path) -> dict[str, Login]:
    """Return the home's logins by user; make them at the first start."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / "logins.json"
    if not path.exists():
        made = {user: secrets.token_urlsafe(32) for user in (KITTY, DEVICES)}
        write_private(path, json.dumps(made))
    kept: Mapping[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return {user: Login(username=user, password=password) for user, password in kept.items()}


def write_embedded(folder: Path, *, host: str, port: int) -> Path:
    """Write what the embedded broker reads at its start; return the file."""
    path = folder / "embedded.json"
    users = {login.username: login.password for login in logins(folder).values()}
    write_private(path, json.dumps({"host": host, "port": port, "users": users}))
    return path


def write_mosquitto(folder: Path, *, host: str, port: int, run_as: str) -> Path:
    """Write Mosquitto's configuration, password file and rights; return the configuration."""
    data = folder / "data"
    data.mkdir(mode=0o700, exist_ok=True)
    passwords, rights = folder / "passwords", folder / "rights"
    write_private(passwords, "".join(map(_password_line, logins(folder).values())))
    write_private(rights, _rights())
    path = folder / "mosquitto.conf"
    lines = (
        f"listener {port} {host}",
        f"user {run_as}",
        "allow_anonymous false",
        f"password_file {passwords}",
        f"acl_file {rights}",
        "persistence true",
        f"persistence_location {data}/",
        "autosave_interval 30",
        "set_tcp_nodelay true",
        "persistent_client_expiration 7d",
        # KITTY acknowledges telemetry a batch at a time: the usual 20 would be 200 a second.
        "max_inflight_messages 2000",
        "max_queued_messages 100000",
        "message_size_limit 1200000",
        "log_dest stderr",
        "log_type error",
        "log_type warning",
    )
    write_private(path, "\n".join(lines) + "\n")
    return path


def write_devices_login(folder: Path, *, host: str, port: int) -> Path:
    """Write where and as whom devices connect, for whoever runs them; return the file."""
    path = folder / "devices.json"
    login = logins(folder)[DEVICES]
    where = {
        "host": host,
        "port": port,
        "username": login.username,
        "password": login.password,
    }
    write_private(path, json.dumps(where))
    return path


def _password_line(login: Login) -> str:
    salt = secrets.token_bytes(12)
    digest = hashlib.pbkdf2_hmac("sha512", login.password.encode(), salt, _PBKDF2_ROUNDS)
    encoded = (base64.b64encode(part).decode() for part in (salt, digest))
    return f"{login.username}:$7${_PBKDF2_ROUNDS}${'$'.join(encoded)}\n"


def _rights() -> str:
    lines = [f"user {KITTY}", "topic readwrite #", f"user {DEVICES}"]
    lines += [f"topic write {topic}" for topic in DEVICES_WRITE]
    lines += [f"topic read {topic}" for topic in DEVICES_READ]
    return "\n".join(lines) + "\n"
