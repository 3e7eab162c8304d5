"""Draw the state machines from the tables that the code runs on: `python -m assistant.diagrams`."""

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from cad.lifecycle import CAD_TRANSITIONS, FABRICATION_TRANSITIONS
from safety.records import COMMAND_TRANSITIONS, EVENT_TRANSITIONS

_PAGE: Final = Path(__file__).resolve().parent.parent / "docs" / "states.md"
_MACHINES: Final[Mapping[str, tuple[str, Mapping[Any, Iterable[Any]]]]] = {
    "SafetyEvent": ("pending", EVENT_TRANSITIONS),
    "DeviceCommand": ("pending", COMMAND_TRANSITIONS),
    "FabricationJob": ("preparing", FABRICATION_TRANSITIONS),
    "CADJob": ("queued", CAD_TRANSITIONS),
}


def page() -> str:
    """Return docs/states.md."""
    parts = [
        "# State machines",
        "",
        "Generated from the tables in the code by `make docs`. The database refuses every other",
        "transition too (`state_transitions`, infra/migrations).",
    ]
    for name, (start, table) in _MACHINES.items():
        parts += ["", f"## {name}", "", "```mermaid", "stateDiagram-v2", f"    [*] --> {start}"]
        for source, targets in table.items():
            parts += [f"    {source} --> {target}" for target in sorted(targets)]
            if not targets:
                parts.append(f"    {source} --> [*]")
        parts.append("```")
    return "\n".join(parts) + "\n"


def main() -> int:
    """Print the page, or with --check tell whether the written one is current."""
    if "--check" not in sys.argv:
        sys.stdout.write(page())
        return 0
    if _PAGE.read_text(encoding="utf-8") == page():
        return 0
    sys.stderr.write("docs/states.md is not current: run `make docs`\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
