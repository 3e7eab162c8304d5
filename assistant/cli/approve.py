"""`kitt approve`, `kitt deny` and `kitt approvals`."""

import base64
import binascii
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from assistant.cli import card, keyfiles, screen
from assistant.cli.client import ApiError, Client
from assistant.cli.events import EVENTS, pending_events, resolve, short_ids
from assistant.cli.leave import Code, CommandError, Leave
from assistant.cli.options import connected
from assistant.cli.passphrases import PassphraseFile, passphrase_for
from assistant.cli.words import escaped, left
from infra import clock

Event = Annotated[
    str | None,
    typer.Argument(
        metavar="EVENT",
        help="Id of the event, the beginning of it, or `last`. Without it: the only one waiting.",
        show_default=False,
    ),
]
_AFTER: Final[Mapping[str, tuple[str, Code]]] = {
    "done": ("Approved, and done", Code.DONE),
    "pending": ("Signed; it still waits", Code.PENDING),
    "refused": ("Signed, but KITTY refused to carry it out", Code.REFUSED),
    "failed": ("Approved, but it did not happen", Code.FAILED),
    "unknown": ("Approved and sent, and nobody knows whether it happened", Code.FAILED),
}


@connected
def approve(
    client: Client,
    event: Event = None,
    key: Annotated[
        Path | None,
        typer.Option("--key", help="Your private key (PEM). Default: ~/.config/kitty/key.pem."),
    ] = None,
    passphrase_file: PassphraseFile = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Sign without asking.")] = False,
) -> None:
    """Sign a hazardous action with your own key, after reading what exactly is signed."""
    file = key or keyfiles.default_key()
    pem = keyfiles.read(file)
    found = resolve(client, event)
    checked = _checked(client.get(f"{EVENTS}/{found}"), found)
    out = screen.screen()
    out.print(screen.card(card.lines(checked, clock.now())), end="")
    if keyfiles.open_to_others(file):
        screen.complain(f"others can read your key; run: chmod 600 {file}")
    if not yes and not _agrees():
        out.print("Nothing was signed.")
        raise Leave(Code.REFUSED)
    private = keyfiles.unlock(file, pem, passphrase_for(pem, passphrase_file))
    own = keyfiles.public(private)
    signature = keyfiles.sign(private, checked.digest)
    try:
        answer = client.post(
            f"{EVENTS}/{found}/approve",
            {"key_id": own.id, "signature": base64.b64encode(signature).decode()},
        )
    except ApiError as error:
        raise _refused(error) from None
    out.print(f"Signed with key {own.id}.")
    _leave(answer)


@connected
def deny(
    client: Client,
    event: Event = None,
    *,
    reason: Annotated[str, typer.Option("--reason", help="Why not; who asked is told.")],
) -> None:
    """Refuse a hazardous action for good; it has to be asked for again."""
    found = resolve(client, event)
    try:
        client.post(f"{EVENTS}/{found}/deny", {"reason": reason})
    except ApiError as error:
        raise _refused(error) from None
    screen.screen().print(f"Denied. {found} will not run.")


@connected
def approvals(client: Client) -> None:
    """List what waits for approval: who signed, what is missing, the time left."""
    waiting = pending_events(client)
    out = screen.screen()
    if not waiting:
        out.print("Nothing waits for approval.")
        return
    now = clock.now()
    shorts = short_ids(str(each.get("id", "")) for each in waiting)
    heads = ("event", "what", "hazard", "asked by", "signed by", "still needs", "time")
    rows = [
        (
            short,
            str(each.get("what", "")),
            str(each.get("hazard", "")),
            _name(each.get("requested_by")),
            ", ".join(map(_name, each.get("signed_by") or ())) or "nobody yet",
            "; ".join(map(str, each.get("needs") or ())),
            left(str(each.get("expires_at", "")), now),
        )
        for short, each in zip(shorts, waiting, strict=True)
    ]
    out.print(screen.table(heads, rows))


def _checked(event: dict[str, Any], found: str) -> card.Card:
    status = str(event.get("status", ""))
    if status != "pending":
        raise CommandError(
            f"{found} does not wait any more: it is {escaped(status)}"
            f"{card.words_of(event)}. Nothing was signed.",
            Code.REFUSED,
        )
    try:
        body = base64.b64decode(str(event.get("canonical", "")), validate=True)
        return card.read(
            body, digest=str(event.get("digest", "")), asked_for=found, now=clock.now()
        )
    except binascii.Error:
        why = "the server did not send the bytes to sign"
    except card.CardError as error:
        why = str(error)
    raise CommandError(f"nothing was signed, because {why}.", Code.REFUSED)


def _agrees() -> bool:
    try:
        answer: str = typer.prompt("Sign this? yes/no", default="", show_default=False)
    except typer.Abort:
        return False
    return answer.strip().lower() == "yes"


def _refused(error: ApiError) -> CommandError:
    code = Code.REFUSED if error.code is Code.FAILED else error.code
    return CommandError(f"KITTY did not take it: {error}", code)


def _leave(answer: Mapping[str, Any]) -> None:
    outcome = str(answer.get("outcome") or answer.get("status") or "unknown")
    said, code = _AFTER.get(outcome, (escaped(outcome), Code.FAILED))
    out = screen.screen()
    out.print(f"{said}{card.words_of(answer)}.".replace("..", "."))
    for need in answer.get("needs") or ():
        out.print(f"  still needs {escaped(str(need))}")
    raise Leave(code)


def _name(person: object) -> str:
    if isinstance(person, Mapping):
        return str(person.get("handle") or person.get("display_name") or person.get("id") or "")
    return "" if person is None else str(person)
