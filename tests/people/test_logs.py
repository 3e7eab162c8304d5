"""Nothing secret is ever written, however it got into an event."""

import io
import json
import logging
import string
import time
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from infra.logs import MAX_VALUE, configure, correlated, get_logger, redact, scrub
from infra.settings import LogFormat, LogLevel, LogSettings

SECRETS = st.text(string.ascii_letters + string.digits + "-_", min_size=12, max_size=40).map(
    lambda text: f"S3cr3t{text}"
)
ODD = st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="\"'\\,;&"),
    min_size=8,
    max_size=40,
).map(lambda text: f"S3cr3t{text}")
NAMES = st.sampled_from(
    [
        "token",
        "access_token",
        "apiToken",
        "password",
        "PASSWORD",
        "db_passwd",
        "passphrase",
        "secret",
        "client_secret",
        "Authorization",
        "authorization",
        "Cookie",
        "set-cookie",
        "credentials",
        "api_key",
        "API-Key",
        "private_key",
        "privateKey",
        "key_material",
        "database_url",
        "dsn",
        "session_token",
        "nonce",
    ]
)
FORMS = st.sampled_from(
    [
        "Bearer {}",
        "bearer  {}",
        "Authorization: Bearer {}",
        "Authorization: Token {}",
        "authorization=Basic {}",
        "Cookie: a=b; session={}",
        "https://h/p?access_token={}&x=1",
        "password={}",
        "password: {}",
        "host=h user=u password='{}' port=1",
        '{{"password": "{}"}}',
        '{{\\"client_secret\\": \\"{}\\"}}',
        "{{'api_key': '{}'}}",
        "token = {}",
        "kitty_token_{}",
        "kitty_session_{}",
        "kitty_enrol_{}",
        "eyJhbGciOiJI.eyJ{}.c2ln",
        "sk-{}",
        "xoxb-{}",
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----",
        "-----BEGIN EC PRIVATE KEY-----\\n{}",
        "postgresql://kitty:{}@db.example:5432/kitty",
        "could not reach mqtt://{}@broker, giving up",
    ]
)
FORMATS = st.sampled_from(LogFormat)


def written(form: LogFormat, event: str, **values: object) -> str:
    out = io.StringIO()
    configure(LogSettings(level=LogLevel.DEBUG, format=form), out)
    get_logger("kitty.test").warning(event, **values)
    return out.getvalue()


@pytest.fixture(autouse=True)
def put_logging_back() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def nested(name: str, value: object, depth: int) -> object:
    inner: object = {name: value}
    for level in range(depth):
        inner = {"inner": inner} if level % 2 else [inner]
    return inner


@given(
    name=NAMES,
    secret=st.one_of(SECRETS, ODD),
    depth=st.integers(0, 9),
    prefix=st.sampled_from(["", "old_", "x-"]),
    form=FORMATS,
)
def test_by_name(name: str, secret: str, depth: int, prefix: str, form: LogFormat) -> None:
    assert secret not in written(form, "x", data=nested(prefix + name, secret, depth))
    assert secret not in written(form, "x", **{prefix + name: secret})
    assert secret not in written(form, "x", **{prefix + name: [secret, {"a": secret.encode()}]})


@given(shape=FORMS, secret=SECRETS, before=st.text(max_size=20), form=FORMATS)
def test_by_look(shape: str, secret: str, before: str, form: LogFormat) -> None:
    text = f"{before} {shape.format(secret)}"
    assert secret not in written(form, text)
    assert secret not in written(form, "x", detail=text, more=[{"deep": (text,)}])
    assert secret not in written(form, "x", **{text: 1})
    assert secret not in written(form, "x", odd=type("Odd", (), {"__repr__": lambda _: text})())


@given(password=ODD, before=st.text(max_size=20))
def test_a_password_in_an_address_may_hold_anything(password: str, before: str) -> None:
    assert password not in scrub(f"{before} postgresql://kitty:{password}@db/kitty failed")


@given(shape=FORMS, secret=SECRETS, form=FORMATS)
def test_in_exceptions_and_in_libraries(shape: str, secret: str, form: LogFormat) -> None:
    out = io.StringIO()
    configure(LogSettings(format=form), out)

    def fail() -> None:
        raise RuntimeError(shape.format(secret))

    try:
        fail()
    except RuntimeError:
        get_logger("kitty.test").exception("failed")
        logging.getLogger("library").exception("failed %s", shape.format(secret))
    text = out.getvalue()
    assert secret not in text
    assert text.count("RuntimeError") >= 2


@given(st.text(), st.text(max_size=50))
def test_every_event_is_one_line(text: str, name: str) -> None:
    for form in LogFormat:
        line = written(form, text, **{f"a{name}": text})
        assert line.count("\n") == 1
        assert len(line.splitlines()) == 1
        assert "\x1b" not in line


def test_json_has_time_level_logger_and_correlation() -> None:
    out = io.StringIO()
    configure(LogSettings(format=LogFormat.JSON), out)
    with correlated("abc123"):
        get_logger("kitty.gate").info("claimed", device="mk4", count=3)
        logging.getLogger("library").warning("odd %s", "thing")
    get_logger("kitty.gate").debug("too quiet")
    get_logger("kitty.gate").info("after")
    first, second, third = map(json.loads, out.getvalue().splitlines())
    assert first.pop("at").endswith("+00:00")
    assert first == {
        "event": "claimed",
        "level": "info",
        "logger": "kitty.gate",
        "correlation_id": "abc123",
        "device": "mk4",
        "count": 3,
    }
    assert (second["event"], second["logger"], second["level"], second["correlation_id"]) == (
        "odd thing",
        "library",
        "warning",
        "abc123",
    )
    assert "correlation_id" not in third


def test_sizes_are_bounded() -> None:
    line = written(
        LogFormat.JSON, "x" * 10_000_000, many=list(range(100_000)), deep=nested("a", 1, 60)
    )
    assert len(line) < MAX_VALUE + 2_000


@pytest.mark.parametrize(
    "unit", ["://", "token", "eyJ-", "-----BEGIN PRIVATE KEY", "bearer ", "1-"]
)
def test_hostile_text_costs_little(unit: str) -> None:
    before = time.process_time()
    redact(None, "info", {"event": unit * 300_000 + "@"})
    assert time.process_time() - before < 1.0


def test_ordinary_words_are_left_alone() -> None:
    for text in ("the door was unlocked", "https://example.org/a?b=c", "mk4 at 210 C, 3 tokens"):
        assert scrub(text) == text
