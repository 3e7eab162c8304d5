"""`kitt users`: who may talk to KITTY, and as what."""

from pathlib import Path
from typing import Annotated, Any

import typer

from assistant.cli import keyfiles, screen
from assistant.cli.client import Client
from assistant.cli.leave import CommandError
from assistant.cli.options import connected
from assistant.cli.words import escaped, quoted
from safety.entities import Role

Handle = Annotated[str, typer.Argument(metavar="PERSON", help="Their handle, such as `operator`.")]
Roles = Annotated[list[Role], typer.Argument(metavar="ROLE...", help="One or more roles.")]

app = typer.Typer(help="People: list, add, roles, disable, token.", no_args_is_help=True)


def all_users(client: Client) -> list[dict[str, Any]]:
    """Return everybody KITTY knows."""
    return client.items("/api/users")


def user_named(client: Client, handle: str) -> dict[str, Any]:
    """Return one person by handle."""
    me = client.get("/api/me")
    if me.get("handle") == handle:
        return me
    for user in all_users(client):
        if user.get("handle") == handle:
            return user
    raise CommandError(f"KITTY knows nobody called {quoted(handle)}. `kitt users list` names all.")


@app.command("list")
@connected
def list_users(client: Client) -> None:
    """List everybody (administrators)."""
    rows = [
        (
            str(user.get("handle", "")),
            str(user.get("display_name", "")),
            ", ".join(map(str, user.get("roles") or ())),
            "disabled" if user.get("disabled") or user.get("disabled_at") else "active",
        )
        for user in all_users(client)
    ]
    screen.screen().print(screen.table(("handle", "name", "roles", "state"), rows))


@app.command()
@connected
def add(
    client: Client,
    person: Handle,
    roles: Roles,
    name: Annotated[str, typer.Option("--name", help="Their name, as others see it.")] = "",
) -> None:
    """Add a person with these roles: operator, engineer, safety, admin."""
    made = client.post(
        "/api/users",
        {"handle": person, "display_name": name or person, "roles": [each.value for each in roles]},
    )
    out = screen.screen()
    out.print(f"{escaped(person)} is known now: {', '.join(roles)}.")
    link = made.get("enrolment_link")
    if link:
        out.print(f"Their sign-in link, good once: {escaped(str(link))}")
    else:
        out.print(f"Make them a token with: kitt users token {escaped(person)}")


@app.command("roles")
@connected
def set_roles(client: Client, person: Handle, roles: Roles) -> None:
    """Give a person exactly these roles."""
    user = user_named(client, person)
    client.patch(f"/api/users/{user['id']}", {"roles": [each.value for each in roles]})
    screen.screen().print(f"{escaped(person)} is now: {', '.join(roles)}.")


@app.command()
@connected
def disable(client: Client, person: Handle) -> None:
    """Shut a person out: their tokens, sessions and keys stop working."""
    user = user_named(client, person)
    client.patch(f"/api/users/{user['id']}", {"disabled": True})
    screen.screen().print(f"{escaped(person)} is shut out.")


@app.command()
@connected
def token(
    client: Client,
    person: Handle,
    label: Annotated[str, typer.Option("--label", help="What it is for.")] = "kitt",
    out: Annotated[
        Path | None,
        typer.Option("--out", help="File to write (mode 0600). Default: PERSON.token here."),
    ] = None,
) -> None:
    """Make a token for a person and write it into a file; it is not shown again."""
    file = out or Path(f"{Path(person).name}.token")
    if file.exists():
        raise CommandError(f"{file} exists already. Choose another file with --out.")
    user = user_named(client, person)
    made = client.post(f"/api/users/{user['id']}/tokens", {"label": label})
    given = made.get("token")
    if not isinstance(given, str) or not given:
        raise CommandError("the server did not send a token.")
    keyfiles.write_new(file, f"{given}\n".encode(), 0o600)
    screen.screen().print(
        f"The token of {escaped(person)} is in {file}; use it with --token-file {file}."
    )
