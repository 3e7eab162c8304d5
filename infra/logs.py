"""Structured logs: one line per event, one correlation id per request, no secrets.

Everything that is written goes through `redact`, ours and libraries' alike.
"""

import logging
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, TextIO

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from infra import clock
from infra.settings import LogFormat, LogLevel, LogSettings

HIDDEN: Final = "***"
MAX_VALUE: Final = 4_000
"""Characters of one value that are written."""
MAX_TRACE: Final = 20_000
"""Characters of a traceback that are written; its end counts most."""
MAX_ITEMS: Final = 100
MAX_DEPTH: Final = 6
_SECRET_KEY: Final = re.compile(
    r"token|passw|passphrase|pwd|secret|authori[sz]ation|cookie|credential|bearer|nonce"
    r"|api[-_ ]?key|private[-_ ]?key|key[-_ ]?material|dsn|database_url",
    re.IGNORECASE,
)
_SECRETS: Final = (
    # A private key in PEM, whole, also when its line breaks were escaped.
    re.compile(
        r"-----BEGIN[A-Z ]{0,40}PRIVATE KEY-----.*?(?:-----END[A-Z ]{0,40}PRIVATE KEY-----|\Z)",
        re.DOTALL,
    ),
    re.compile(r"(?i)(?:cookie|authori[sz]ation)\\?[\"']?\s{0,8}[=:]\s{0,8}[^\r\n]*"),
    re.compile(r"(?i)\bbearer[ :=]{1,8}\S+|\bbasic[ :=]{1,8}[a-z0-9+/]{8,}=*"),
    re.compile(r"kitty_(?:token|session|enrol)_[\w-]+"),
    # name=value, name: value and "name": "value" in text.
    re.compile(
        r"(?i)(?:token|passw(?:or)?d|passphrase|secret|api[-_]?key|credential)[\w-]{0,40}"
        r"\\?[\"']?\s{0,8}[=:]\s{0,8}"
        r"(?:\\?\"(?:[^\"\\]|\\.)*\"?|'(?:[^'\\]|\\.)*'?|[^\s,;&\"']+)"
    ),
    re.compile(r"\beyJ[\w-]{4,}\.[\w-]{4,}\.[\w-]*"),
    re.compile(r"\b(?:sk|xox[abeprs]|xapp|ghp|glpat)[-_][\w-]{8,}"),
)
_WORD: Final = re.compile(r"\S+")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_LINES: Final = re.compile(r"[\n\t]")


def scrub(text: str) -> str:
    """Return text without what looks like a secret in it."""
    if "://" in text and "@" in text:
        text = _WORD.sub(_without_userinfo, text)
    for pattern in _SECRETS:
        text = pattern.sub(HIDDEN, text)
    return text


def _without_userinfo(word: re.Match[str]) -> str:
    """Hide user:password@ of an address: up to the last @, for a password may hold one."""
    start, end = word[0].find("://") + len("://"), word[0].rfind("@")
    return f"{word[0][:start]}{HIDDEN}{word[0][end:]}" if len("://") <= start <= end else word[0]


def redact(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:  # noqa: ARG001
    """Hide secrets, by name and by look; bound sizes; escape control characters."""
    return {_plain(str(name), MAX_VALUE): _safe(name, value, 0) for name, value in event.items()}


def _safe(name: object, value: object, depth: int) -> Any:
    if value is None:
        return None
    if isinstance(name, str) and _SECRET_KEY.search(name):
        return HIDDEN
    if isinstance(value, bool | int | float):
        return value
    if name == "exception" and isinstance(value, str):
        return _CONTROL.sub(_escaped, scrub(value[-MAX_TRACE:]))
    if isinstance(value, bytes | bytearray | memoryview):
        return f"<{len(value)} bytes>"
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        return _inside(value, depth)
    return _plain(value if isinstance(value, str) else repr(value), MAX_VALUE)


def _inside(
    value: Mapping[Any, Any] | list[Any] | tuple[Any, ...] | set[Any] | frozenset[Any], depth: int
) -> Any:
    if depth >= MAX_DEPTH:
        return "..."
    if isinstance(value, Mapping):
        some = list(value.items())[:MAX_ITEMS]
        return {_plain(str(key), MAX_VALUE): _safe(str(key), each, depth + 1) for key, each in some}
    return [_safe(None, each, depth + 1) for each in list(value)[:MAX_ITEMS]]


def _plain(text: str, limit: int) -> str:
    size = len(text)
    # Cut first, to bound the work, and at a space: half a secret may not look like one.
    text = scrub(text if size <= 4 * limit else text[: 4 * limit].rpartition(" ")[0])
    if len(text) > limit or size > 4 * limit:
        text = f"{text[:limit]}... ({size} characters)"
    return _LINES.sub(_escaped, _CONTROL.sub(_escaped, text))


def _escaped(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")


def _at(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:  # noqa: ARG001
    event["at"] = clock.now().isoformat(timespec="milliseconds")
    return event


class _Writer(structlog.WriteLogger):
    """Writes finished lines and knows what it is called."""

    def __init__(self, stream: TextIO, name: str) -> None:
        super().__init__(stream)
        self.name = name


def configure(settings: LogSettings, stream: TextIO | None = None) -> None:
    """Write logs as the settings say, to standard error unless told otherwise."""
    out = sys.stderr if stream is None else stream
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    processors = _processors(settings.format, colours=out.isatty())
    structlog.configure(
        processors=[structlog.stdlib.add_logger_name, *processors],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *args: _Writer(out, str(args[0]) if args else "kitty"),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *processors,
            ],
            foreign_pre_chain=[structlog.stdlib.add_logger_name],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    # Libraries speak up about problems only, unless somebody is looking for one.
    root.setLevel(logging.INFO if settings.level is LogLevel.DEBUG else max(level, logging.WARNING))


def _processors(form: LogFormat, *, colours: bool) -> list[Processor]:
    renderer: Processor
    if form is LogFormat.JSON:
        renderer = structlog.processors.JSONRenderer()
    else:
        renderer = structlog.dev.ConsoleRenderer(
            colors=colours, exception_formatter=structlog.dev.plain_traceback, pad_event_to=24
        )
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        _at,
        structlog.processors.format_exc_info,
        redact,
        renderer,
    ]


def get_logger(name: str) -> FilteringBoundLogger:
    """Return the logger of a part of KITTY, for example `kitty.mqtt`."""
    logger: FilteringBoundLogger = structlog.get_logger(name)
    return logger


@contextmanager
def correlated(correlation: str) -> Iterator[None]:
    """Put a correlation id on every line written inside, also in tasks started there."""
    with structlog.contextvars.bound_contextvars(correlation_id=correlation):
        yield
