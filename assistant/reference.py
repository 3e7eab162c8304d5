"""Write the reference of the tools from their declarations: `python -m assistant.reference`."""

import sys
from collections.abc import Iterable, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from tools.catalog import build_catalog
from tools.spec import Tool

_PAGE: Final = Path(__file__).resolve().parent.parent / "docs" / "tools.md"
EXAMPLES: Final[Mapping[str, tuple[str, ...]]] = {
    "list_devices": ("list all devices", "which doors are there"),
    "device_status": ("is the welding bay door locked?", "how hot is it in the welding bay?"),
    "who_is_in": ("who is in the laser room?",),
    "show_camera": ("show me the welding bay camera",),
    "switch_light": ("turn on the welding bay lights", "lights off in the laser room"),
    "set_scene": ("set the scene to evening in the welding bay",),
    "lock_door": ("lock the laser room door",),
    "unlock_door": ("unlock the welding bay door", "unlock the laser room door for 20 seconds"),
    "cut_power": ("cut the power to the laser cutter",),
    "enable_power": ("enable the laser cutter",),
    "list_printers": ("which printers are free?",),
    "printer_status": ("what is giga doing?",),
    "print_progress": ("how far is the print?",),
    "list_jobs": ("what can I print?",),
    "start_print": ("print the hinge on MK4",),
    "pause_print": ("pause the print", "pause giga"),
    "abort_print": ("abort the print on giga",),
    "stop_everything": ("stop everything", "emergency stop"),
    "resume_print": ("resume the print on giga",),
    "set_temperature": ("set the nozzle of giga to 215 degrees",),
    "send_gcode": ("send gcode G28 to MK4",),
    "list_approvals": ("what is waiting for approval?",),
    "approval_status": ("how is my request doing?",),
    "withdraw_request": ("withdraw my request",),
    "what_happened": ("what happened today?", "what happened in the laser room since noon?"),
    "why": ("why did you do that?",),
    "remember": ("remember that the spare key is in drawer 3",),
    "recall": ("what do you remember about the spare key?",),
    "forget": ("forget what I said about the spare key",),
}
"""What people may say for each tool; a test has the local tier read them."""
_INTRO: Final = """\
# Tools

Generated from the declarations in `tools/` by `make docs`. Agents, MCP clients and
`POST /api/tools/{name}` use these names; the body of a call is the object of its arguments.
Things may be named by id, external id, name or any alias, in any case. An argument in
*italics* may be left out. What is not in the table is refused with `bad_arguments`.

Hazard is that of the action itself: none runs at once; low wants the requester's confirmation;
medium one signature by an authorised person; high two people, two keys. Zone and policy can
only make it stricter.
"""


def page() -> str:
    """Return docs/tools.md."""
    parts = [_INTRO]
    for family, tools in groupby(build_catalog(), key=lambda tool: tool.family):
        parts.append(f"## {family.capitalize()}\n")
        parts.extend(_section(tool, EXAMPLES.get(tool.name, ())) for tool in tools)
    return "\n".join(parts)


def _section(tool: Tool, examples: Iterable[str]) -> str:
    lines = [f"### `{tool.name}`", "", tool.summary, ""]
    lines += [f"- Hazard: **{tool.hazard.word}**", f"- HTTP: `POST /api/tools/{tool.name}`"]
    said = "; ".join(f"“{sentence}”" for sentence in examples)
    lines += [f"- Say: {said}"] if said else []
    lines.append("")
    rows = list(_rows(tool.schema))
    if rows:
        lines += ["| argument | type | meaning |", "|---|---|---|", *rows, ""]
    return "\n".join(lines)


def _rows(schema: Mapping[str, Any]) -> Iterable[str]:
    required = schema.get("required", ())
    for name, about in schema.get("properties", {}).items():
        mark = f"`{name}`" if name in required else f"*`{name}`*"
        kind, meaning = _type(about, schema.get("$defs", {}))
        default = about.get("default")
        note = f" Default {default}." if default is not None else ""
        yield f"| {mark} | {kind} | {meaning}{note} |"


def _type(about: Mapping[str, Any], named: Mapping[str, Any]) -> tuple[str, str]:
    """Return the type in words and the description of one argument."""
    chosen = next((each for each in about.get("anyOf", ()) if each.get("type") != "null"), about)
    reference = str(chosen.get("$ref", "")).rpartition("/")[2]
    chosen = named.get(reference, chosen)
    meaning = "" if reference else str(chosen.get("description") or about.get("description", ""))
    if "enum" in chosen:
        return " \\| ".join(f"`{each}`" for each in chosen["enum"]), meaning
    low, high = chosen.get("minimum"), chosen.get("maximum")
    bounds = "" if low is None else f" {low} to {high}"
    longest = chosen.get("maxLength")
    limit = f" up to {longest}" if longest else ""
    kind = chosen.get("format") or chosen.get("type", "any")
    return f"{kind}{bounds}{limit}", meaning


def main() -> int:
    """Print the page, or with --check tell whether the written one is current."""
    if "--check" not in sys.argv:
        sys.stdout.write(page())
        return 0
    if _PAGE.is_file() and _PAGE.read_text(encoding="utf-8") == page():
        return 0
    sys.stderr.write("docs/tools.md is not current: run `make docs`\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
