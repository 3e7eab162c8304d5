"""JSON read so that no two readers can understand it differently."""

import json
from collections.abc import Sequence
from typing import Any, Final


class NotStrictError(ValueError):
    """A text is not strict JSON; `code` is stable snake_case."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def _constant(text: str) -> None:
    raise NotStrictError("not_finite", f"{text} is not a JSON number")


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NotStrictError("duplicate_key", "an object names the same key twice")
    return found


def _names(pairs: Sequence[tuple[str, Any]]) -> tuple[str, ...]:
    names = tuple([name for name, _ in pairs])
    if len(set(names)) != len(names):
        raise NotStrictError("duplicate_key", "an object names the same key twice")
    return names


_READER: Final = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant)
# Numbers are only looked at, never worked out: one may have more digits than Python reads.
_LOOKER: Final = json.JSONDecoder(
    object_pairs_hook=_names, parse_constant=_constant, parse_int=len, parse_float=len
)


def _decode(decoder: json.JSONDecoder, line: bytes) -> Any:
    """Decode one value that ends with the line's end and has no space around it."""
    try:
        text = line.decode()
        value, end = decoder.raw_decode(text)
    except UnicodeDecodeError:
        raise NotStrictError("not_utf8", "the line is not UTF-8") from None
    except RecursionError:
        raise NotStrictError("too_deep", "the line is nested too deeply") from None
    except NotStrictError:
        raise
    except ValueError:
        raise NotStrictError("not_json", "the line is not JSON") from None
    if text[end:] not in {"", "\n"}:
        raise NotStrictError("not_json", "something follows the JSON value on its line")
    return value


def read_object(line: bytes) -> dict[str, Any]:
    """Return the one JSON object of a line."""
    value = _decode(_READER, line)
    if not isinstance(value, dict):
        raise NotStrictError("not_json", "the line is not a JSON object")
    return value


def member_names(line: bytes) -> tuple[str, ...]:
    """Return the names of the members of a line's object, in their order; check all inside it."""
    names = _decode(_LOOKER, line)
    if not isinstance(names, tuple):
        raise NotStrictError("not_json", "the line is not a JSON object")
    return names
