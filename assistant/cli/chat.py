"""`kitt chat`: one request, or a conversation."""

import asyncio
import json
import sys
from collections.abc import Mapping
from typing import Annotated, Any, Final

import typer

from assistant.cli import memory, screen
from assistant.cli.client import Client
from assistant.cli.later import later
from assistant.cli.leave import Code, CommandError, Leave
from assistant.cli.options import connected
from infra import clock

LAST: Final = "last"
_CODES: Final[Mapping[str, Code]] = {
    "done": Code.DONE,
    "answered": Code.DONE,
    "pending": Code.PENDING,
    "refused": Code.REFUSED,
    "failed": Code.FAILED,
    "unknown": Code.FAILED,
}
_WORST_FIRST: Final = (Code.FAILED, Code.REFUSED, Code.PENDING)


@connected
def chat(
    client: Client,
    text: Annotated[
        str | None,
        typer.Argument(
            metavar="TEXT", show_default=False, help="What to say. Without it: a conversation."
        ),
    ] = None,
    conversation: Annotated[
        str | None,
        typer.Option("--conversation", "-c", help="Go on with this conversation: an id, or last."),
    ] = None,
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the whole answer as one JSON object.")
    ] = False,
) -> None:
    """Talk to KITTY.

    Exit codes with TEXT: 0 done or answered, 2 waits for approval, 3 refused, 4 failed or
    unknown, 5 no server answered, 6 not allowed, 64 wrong command line.
    """
    chosen = _conversation(client, conversation)
    if text is not None:
        raise Leave(_once(client, text, chosen, as_json=as_json))
    if not sys.stdin.isatty():
        raise Leave(_lines(client, chosen, as_json=as_json))
    if as_json:
        raise CommandError("--json needs TEXT, or lines on standard input.", Code.USAGE)
    talk = later("assistant.cli.talk", "Talk")
    asyncio.run(talk(client.session, chosen).run())


def _conversation(client: Client, given: str | None) -> str | None:
    if given != LAST:
        return given
    kept = memory.recall(client.session.home)
    if kept is None:
        raise CommandError("there is no last conversation here. Leave -c away to start one.")
    return kept


def _lines(client: Client, conversation: str | None, *, as_json: bool) -> Code:
    """Say each line of standard input in one conversation; return the worst code."""
    codes = [Code.DONE]
    for line in sys.stdin:
        if line.strip():
            answer = _ask(client, line.strip(), conversation)
            conversation = str(answer.get("conversation_id") or "") or conversation
            _show(answer, as_json=as_json)
            codes.append(code_of(answer))
    return next((code for code in _WORST_FIRST if code in codes), Code.DONE)


def _once(client: Client, text: str, conversation: str | None, *, as_json: bool) -> Code:
    answer = _ask(client, text, conversation)
    _show(answer, as_json=as_json)
    return code_of(answer)


def _ask(client: Client, text: str, conversation: str | None) -> dict[str, Any]:
    body: dict[str, Any] = {"input": {"text": text}, "channel": "cli"}
    if conversation is not None:
        body["conversation_id"] = conversation
    answer = client.post("/api/query", body)
    memory.remember(client.session.home, str(answer.get("conversation_id", "")))
    return answer


def _show(answer: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
        return
    out = screen.screen()
    said = [str(each.get("text", "")) for each in answer.get("replies") or ()]
    for text in said:
        out.print(screen.reply(text))
    if answer.get("question"):
        out.print(screen.question(answer["question"], said), end="")
    if answer.get("pending_hazard"):
        out.print(screen.pending(answer["pending_hazard"], clock.now()))


def code_of(answer: Mapping[str, Any]) -> Code:
    """Return the exit code for an answer: the worst of what its calls came to."""
    found = {
        _CODES.get(str(call.get("outcome")), Code.FAILED) for call in answer.get("calls") or ()
    }
    if answer.get("pending_hazard"):
        found.add(Code.PENDING)
    return next((code for code in _WORST_FIRST if code in found), Code.DONE)
