"""The commands, put together; expected problems become one sentence and an exit code."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from assistant.cli import approve, audit, chat, keys, people, policy, routing, trust, verify
from assistant.cli.later import later
from assistant.cli.leave import Code, CommandError, Leave
from assistant.cli.screen import complain

_CLICK_USAGE: Final = 2
"""What Typer leaves with after a wrong command line; here 2 means that an approval waits."""

app = typer.Typer(
    name="kitt",
    help="KITTY: talk to the shop floor; nothing hazardous happens without people's signatures.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_PROCESSES: Final = "assistant.cli.serve"
_SERVER: Final = "assistant.serve"
app.command()(chat.chat)
app.command()(approve.approve)
app.command()(approve.deny)
app.command()(approve.approvals)
app.add_typer(keys.app, name="keys")
app.add_typer(people.app, name="users")
app.add_typer(routing.app, name="routing")
app.add_typer(audit.app, name="audit")
app.add_typer(policy.app, name="policy")
app.add_typer(trust.app, name="trust")
app.command()(verify.verify)


@audit.app.command()
def export(
    back: Annotated[
        str | None,
        typer.Option("--since", help="From when on: 30m, 1h, 2d, or an ISO time. Default: all."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="File to write. Default: standard output.")
    ] = None,
    home: Annotated[
        Path | None, typer.Option("--home", envvar="KITTY_HOME", help="KITTY's folder.")
    ] = None,
) -> None:
    """Write the gate's log, with its checkpoints, for `kitt audit verify`; needs the home."""
    raise Leave(later("assistant.cli.audit_export", "export")(back=back, out=out, home=home))


@policy.app.command()
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A lab file (docs/lab-file.md).")],
) -> None:
    """Check a lab file with its policies, without a server; each mistake by its path."""
    raise Leave(later("assistant.cli.policy_check", "check")(file))


@app.command()
def serve() -> None:
    """Run KITTY until Ctrl-C; settings come from KITTY_* and kitty.toml."""
    raise Leave(later(_PROCESSES, "serve")(later(_SERVER, "serve")))


@app.command()
def demo(
    port: Annotated[int, typer.Option("--port", min=0, max=65_535, help="0 takes a free one.")] = (
        8400
    ),
    home: Annotated[
        Path | None,
        typer.Option("--home", help="Folder of the demo. Default: ~/.local/share/kitty-demo."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed, the same lab.")] = 1,
    speed: Annotated[
        float, typer.Option("--speed", min=0.1, max=1000, help="How fast the lab's time runs.")
    ] = 10.0,
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one line of JSON when ready.")
    ] = False,
) -> None:
    """Run KITTY with a simulated lab: people, doors, lights, printers."""
    start, server = later(_PROCESSES, "demo"), later(_SERVER, "serve")
    raise Leave(start(server, port=port, home=home, seed=seed, speed=speed, as_json=as_json))


@app.command()
def migrate() -> None:
    """Bring the database of the settings to the shape this version needs."""
    raise Leave(later(_PROCESSES, "migrate_database")())


@app.command()
def doctor() -> None:
    """Say what is missing on this machine, and how to get it."""
    raise Leave(Code.FAILED if later("assistant.doctor", "main")() else Code.DONE)


def run(argv: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    try:
        app(args=list(argv), prog_name="kitt")
    except CommandError as error:
        complain(str(error))
        return error.code
    except Leave as leave:
        return int(str(leave.code))
    except SystemExit as end:
        return Code.USAGE if end.code == _CLICK_USAGE else int(end.code or 0)
    except KeyboardInterrupt:
        return Code.INTERRUPTED
    return Code.DONE
