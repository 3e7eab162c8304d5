"""Writing the little TOML that a lab file needs."""

import json
from collections.abc import Mapping, Sequence
from typing import Any


def dump(document: Mapping[str, Any]) -> str:
    """Return a document as TOML: values first, then tables and arrays of tables."""
    return "\n".join(_lines(document, path="")) + "\n"


def _lines(table: Mapping[str, Any], *, path: str) -> list[str]:
    plain = {key: value for key, value in table.items() if not _is_table(value)}
    lines = [f"{key} = {_value(value)}" for key, value in plain.items()]
    for key, value in table.items():
        name = f"{path}.{key}" if path else key
        if key in plain:
            continue
        if isinstance(value, Mapping):
            lines += ["", f"[{name}]", *_lines(value, path=name)]
            continue
        for each in value:
            lines += ["", f"[[{name}]]", *_lines(each, path=name)]
    return lines


def _is_table(value: Any) -> bool:
    if isinstance(value, Mapping):
        return True
    return _is_list(value) and bool(value) and isinstance(value[0], Mapping)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _value(value: Any) -> str:
    if isinstance(value, bool | int):
        return json.dumps(value)
    if _is_list(value):
        return f"[{', '.join(map(_value, value))}]"
    # A JSON string is a TOML basic string, but for DEL, which no name here contains.
    return json.dumps(value, ensure_ascii=False)
