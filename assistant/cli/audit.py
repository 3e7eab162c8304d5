"""`kitt audit verify`: check an exported log, without a server, a database or a network."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from assistant.cli import screen
from assistant.cli.leave import Leave
from assistant.cli.words import escaped
from safety.audit.checkpoint import MAX_KEY, Signed, load_pem, read_checkpoints
from safety.audit.entries import FormatError
from safety.audit.verdict import Status, Verdict
from safety.audit.verify import verify as check

MAX_CHECKPOINTS: Final = 1_000_000
"""Checkpoints from outside that are held at once: two years of one a minute."""
app = typer.Typer(
    help="The gate's log as evidence: export it, and check an export.", no_args_is_help=True
)


@app.callback()
def audit() -> None:
    """Export the gate's log, and check an export."""


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="As `kitt audit export` wrote it.")],
    checkpoints: Annotated[
        Path | None,
        typer.Option(
            "--checkpoints",
            metavar="DIR|FILE",
            help="Checkpoints kept elsewhere (*.jsonl): they find a log that was written anew.",
        ),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option("--key", help="The log's public key (log.pub), from a place you trust."),
    ] = None,
    *,
    partial: Annotated[
        bool, typer.Option("--partial", help="Accept an export that was made with --since.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check an exported log offline: nothing edited, added, removed, moved, cut or rewritten.

    Exit codes: 0 intact, 1 tampered with, 2 cannot be checked.
    """
    verdict = _checked(file, checkpoints, key, partial=partial)
    if as_json:
        typer.echo(json.dumps(_document(verdict)))
    else:
        for line in told(verdict, own_key=key is None, own_checkpoints=checkpoints is None):
            screen.screen().print(escaped(line))
    raise Leave(verdict.exit_code)


def _checked(file: Path, checkpoints: Path | None, key: Path | None, *, partial: bool) -> Verdict:
    try:
        believed = None if key is None else _key(key)
        outside = [] if checkpoints is None else list(_checkpoints(checkpoints))
        with file.open("rb") as source:
            return check(source, key=believed, outside=outside, partial=partial)
    except FormatError as error:
        return Verdict(status=Status.UNCHECKABLE, code=error.code, message=str(error))
    except OSError as error:
        name = error.filename or file
        return Verdict(
            status=Status.UNCHECKABLE,
            code="unreadable_file",
            message=f"{name} cannot be read: {error.strerror}",
        )


def _key(file: Path) -> Ed25519PublicKey:
    with file.open("rb") as source:
        return load_pem(source.read(MAX_KEY + 1))


def _checkpoints(place: Path) -> Iterator[Signed]:
    files = sorted(place.glob("*.jsonl")) if place.is_dir() else [place]
    count = 0
    for file in files:
        with file.open("rb") as source:
            for signed in read_checkpoints(source, file.name):
                yield signed
                count += 1
                if count > MAX_CHECKPOINTS:
                    raise FormatError(
                        "too_many_checkpoints",
                        f"{place} holds more than {MAX_CHECKPOINTS} checkpoints",
                    )
    if count == 0:
        raise FormatError("no_checkpoints", f"{place} holds no checkpoints (*.jsonl)")


def _document(verdict: Verdict) -> dict[str, Any]:
    return {
        name: value if value is None or isinstance(value, int) else str(value)
        for name, value in asdict(verdict).items()
    }


def told(verdict: Verdict, *, own_key: bool, own_checkpoints: bool) -> list[str]:
    """Return what a person reads."""
    if verdict.status is Status.UNCHECKABLE:
        return [f"CANNOT BE CHECKED ({verdict.code}): {verdict.message}."]
    if verdict.status is Status.TAMPERED:
        return [f"TAMPERED ({verdict.code}): {verdict.message}", *_where(verdict)]
    lines = [
        f"INTACT: entries {verdict.begins} to {verdict.entries} of log {verdict.log}."
        if verdict.entries >= verdict.begins
        else f"INTACT: log {verdict.log} has no entries.",
        f"Checkpoints that fit: {verdict.inside} in the file, {verdict.outside} from elsewhere.",
    ]
    if verdict.begins > 1:
        lines.append(f"Entries 1 to {verdict.begins - 1} are not in this file.")
    if own_checkpoints:
        lines.append(
            "Only the file's own checkpoints were used: with --checkpoints, copies kept elsewhere "
            "also show whether its end is missing."
        )
    if own_key:
        lines.append(f"The file names the key {verdict.key} itself: compare it with log.pub.")
    return lines


def _where(verdict: Verdict) -> list[str]:
    if verdict.first is None:
        return []
    if verdict.first == verdict.last:
        return [f"First wrong entry: {verdict.first}."]
    return [f"First wrong entry: between {verdict.first} and {verdict.last}."]
