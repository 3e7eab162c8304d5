"""Writing on the terminal: coloured where there is one, plain text everywhere else."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from assistant.cli.session import program
from assistant.cli.words import arguments, escaped, left

PIPED_WIDTH: Final = 1_000
"""Characters in a line of a table that a program reads: nothing is folded."""
_COLOURS: Final[Mapping[str, str]] = {
    "done": "green",
    "answered": "green",
    "pending": "yellow",
    "refused": "red",
    "failed": "red",
    "unknown": "bold red",
}
_SAID: Final[Mapping[str, str]] = {
    "done": "done",
    "answered": "answered",
    "pending": "waits for people",
    "refused": "refused",
    "failed": "failed",
    "unknown": "sent, and nobody knows whether it happened",
}


def screen(*, stderr: bool = False) -> Console:
    """Return the terminal; text is never read as markup."""
    out = Console(markup=False, highlight=False, emoji=False, soft_wrap=True, stderr=stderr)
    if not out.is_terminal:
        out.width = PIPED_WIDTH
    return out


def complain(message: str) -> None:
    """Say what went wrong, on stderr."""
    out = screen(stderr=True)
    out.print(Text("kitt: ", style="bold red") + Text(escaped(message, lines=True)))


def card(pairs: Iterable[tuple[str, str]]) -> Text:
    """Lay out labels and texts in two columns; later lines of a text are indented."""
    shown = list(pairs)
    width = max(len(label) for label, _ in shown) + 2
    text = Text()
    for label, content in shown:
        head, *rest = content.split("\n")
        text.append(label.ljust(width), style="bold")
        text.append(head + "\n")
        for line in rest:
            text.append(" " * width + line + "\n")
    return text


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """Return a table of cells that are shown as they are."""
    made = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    for head in heads:
        made.add_column(head, overflow="fold")
    for row in rows:
        made.add_row(*(Text(escaped(cell)) for cell in row))
    return made


def reply(text: str) -> Text:
    """Show what KITTY says."""
    return Text(escaped(text, lines=True))


def question(asked: Mapping[str, Any], said: Collection[str]) -> Text:
    """Show what KITTY asks back, unless it has just said so, with its readings."""
    text = Text(style="cyan")
    if asked.get("text") not in said:
        text.append(escaped(str(asked.get("text", "")), lines=True) + "\n")
    for number, option in enumerate(asked.get("options") or (), start=1):
        text.append(f"  {number}  {escaped(str(option))}\n")
    return text


def call(made: Mapping[str, Any]) -> Text:
    """Show one tool call and what came of it."""
    outcome = str(made.get("outcome", ""))
    given = made.get("arguments")
    names = made.get("names")
    called = names if isinstance(names, Mapping) else {}
    shown = arguments({**given, **called}) if isinstance(given, Mapping) else ""
    text = Text(f"  {escaped(str(made.get('tool', '?')))}({shown}) ", style="dim")
    text.append(_SAID.get(outcome, escaped(outcome)), style=_COLOURS.get(outcome, ""))
    if made.get("reason"):
        text.append(f": {escaped(str(made['reason']))}", style="dim")
    return text


def pending(event: Mapping[str, Any], now: datetime) -> Text:
    """Show what waits for people and the command that approves it."""
    name = escaped(str(event.get("safety_event_id", "")))
    text = Text("Waiting ", style="bold yellow")
    text.append(escaped(str(event.get("prompt", ""))))
    hazard, rest = str(event.get("hazard", "")), left(str(event.get("expires_at", "")), now)
    text.append(f"\n  hazard {escaped(hazard)}, {rest}", style="yellow")
    for need in event.get("needs") or ():
        text.append(f"\n  needs {escaped(str(need))}", style="yellow")
    if hazard == "low":
        text.append("\n  say yes to go on, or no")
    else:
        text.append(f"\n  to approve:  {program()} approve {name} --key FILE")
        text.append(f"\n  to refuse:   {program()} deny {name} --reason TEXT")
    return text


def settled(event: Mapping[str, Any]) -> Text:
    """Show what became of something that waited."""
    came = str(event.get("outcome") or event.get("status") or "settled")
    text = Text(f"{escaped(str(event.get('what', '')))}: ")
    text.append(_SAID.get(came, escaped(came)), style=_COLOURS.get(came, ""))
    if event.get("reason"):
        text.append(f" ({escaped(str(event['reason']))})")
    return text
