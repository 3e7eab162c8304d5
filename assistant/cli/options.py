"""The options that every command talking to the server has, declared once."""

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from assistant.cli.client import Client
from assistant.cli.session import Wanted, default_homes, find

Url = Annotated[
    str | None,
    typer.Option("--url", envvar="KITTY_URL", help="Address of the server."),
]
TokenFile = Annotated[
    Path | None,
    typer.Option("--token-file", envvar="KITTY_TOKEN_FILE", help="File with your token in it."),
]
Home = Annotated[
    Path | None,
    typer.Option("--home", envvar="KITTY_HOME", help="KITTY's folder, where run.json is."),
]
Person = Annotated[
    str | None,
    typer.Option("--as", metavar="PERSON", help="Use this person's token of the demo."),
]
_SERVER: Final = {"url": Url, "token_file": TokenFile, "home": Home, "as_person": Person}


def connected(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command a client of the server, and the options that say which."""

    def run(
        *, url: str | None, token_file: Path | None, home: Path | None, as_person: str | None,
        **given: Any,
    ) -> None:  # fmt: skip
        wanted = Wanted(url=url, token_file=token_file, home=home, person=as_person)
        with Client(find(wanted, default_homes())) as client:
            command(client, **given)

    functools.update_wrapper(run, command)
    own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]
    shared = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=each)
        for name, each in _SERVER.items()
    ]
    own = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own]
    run.__annotations__ = {each.name: each.annotation for each in (*own, *shared)}
    run.__dict__["__signature__"] = inspect.Signature([*own, *shared])  # what Typer reads
    return run
