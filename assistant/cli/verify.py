"""`kitt verify`: would a device obey this command?  Needs no server and no network."""

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer

from assistant.cli import screen
from assistant.cli.leave import Code, CommandError, Leave
from assistant.cli.words import escaped, quoted, value
from infra import clock
from infra.wire import CommandMessage, WireError, strict_object
from safety.canonical import CanonicalFormError
from safety.edge import Accepted, EdgeCommand, Rejected
from safety.edge import verify as check
from safety.envelope import EnvelopeError, command_for, read_envelope
from safety.nonces import VolatileMemory
from safety.signed import SignedFormError, read_signed
from safety.trust import MAX_FILE, TrustError, TrustFile, read_trust

MAX_MESSAGE: Final = 65_536
"""Bytes of a command."""


class _RefusedError(Exception):
    """What lies in the file is no command and no envelope."""


def verify(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="A command as it travels over MQTT, or an envelope alone; JSON."
        ),
    ],
    trust: Annotated[
        Path, typer.Option("--trust", metavar="FILE", help="The device's trust file.")
    ],
    device: Annotated[
        str | None,
        typer.Option("--device", help="The device that got it. Default: the one it names."),
    ] = None,
    now: Annotated[
        str | None,
        typer.Option("--now", help="Check as of this time (ISO 8601). Default: this moment."),
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say whether a device with this trust file would obey a command, and who signed it.

    Exit codes: 0 it would, 3 it would not, 64 a file cannot be used. Whether the approval was
    used before, only the device itself knows.
    """
    book = _trust(trust)
    moment = clock.now() if now is None else _moment(now)
    try:
        command, envelope = _read(_content(file, MAX_MESSAGE))
    except _RefusedError as refused:
        _refuse(str(refused.args[0]), str(refused.args[1]), as_json=as_json)
    verdict = check(
        command,
        envelope,
        book,
        device=device or command.device,
        now=moment,
        memory=VolatileMemory(),
    )
    if isinstance(verdict, Rejected):
        _refuse(verdict.code.value, verdict.reason, as_json=as_json)
    _tell(command, verdict, as_json=as_json)


def _read(content: bytes) -> tuple[EdgeCommand, object]:
    try:
        if "payloadType" in (found := strict_object(content)):
            return _command_in(found), found
        message = CommandMessage.decode(content)
    except WireError as error:
        raise _RefusedError(error.code, str(error)) from None
    event = message.safety_event_id
    command = EdgeCommand(
        id=str(message.command_id),
        device=message.device,
        intent=message.intent,
        arguments=message.payload,
        deadline=message.deadline,
        event=None if event is None else str(event),
    )
    return command, message.envelope


def _command_in(envelope: object) -> EdgeCommand:
    """Return the command that an envelope alone would allow."""
    try:
        event = read_signed(read_envelope(envelope).payload)
    except EnvelopeError as error:
        raise _RefusedError(error.code, str(error)) from None
    except (CanonicalFormError, SignedFormError) as error:
        raise _RefusedError("bad_document", str(error)) from None
    return EdgeCommand(
        id=str(command_for(event.id)),
        device=event.external_id,
        intent=event.action.intent,
        arguments=event.action.arguments,
        deadline=event.expires_at,
        event=str(event.id),
    )


def _refuse(code: str, reason: str, *, as_json: bool) -> NoReturn:
    if as_json:
        typer.echo(json.dumps({"ok": False, "code": code, "reason": reason}))
    else:
        screen.screen().print(f"No device would obey it: {code}: {escaped(reason)}.")
    raise Leave(Code.REFUSED)


def _tell(command: EdgeCommand, verdict: Accepted, *, as_json: bool) -> None:
    signers = list(verdict.signers)
    if as_json:
        event = None if verdict.event is None else str(verdict.event)
        told = {"ok": True, "device": command.device, "intent": command.intent}
        rest = {"arguments": dict(verdict.arguments), "signed_by": signers, "event": event}
        typer.echo(json.dumps(told | rest))
        return
    lines = [
        ("Device", quoted(command.device)),
        ("Command", escaped(command.intent)),
        *((f"  {escaped(name)}", value(each)) for name, each in verdict.arguments.items()),
        ("Signed by", ", ".join(map(quoted, signers)) or "nobody; it needs no signature"),
    ]
    out = screen.screen()
    out.print(screen.card(lines), end="")
    out.print("The device would obey it, unless that approval was used before.")


def _trust(file: Path) -> TrustFile:
    try:
        return read_trust(_content(file, MAX_FILE))
    except TrustError as error:
        raise CommandError(
            f"the trust file {file} cannot be used: {escaped(str(error))}.", Code.USAGE
        ) from None


def _content(file: Path, most: int) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(most + 1)
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}.", Code.USAGE) from None


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise CommandError(
            f"{quoted(text)} is not a time; write it like 2026-03-02T09:00:00+00:00.", Code.USAGE
        )
    return found
