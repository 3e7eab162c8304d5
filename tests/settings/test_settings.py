"""Settings: read once, or refused with a sentence that helps."""

import math
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from infra.settings import (
    BrokerEngine,
    LogFormat,
    LogLevel,
    Settings,
    SettingsError,
    default_home,
    describe,
    known_items,
    load,
    main,
)
from infra.settings_docs import settings_page

ROOT = Path(__file__).resolve().parents[2]
GOOD = {
    "KITTY_HOME": "/srv/kitty",
    "KITTY_DATABASE_URL": "postgresql://kitty:S3cr3t@db.example/kitty",
    "KITTY_CONVERSATION_TTL_DAYS": "7",
    "KITTY_TELEMETRY_TTL_DAYS": "0.5",
    "KITTY_MQTT_HOST": "broker.example",
    "KITTY_MQTT_PORT": "8883",
    "KITTY_MQTT_USERNAME": "kitty",
    "KITTY_MQTT_TLS": "true",
    "KITTY_MQTT_CA_FILE": "/etc/ssl/lab.pem",
    "KITTY_MQTT_ENGINE": "embedded",
    "KITTY_HTTP_HOST": "0.0.0.0",
    "KITTY_HTTP_PORT": "9000",
    "KITTY_PUBLIC_URL": "https://kitty.example/",
    "KITTY_APPROVAL_SECONDS": "120",
    "KITTY_COMMAND_SECONDS": "2.5",
    "KITTY_SITE": "north-1",
    "KITTY_HIGH_HAZARD_SYNCED_KEYS": "accept",
    "KITTY_ROUTING_LOCAL_THRESHOLD": "0.9",
    "KITTY_LAB_FILE": "lab.toml",
    "KITTY_LOG_LEVEL": "WARNING",
    "KITTY_LOG_FORMAT": "json",
    "KITTY_MAX_BODY_BYTES": "2048",
    "KITTY_MAX_TEXT_CHARS": "100",
    "KITTY_REQUESTS_PER_MINUTE": "10",
}


def toml(folder: Path, text: str) -> Path:
    file = folder / "kitty.toml"
    file.write_text(text, encoding="utf-8")
    return file


def refused(environ: dict[str, str], file: Path | None = None, **more: object) -> str:
    with pytest.raises(SettingsError) as error:
        load(environ, file, more or None)
    assert error.value.code == "bad_settings"
    return str(error.value)


def attempted(environ: dict[str, str]) -> tuple[Settings | None, str]:
    try:
        return load(environ), ""
    except SettingsError as error:
        return None, str(error)


def test_nothing_set_is_fine() -> None:
    settings = load({"PATH": "/bin"})
    assert settings == Settings()
    assert settings.http.host == "127.0.0.1"
    assert settings.gate.approval == timedelta(seconds=300)


def test_everything_set() -> None:
    settings = load(GOOD)
    assert set(GOOD) | {"KITTY_MQTT_PASSWORD_FILE"} == {item.env for item in known_items().values()}
    assert settings.store.home == Path("/srv/kitty")
    assert settings.store.database_url is not None
    assert settings.store.database_url.get_secret_value() == GOOD["KITTY_DATABASE_URL"]
    assert settings.store.telemetry_ttl == timedelta(hours=12)
    assert settings.broker.engine is BrokerEngine.EMBEDDED
    assert settings.broker.tls is True
    assert settings.http.public_url == "https://kitty.example"
    assert settings.gate.command == timedelta(seconds=2.5)
    assert settings.gate.site == "north-1"
    assert settings.routing.local_threshold == 0.9
    assert settings.lab.file == Path.cwd() / "lab.toml"
    assert settings.log.level is LogLevel.WARNING
    assert settings.log.format is LogFormat.JSON
    assert settings.limits.requests_per_minute == 10


def test_command_line_over_environment_over_file_over_default(tmp_path: Path) -> None:
    file = toml(tmp_path, "[http]\nport = 1\nhost = '::1'\n[gate]\napproval = 60")
    settings = load({"KITTY_HTTP_PORT": "2", "KITTY_HTTP_HOST": ""}, file)
    assert (settings.http.port, settings.http.host) == (2, "::1")
    assert settings.gate.approval == timedelta(minutes=1)
    assert load({"KITTY_HTTP_PORT": "2"}, file, {"http.port": 0}).http.port == 0
    assert load({}, None, {"store.home": tmp_path}).store.home == tmp_path


def test_relative_paths_start_where_they_are_written(tmp_path: Path) -> None:
    assert (
        load({}, toml(tmp_path, "[lab]\nfile = 'a/lab.toml'")).lab.file == tmp_path / "a/lab.toml"
    )


def test_home() -> None:
    assert default_home({"HOME": "/home/olga"}, root=False) == Path("/home/olga/.local/share/kitty")
    assert default_home({"HOME": "/root"}, root=True) == Path("/var/lib/kitty")
    assert load({}, home=Path("/x")).store.home == Path("/x")
    assert load({"KITTY_HOME": "/y"}, home=Path("/x")).store.home == Path("/y")


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"KITTY_HTTP_PORT": "99999"}, ["KITTY_HTTP_PORT", "'99999'", "0 to 65535"]),
        ({"KITTY_HTTP_PORT": "80.5"}, ["KITTY_HTTP_PORT"]),
        ({"KITTY_HTTP_PORT": "8_400"}, ["KITTY_HTTP_PORT"]),
        ({"KITTY_HTTP_PORT": "٨٠"}, ["KITTY_HTTP_PORT"]),
        ({"KITTY_HTTP_PRT": "1"}, ["KITTY_HTTP_PRT", "did you mean KITTY_HTTP_PORT?"]),
        ({"KITTY_QWERTY": "1"}, ["KITTY_QWERTY", "docs/settings.md"]),
        ({"KITTY_APPROVAL_SECONDS": "nan"}, ["KITTY_APPROVAL_SECONDS", "1 to 86400"]),
        ({"KITTY_APPROVAL_SECONDS": "inf"}, ["KITTY_APPROVAL_SECONDS"]),
        ({"KITTY_APPROVAL_SECONDS": "0"}, ["KITTY_APPROVAL_SECONDS"]),
        ({"KITTY_ROUTING_LOCAL_THRESHOLD": "1.01"}, ["0 to 1"]),
        ({"KITTY_LOG_LEVEL": "loud"}, ["'loud'", "debug, info, warning, error"]),
        ({"KITTY_PUBLIC_URL": "kitty.example"}, ["KITTY_PUBLIC_URL", "https://"]),
        ({"KITTY_PUBLIC_URL": "https://a/b"}, ["without a path"]),
        ({"KITTY_PUBLIC_URL": "javascript://a"}, ["KITTY_PUBLIC_URL"]),
        ({"KITTY_MQTT_PORT": "1883"}, ["KITTY_MQTT_PORT", "KITTY_MQTT_HOST"]),
        ({"KITTY_MQTT_HOST": "a b"}, ["KITTY_MQTT_HOST"]),
        ({"KITTY_MQTT_HOST": "b", "KITTY_MQTT_TLS": "yes"}, ["true or false"]),
        ({"KITTY_HOME": "a\x00b"}, ["KITTY_HOME"]),
        ({"KITTY_HOME": "~nobody-of-that-name/x"}, ["KITTY_HOME"]),
        ({"KITTY_HOME": "x" * 5_000}, ["KITTY_HOME", "..."]),
    ],
)
def test_bad_values_are_refused_in_a_sentence(environ: dict[str, str], words: list[str]) -> None:
    message = refused(environ)
    assert all(word in message for word in words), message
    assert len(message) < 400


def test_all_problems_are_named_at_once() -> None:
    message = refused({"KITTY_HTTP_PORT": "x", "KITTY_LOG_LEVEL": "y", "KITTY_NO": "1"})
    assert len(message.splitlines()) == 3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[http]\nport = '8400'", ["http.port in", "whole number"]),
        ("[http]\nport = true", ["http.port in"]),
        ("[http]\nport = 8400.0", ["http.port in"]),
        ("[http]\nprot = 8400", ["http.prot in", "did you mean http.port?"]),
        ("port = 8400", ["port in"]),
        ("[http.port]\na = 1", ["http.port in"]),
        ("[nothing]\na = 1", ["nothing.a in"]),
        ("[gate]\napproval = nan", ["gate.approval in"]),
        ("[gate]\napproval = [1]", ["gate.approval in"]),
        ("[http]\nhost = 1", ["http.host in"]),
        ("[http]\nport = 1\nport = 2", ["is not TOML"]),
        ("x" * 70_000, ["over 65536 bytes"]),
        ("a = " + "[" * 9_000, ["is not TOML"]),
    ],
)
def test_bad_files_are_refused(tmp_path: Path, text: str, words: list[str]) -> None:
    message = refused({}, toml(tmp_path, text))
    assert all(word in message for word in words), message


def test_unreadable_files_are_refused(tmp_path: Path) -> None:
    assert "cannot be read" in refused({}, tmp_path / "none.toml")
    binary = tmp_path / "kitty.toml"
    binary.write_bytes(b"\xff\xfe")
    assert "is not TOML" in refused({}, binary)


def test_the_command_line_takes_no_secrets() -> None:
    with pytest.raises(SettingsError, match="KITTY_DATABASE_URL in the environment") as error:
        load({}, None, {"store.database_url": "postgresql://u:S3cr3t@h/d"})
    assert "S3cr3t" not in str(error.value)
    with pytest.raises(SettingsError, match=r"did you mean http\.port"):
        load({}, None, {"http.prt": 1})


PASSWORDS = st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="[]/?#"), min_size=6
).map(lambda text: f"S3cr3t{text}")


@given(password=PASSWORDS, name=st.sampled_from(["x", "y"]))
def test_a_password_is_never_shown(password: str, name: str) -> None:
    for url in (
        f"postgresql://kitty:{password}@db.example/{name}",
        f"postgresql://db.example/{name}?user=a&password={password.replace('&', '')}",
    ):
        settings = load({"KITTY_DATABASE_URL": url})
        assert "S3cr3t" not in f"{settings} {settings!r} {settings.store} {describe(settings)}"
    url = f"postgresql://kitty:{password}@db.example/{name}"
    shown = describe(load({"KITTY_DATABASE_URL": url}))["store.database_url"]
    assert shown == f"postgresql://***@db.example/{name}"


@given(password=PASSWORDS)
def test_a_password_is_not_repeated_when_refused(password: str) -> None:
    for url in (f"mysql://k:{password}@h/d", f"postgresql://k:{password}@h:99999/d", password):
        assert "S3cr3t" not in refused({"KITTY_DATABASE_URL": url})


@given(value=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
@example(" 1")
@example("-0")
@example("1e1")
def test_any_text_is_read_within_bounds_or_refused(value: str) -> None:
    for name, item in known_items().items():
        if name.startswith("broker."):
            continue
        settings, refusal = attempted({item.env: value})
        if settings is None:
            assert item.env in refusal
        else:
            assert 0 <= settings.http.port <= 65535
            assert timedelta(seconds=1) <= settings.gate.approval <= timedelta(days=1)
            assert 0 <= settings.routing.local_threshold <= 1
            assert 1 <= settings.limits.text_chars <= 4_000


@given(st.floats(0.1, 300))
def test_durations_come_back(seconds: float) -> None:
    read = load({"KITTY_COMMAND_SECONDS": repr(seconds)}).gate.command.total_seconds()
    assert math.isclose(read, seconds, abs_tol=1e-6)


@given(st.integers())
def test_ports_come_back_or_are_refused(port: int) -> None:
    if 0 <= port <= 65535:
        assert load({"KITTY_HTTP_PORT": str(port)}).http.port == port
    else:
        assert "KITTY_HTTP_PORT" in refused({"KITTY_HTTP_PORT": str(port)})


def broker_with(file: Path) -> dict[str, str]:
    return {
        "KITTY_MQTT_HOST": "b",
        "KITTY_MQTT_USERNAME": "kitty",
        "KITTY_MQTT_PASSWORD_FILE": str(file),
    }


def test_the_brokers_password_comes_from_its_file(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("S3cr3t word\n")
    settings = load(broker_with(file))
    assert settings.broker.password is not None
    assert settings.broker.password.get_secret_value() == "S3cr3t word"
    assert "S3cr3t" not in f"{settings!r} {describe(settings)}"


@pytest.mark.parametrize("content", [b"", b"\n", b"two\nlines", b"x" * 5_000, b"\xff\xfe"])
def test_a_bad_password_file_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "password"
    file.write_bytes(content)
    message = refused(broker_with(file))
    assert message.startswith("KITTY_MQTT_PASSWORD_FILE")
    assert len(message) < 200
    file.unlink()
    assert "cannot be read" in refused(broker_with(file))


def test_a_password_needs_a_name_and_a_broker(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("x")
    environ = broker_with(file)
    del environ["KITTY_MQTT_USERNAME"]
    assert "KITTY_MQTT_USERNAME" in refused(environ)


def test_the_page_is_current() -> None:
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert page == settings_page(known_items(), Settings()), "run python -m infra.settings --docs"
    for item in known_items().values():
        assert item.env in page
        assert item.doc in page


def test_only_docs_is_understood(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--nonsense"]) == 2
    assert "--docs" in capsys.readouterr().err


def test_the_environment_is_read_in_one_place() -> None:
    readers = [
        path.relative_to(ROOT).as_posix()
        for folder in ("assistant", "tools", "routing", "cad", "safety", "infra")
        for path in (ROOT / folder).rglob("*.py")
        if "os.environ" in (text := path.read_text(encoding="utf-8")) or "os.getenv" in text
    ]
    assert readers == ["infra/settings.py"]
