"""The reference page of the settings, made from their declarations."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from infra.settings_kinds import Duration, Item

_HEAD: Final = """\
# Settings

<!-- Made by `python -m infra.settings --docs`; do not edit. -->

Everything has a default that works. A setting comes from the command line, else from an
environment variable, else from `kitty.toml` (in KITTY's home, or where `KITTY_SETTINGS_FILE`
says), else from its default. An empty variable counts as not set. Settings are read once, at
start; a setting that is unknown, of the wrong type or out of range stops the start with a
sentence that says which and what to do. Secrets come from the environment or from files, never
from the command line, and are masked wherever they could be shown.

```toml
# kitty.toml
[http]
port = 8400

[gate]
approval = 300  # seconds
```

Relative paths start at the folder of `kitty.toml` there, and at the current folder elsewhere.
"""


def settings_page(items: Mapping[str, Item], defaults: object) -> str:
    """Return the page: one table per part."""
    lines = [_HEAD]
    part = ""
    for name, item in items.items():
        own, key = name.split(".")
        if own != part:
            part = own
            lines += [
                f"## [{part}]", "", getattr(defaults, part).__doc__, "",
                "| variable | kitty.toml | value | default | what it is |",
                "|---|---|---|---|---|",
            ]  # fmt: skip
        default = item.unset or f"`{_default(item, getattr(getattr(defaults, part), key))}`"
        cells = (f"`{item.env}`", f"`{key}`", item.kind.wants, default, item.doc)
        lines.append(f"| {' | '.join(cells)} |")
        if _ends_part(name, items):
            lines.append("")
    return "\n".join(lines)


def _ends_part(name: str, items: Mapping[str, Item]) -> bool:
    part = name.split(".", maxsplit=1)[0]
    return [each for each in items if each.startswith(f"{part}.")][-1] == name


def _default(item: Item, value: object) -> str:
    if isinstance(value, timedelta) and isinstance(item.kind, Duration):
        return f"{value / timedelta(**{item.kind.unit: 1}):g}"
    return str(value).lower() if isinstance(value, bool) else str(value)
