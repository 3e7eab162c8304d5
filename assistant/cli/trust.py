"""`kitt trust`: the file that tells devices whose signatures count."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from assistant.cli import screen
from assistant.cli.client import Client
from assistant.cli.leave import CommandError
from assistant.cli.options import connected
from assistant.cli.words import escaped, quoted
from infra.broker_files import write_private
from safety.trust import TrustError, TrustFile, read_trust

app = typer.Typer(help="Whose signatures devices obey.", no_args_is_help=True)


@app.callback()
def trust() -> None:
    """Write the file that tells devices whose signatures count."""


@app.command()
@connected
def export(
    client: Client,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where to write it.")],
    days: Annotated[
        int,
        typer.Option(
            "--days", min=0, max=3650, help="Days it is valid; 0: until a newer one comes."
        ),
    ] = 0,
) -> None:
    """Write the trust file as the server's people, keys and policies stand (administrators).

    Carry it to the devices by a way that neither KITTY nor the broker controls.
    """
    try:
        file = read_trust(json.dumps(client.get("/api/safety/trust")).encode())
    except TrustError as error:
        raise CommandError(
            f"the server's trust file cannot be used: {escaped(str(error))}."
        ) from None
    if days:
        file = replace(file, valid_until=file.issued_at + timedelta(days=days))
    try:
        write_private(out, file.write().decode())
    except OSError as error:
        raise CommandError(f"{out} cannot be written: {error.strerror}.") from None
    _tell(file, out)


def _tell(file: TrustFile, out: Path) -> None:
    said = screen.screen()
    signers = [each for each in file.keys.values() if not each.revoked]
    said.print(f"{out}: {len(signers)} keys, {len(file.devices)} devices.")
    for key in signers:
        said.print(f"  {quoted(key.person)}  {key.id}")
    said.print("Compare these with the people before you carry it to the devices.")
