"""`kitt serve`, `kitt demo` and `kitt migrate`: the commands that are not clients.

Loaded only when one of them runs (see app).
"""

import asyncio
import json
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from assistant.cli import screen
from assistant.cli.lab import Lab, LabOptions, prepare
from assistant.cli.leave import Code, CommandError
from assistant.cli.running import HOME_MODE, Info, Server, announced, run
from assistant.cli.session import default_homes, program
from infra import logs
from infra.broker_files import write_private
from infra.db import StoreError
from infra.migrate import migrate
from infra.postgres import EmbeddedPostgres
from infra.settings import Settings, SettingsError, from_process

ADMIN: Final = "admin"
OPERATOR: Final = "operator"
PASSWORD_FILE: Final = "mqtt.password"  # noqa: S105  # a file's name


def serve(server: Server) -> Code:
    """Run KITTY with this process's settings."""
    settings = _settings({})
    logs.configure(settings.log)
    return run(server, settings, _serving)


async def _serving(info: Info) -> None:
    token = token_file(info.home, ADMIN)
    with announced(info, token if token.exists() else None):
        out = screen.screen()
        out.print(f"KITTY is at {info.url}. Stop it with Ctrl-C.")
        if info.enrolment is not None:
            out.print(f"First start: the administrator signs in, once, at {info.enrolment}")
            out.print(f"The administrator's token for programs is in {token}")
        sys.stdout.flush()
        await asyncio.Event().wait()


def demo(
    server: Server, *, port: int, home: Path | None, seed: int, speed: float, as_json: bool
) -> Code:
    """Run KITTY with the simulated lab."""
    folder = (home or default_homes()[1]).absolute()
    options = LabOptions(home=folder, seed=seed, speed=speed)
    settings = _settings({"store.home": folder, "lab.file": folder / "lab.toml", "http.port": port})
    logs.configure(settings.log)
    prepare(options)

    async def beside(info: Info) -> None:
        await _demonstrating(info, options, as_json=as_json, usual_home=home is None)

    return run(server, settings, beside)


async def _demonstrating(
    info: Info, options: LabOptions, *, as_json: bool, usual_home: bool
) -> None:
    ready = asyncio.Event()
    lab = asyncio.create_task(Lab(options, info.mqtt).run(ready))
    spoken = asyncio.create_task(ready.wait())
    try:
        await asyncio.wait({lab, spoken}, return_when=asyncio.FIRST_COMPLETED)
        if not ready.is_set():
            await lab
        with announced(info, token_file(info.home, OPERATOR)):
            said = (
                json.dumps(description(info))
                if as_json
                else welcome(info, await info.sign_in_link(OPERATOR), usual_home=usual_home)
            )
            sys.stdout.write(said + "\n")
            sys.stdout.flush()
            await lab
    finally:
        for task in (spoken, lab):
            task.cancel()
        await asyncio.gather(spoken, lab, return_exceptions=True)


def token_file(home: Path, handle: str) -> Path:
    """Return where a person's token lies in a home."""
    return home / "tokens" / f"{handle}.token"


def description(info: Info) -> dict[str, Any]:
    """Return what programs need to use the demo."""
    login = _login(info.mqtt.credentials)
    secret = info.home / PASSWORD_FILE
    write_private(secret, str(login.get("password", "")))
    return {
        "url": info.url,
        "tokens": {
            each.stem: each.read_text(encoding="utf-8").strip()
            for each in sorted((info.home / "tokens").glob("*.token"))
        },
        "keys": {each.stem: str(each) for each in sorted((info.home / "keys").glob("*.pem"))},
        "mqtt": {
            "host": info.mqtt.host,
            "port": info.mqtt.port,
            "username": login.get("username"),
            "password_file": str(secret),
        },
        "wyoming": None,
    }


def _login(credentials: Path) -> Mapping[str, Any]:
    try:
        read = json.loads(credentials.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CommandError(f"the broker's login cannot be read: {error}.") from None
    return read if isinstance(read, dict) else {}


_WELCOME: Final = """\
KITTY and its demo lab are running at {url}

  Sign in as the operator, once, at
    {link}
  or talk here, as the operator, in another terminal:
    {kitt} chat{home}

  Three things to say:
    turn on the welding bay lights
    what is the Giga doing?
    unlock the welding bay door

  The door waits for two people, each with their own key:
    {kitt} approve{home} --as engineer --key {keys}/engineer.pem
    {kitt} approve{home} --as safety --key {keys}/safety.pem

  Everything is in {folder}. Stop with Ctrl-C."""


def welcome(info: Info, link: str, *, usual_home: bool) -> str:
    """Return what a person reads when the demo is ready."""
    return _WELCOME.format(
        url=info.url,
        link=link,
        kitt=program(),
        home="" if usual_home else f" --home {shlex.quote(str(info.home))}",
        keys=shlex.quote(str(info.home / "keys")),
        folder=info.home,
    )


def migrate_database() -> Code:
    """Bring the database of the settings up to date, and say what was done."""
    settings = _settings({})
    url = settings.store.database_url
    try:
        if url is not None:
            done = migrate(url.get_secret_value())
        else:
            settings.store.home.mkdir(mode=HOME_MODE, parents=True, exist_ok=True)
            with EmbeddedPostgres(settings.store.home) as database:
                done = migrate(database.dsn)
    except StoreError as error:
        raise CommandError(str(error)) from None
    except OSError as error:
        raise CommandError(
            f"the folder {settings.store.home} cannot be used: {error.strerror}."
        ) from None
    out = screen.screen()
    for name in done:
        out.print(f"Applied {name}.")
    out.print("The database is up to date.")
    return Code.DONE


def _settings(overrides: dict[str, object]) -> Settings:
    try:
        return from_process(overrides)
    except SettingsError as error:
        raise CommandError(str(error), Code.USAGE) from None
