"""docs/cli.md, written from the commands' own help.

`python -m assistant.cli.reference` writes it; `--check` only says whether it is up to date.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import typer

from assistant.cli.app import app
from assistant.cli.leave import Code

PAGE: Final = Path(__file__).parents[2] / "docs/cli.md"
WIDTH: Final = 96
"""Characters in a line of help."""

_INTRODUCTION: Final = """\
# The command `kitt`

Written from the commands' own help by `python -m assistant.cli.reference`; do not edit.

Where a command finds the server: `--url` and `--token-file` (or `KITTY_URL` and
`KITTY_TOKEN_FILE`), else `run.json` in KITTY's folder, which `kitt serve` and `kitt demo` write
while they run. The folder is `--home` (or `KITTY_HOME`), else that of `kitt serve`
(`~/.local/share/kitty`; for root `/var/lib/kitty`), else that of `kitt demo` (the same with
`-demo`). A token is never given on the command line, only in a file.

`kitt chat` without TEXT keeps what was typed in `client/chat-history` in that folder, readable
by its owner only. Lines piped into it are said one after the other in one conversation.

## Exit codes

"""


def page() -> str:
    """Return the whole page."""
    codes = "\n".join(f"| {int(code)} | {code.meaning} |" for code in Code)
    table = f"| code | meaning |\n|---|---|\n{codes}\n"
    return _INTRODUCTION + table + "".join(_sections(typer.main.get_command(app), "kitt"))


def _sections(command: Any, name: str) -> Iterator[str]:
    context = typer.Context(
        command, info_name=name, terminal_width=WIDTH, max_content_width=WIDTH,
        help_option_names=["-h", "--help"],
    )  # fmt: skip
    lines = (line.rstrip() for line in command.get_help(context).splitlines())
    text = "\n".join(lines).strip()
    yield f"\n## {name}\n\n```text\n{text}\n```\n"
    for each in getattr(command, "commands", {}).values():
        yield from _sections(each, f"{name} {each.name}")


def main(arguments: list[str]) -> int:
    """Write the page, or check it; return the exit code."""
    wanted = page()
    if arguments == ["--check"]:
        if PAGE.exists() and PAGE.read_text(encoding="utf-8") == wanted:
            return 0
        sys.stderr.write(f"{PAGE} is out of date: run `python -m assistant.cli.reference`.\n")
        return 1
    PAGE.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
