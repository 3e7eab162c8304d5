"""`kitt keys`: a person's own keys, and which public ones KITTY knows."""

import base64
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from assistant.cli import keyfiles, screen
from assistant.cli.client import Client
from assistant.cli.leave import CommandError
from assistant.cli.options import connected
from assistant.cli.passphrases import PassphraseFile, new_passphrase
from assistant.cli.people import Handle, all_users, user_named
from assistant.cli.words import escaped, quoted
from safety.signatures import ED25519, P256

app = typer.Typer(
    help="Make, enrol, list and revoke the keys that people sign with.", no_args_is_help=True
)


def _algorithm(given: str) -> str:
    if given not in {ED25519, P256}:
        raise typer.BadParameter(f"use {ED25519} or {P256}")
    return given


@app.command()
def new(
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Private key file. Default: ~/.config/kitty/key.pem."),
    ] = None,
    algorithm: Annotated[
        str, typer.Option("--algorithm", callback=_algorithm, help="ed25519 or p256.")
    ] = ED25519,
    passphrase_file: PassphraseFile = None,
    *,
    no_passphrase: Annotated[
        bool, typer.Option("--no-passphrase", help="Leave the private key unencrypted.")
    ] = False,
) -> None:
    """Make a key of your own. The private half never leaves this machine."""
    file = out or keyfiles.default_key()
    passphrase = None if no_passphrase else new_passphrase(passphrase_file)
    key = keyfiles.make(algorithm)
    shown = keyfiles.save(key, file, passphrase)
    out_to = screen.screen()
    out_to.print(f"Private key  {file}  (keep it to yourself)")
    out_to.print(f"Public key   {shown}")
    out_to.print(f"Key id       {keyfiles.public(key).id}")
    out_to.print(keyfiles.public_pem(key).decode(), end="")
    out_to.print(f"An administrator enrols it with: kitt keys enroll PERSON {shown}")


@app.command()
@connected
def enroll(
    client: Client,
    person: Handle,
    file: Annotated[Path, typer.Argument(metavar="FILE.pub", help="Their public key.")],
    label: Annotated[str, typer.Option("--label", help="Where the key lives.")] = "",
) -> None:
    """Let a person sign with this public key (administrators)."""
    own = keyfiles.load_public(file)
    user = user_named(client, person)
    client.post(
        f"/api/users/{user['id']}/keys",
        {"label": label or file.stem, "spki": base64.b64encode(own.spki).decode()},
    )
    screen.screen().print(f"{escaped(person)} can now sign with {own.algorithm} key {own.id}.")


@app.command("list")
@connected
def list_keys(
    client: Client,
    person: Annotated[
        str | None, typer.Argument(metavar="PERSON", show_default=False, help="Whose keys.")
    ] = None,
) -> None:
    """List public keys: a person's, or everybody's for administrators, else your own."""
    if person is not None:
        users = [user_named(client, person)]
    else:
        me = client.get("/api/me")
        users = all_users(client) if "admin" in (me.get("roles") or ()) else [me]
    rows = [
        _row(user, key) for user in users for key in client.items(f"/api/users/{user['id']}/keys")
    ]
    out = screen.screen()
    if rows:
        out.print(screen.table(("person", "key id", "algorithm", "label", "state"), rows))
    else:
        out.print("No keys. Make one with `kitt keys new`.")


@app.command()
@connected
def revoke(
    client: Client,
    key_id: Annotated[str, typer.Argument(metavar="KEY_ID", help="As `kitt keys list` shows it.")],
) -> None:
    """Stop a key from signing, at once and for good."""
    if client.delete(f"/api/keys/{quote(key_id, safe='')}").get("revoked") is False:
        raise CommandError(f"KITTY knows no valid key {quoted(key_id)}. See `kitt keys list`.")
    screen.screen().print(f"{escaped(key_id)} signs nothing any more.")


def _row(user: dict[str, Any], key: dict[str, Any]) -> tuple[str, ...]:
    revoked = key.get("revoked_at")
    return (
        str(user.get("handle", "")),
        str(key.get("id") or key.get("key_id") or ""),
        str(key.get("algorithm", "")),
        str(key.get("label", "")),
        f"revoked {revoked}" if revoked else "valid",
    )
