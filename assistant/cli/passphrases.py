"""Asking for a passphrase; it is read from the terminal or a file, never from an argument."""

from pathlib import Path
from typing import Annotated

import typer

from assistant.cli import keyfiles
from assistant.cli.leave import CommandError

PassphraseFile = Annotated[
    Path | None,
    typer.Option("--passphrase-file", help="File with the passphrase of the key, for scripts."),
]


def passphrase_for(pem: bytes, file: Path | None) -> str | None:
    """Return the passphrase of an encrypted key, None for one that is not."""
    if not keyfiles.is_encrypted(pem):
        return None
    if file is not None:
        return from_file(file)
    asked: str = typer.prompt("Passphrase of your key", hide_input=True, err=True)
    return asked


def new_passphrase(file: Path | None) -> str:
    """Ask twice for a passphrase that is long enough."""
    chosen: str
    if file is not None:
        chosen = from_file(file)
    else:
        chosen = typer.prompt(
            "Passphrase for the new key", hide_input=True, confirmation_prompt=True, err=True
        )
    if len(chosen) < keyfiles.MIN_PASSPHRASE:
        raise CommandError(
            f"a passphrase has at least {keyfiles.MIN_PASSPHRASE} characters. "
            "Choose a longer one, or say --no-passphrase."
        )
    return chosen


def from_file(file: Path) -> str:
    """Return the first line of a file."""
    text = keyfiles.read(file).decode(errors="replace").partition("\n")[0].rstrip("\r")
    if not text:
        raise CommandError(f"{file} holds no passphrase.")
    return text
