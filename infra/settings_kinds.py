"""How one setting is read: from text (environment) or from a typed value (kitty.toml)."""

import math
import re
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar
from urllib.parse import urlsplit

from pydantic import SecretStr

T_co = TypeVar("T_co", covariant=True)
E = TypeVar("E", bound=StrEnum)

MAX_TEXT = 4_096
"""Characters in one value."""
_ITEM = "kitty"
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class Kind(Protocol[T_co]):
    """Reads one value; `wants` completes the sentence "it must be ..."."""

    @property
    def wants(self) -> str:
        """What is accepted, in words."""
        ...

    def read(self, value: object, *, typed: bool) -> T_co:
        """Return the value; raise ValueError if it is not wanted.  `typed` values are TOML's."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """What is known of a setting beside its value."""

    env: str
    kind: Kind[object]
    doc: str
    unset: str = ""
    """What happens when nothing is set, in words; empty: the default is shown as it is."""
    secret: bool = False


def known(
    *, env: str, kind: Kind[object], doc: str, unset: str = "", secret: bool = False
) -> dict[str, Item]:
    """Return the metadata that makes a dataclass field a setting."""
    return {_ITEM: Item(env=env, kind=kind, doc=doc, unset=unset, secret=secret)}


def _refuse() -> ValueError:
    return ValueError("not what is wanted")


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number within bounds."""

    low: int
    high: int
    unit: str = ""

    @property
    def wants(self) -> str:
        """What is accepted, in words."""
        unit = f" ({self.unit})" if self.unit else ""
        return f"a whole number from {self.low} to {self.high}{unit}"

    def read(self, value: object, *, typed: bool) -> int:
        """Return the number."""
        if not typed and isinstance(value, str) and _WHOLE.fullmatch(value):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise _refuse()
        if not self.low <= value <= self.high:
            raise _refuse()
        return value


@dataclass(frozen=True, slots=True)
class Fraction:
    """A number within bounds."""

    low: float
    high: float

    @property
    def wants(self) -> str:
        """What is accepted, in words."""
        return f"a number from {self.low:g} to {self.high:g}"

    def read(self, value: object, *, typed: bool) -> float:
        """Return the number."""
        if typed == isinstance(value, str) or isinstance(value, bool):
            raise _refuse()
        if not isinstance(value, int | float | str):
            raise _refuse()
        number = float(value)
        if not (math.isfinite(number) and self.low <= number <= self.high):
            raise _refuse()
        return number


@dataclass(frozen=True, slots=True)
class Switch:
    """Yes or no."""

    @property
    def wants(self) -> str:
        """What is accepted, in words."""
        return "true or false"

    def read(self, value: object, *, typed: bool) -> bool:
        """Return whether it is on."""
        if typed and isinstance(value, bool):
            return value
        if typed or not isinstance(value, str) or value.lower() not in {"true", "false"}:
            raise _refuse()
        return value.lower() == "true"


@dataclass(frozen=True, slots=True)
class Duration:
    """A span of time, given as a number of its unit."""

    low: float
    high: float
    unit: str
    """`seconds` or `days`."""

    @property
    def wants(self) -> str:
        """What is accepted, in words."""
        return f"a number of {self.unit} from {self.low:g} to {self.high:g}"

    def read(self, value: object, *, typed: bool) -> timedelta:
        """Return the span."""
        return timedelta(**{self.unit: Fraction(self.low, self.high).read(value, typed=typed)})


@dataclass(frozen=True, slots=True)
class Choice(Generic[E]):
    """One of a closed set of words."""

    of: type[E]

    @property
    def wants(self) -> str:
        """What is accepted, in words."""
        return "one of " + ", ".join(self.of)

    def read(self, value: object, *, typed: bool) -> E:  # noqa: ARG002
        """Return the word."""
        if not isinstance(value, str):
            raise _refuse()
        return self.of(value.lower())


@dataclass(frozen=True, slots=True)
class Words:
    """A line of text."""

    what: str
    pattern: str = ".+"

    @property
    def wants(self) -> str:
        """What is accepted, in words."""
        return self.what

    def read(self, value: object, *, typed: bool) -> str:  # noqa: ARG002
        """Return the text."""
        text = line(value)
        if not re.fullmatch(self.pattern, text):
            raise _refuse()
        return text


@dataclass(frozen=True, slots=True)
class Location:
    """A file or folder; `~` is the person's own folder."""

    what: str

    @property
    def wants(self) -> str:
        """What is accepted, in words."""
        return f"the path of {self.what}"

    def read(self, value: object, *, typed: bool) -> Path:  # noqa: ARG002
        """Return the path."""
        try:
            return Path(line(value)).expanduser()
        except RuntimeError:
            raise _refuse() from None


@dataclass(frozen=True, slots=True)
class Url:
    """An address of one of some schemes."""

    schemes: tuple[str, ...]
    bare: bool = False
    """Nothing after the host: no path, no query, no name or password."""

    @property
    def wants(self) -> str:
        """What is accepted, in words."""
        end = " without a path" if self.bare else ""
        return f"an address like {self.schemes[0]}://host:port{end}"

    def read(self, value: object, *, typed: bool) -> str:  # noqa: ARG002
        """Return the address without a slash at its end."""
        text = line(value)
        parts = urlsplit(text)
        _ = parts.port  # raises ValueError outside 0 to 65535
        if parts.scheme not in self.schemes or not (parts.netloc or parts.query):
            raise _refuse()
        rest = parts.path.strip("/") + parts.query + parts.fragment
        if self.bare and (rest or "@" in parts.netloc or not parts.hostname):
            raise _refuse()
        return text.rstrip("/") if self.bare else text


@dataclass(frozen=True, slots=True)
class SecretUrl:
    """An address that may hold a password."""

    schemes: tuple[str, ...]

    @property
    def wants(self) -> str:
        """What is accepted, in words."""
        return Url(self.schemes).wants

    def read(self, value: object, *, typed: bool) -> SecretStr:
        """Return the address, masked in every representation."""
        return SecretStr(Url(self.schemes).read(value, typed=typed))


def line(value: object) -> str:
    """Return one line of text, neither empty nor long nor with control characters."""
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TEXT or _CONTROL.search(value):
        raise _refuse()
    return value


def items_of(part: Any) -> dict[str, Item]:
    """Return the settings of a part (a dataclass), by field name."""
    found = part.__dataclass_fields__
    return {name: each.metadata[_ITEM] for name, each in found.items() if _ITEM in each.metadata}
