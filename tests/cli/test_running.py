"""Serving: announced while it runs, stopped cleanly, refused in a sentence."""

import asyncio
import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import uvloop
from cli.scripted import Kitt

from assistant.cli.leave import Code, CommandError
from assistant.cli.running import Info, announced, run
from assistant.cli.serve import description, welcome
from assistant.cli.session import program
from infra.db import StoreUnavailableError
from infra.settings import Settings


@dataclass(frozen=True)
class FakeMqtt:
    host: str
    port: int
    credentials: Path


@dataclass(frozen=True)
class FakeInfo:
    url: str
    home: Path
    mqtt: FakeMqtt
    enrolment: str | None = None

    async def sign_in_link(self, handle: str) -> str:
        return f"{self.url}/sign-in?code={handle}-once"


def settings(home: Path, port: int = 0) -> Settings:
    usual = Settings()
    return replace(
        usual, store=replace(usual.store, home=home), http=replace(usual.http, port=port)
    )


def info(home: Path) -> FakeInfo:
    login = home / "devices.json"
    login.write_text('{"username": "devices", "password": "hush"}')
    mqtt = FakeMqtt(host="127.0.0.1", port=1883, credentials=login)
    return FakeInfo(url="http://127.0.0.1:8400", home=home, mqtt=mqtt)


class Server:
    """Is ready at once, and writes down how it ends."""

    def __init__(self, said: list[str]) -> None:
        self.said = said

    async def __call__(self, settings: Settings, *, ready: Callable[[Info], None]) -> None:
        assert isinstance(asyncio.get_running_loop(), uvloop.Loop)
        ready(info(settings.store.home))
        try:
            await asyncio.Event().wait()
        finally:
            self.said.append("server ended")


def until_stopped(number: signal.Signals, said: list[str]) -> Callable[[Info], Awaitable[None]]:
    async def beside(found: Info) -> None:
        with announced(found, found.home / "tokens/operator.token"):
            file = found.home / "run.json"
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
            said.append(json.loads(file.read_text())["url"])
            os.kill(os.getpid(), number)
            try:
                await asyncio.Event().wait()
            finally:
                said.append("companion ended")

    return beside


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stops_cleanly_and_in_order(tmp_path: Path, number: signal.Signals) -> None:
    said: list[str] = []
    assert run(Server(said), settings(tmp_path), until_stopped(number, said)) is Code.DONE
    assert said == ["http://127.0.0.1:8400", "companion ended", "server ended"]
    assert not (tmp_path / "run.json").exists()


def test_a_companion_that_fails_ends_the_server(tmp_path: Path) -> None:
    said: list[str] = []

    async def beside(_: Info) -> None:
        raise CommandError("the lab did not start.")

    with pytest.raises(CommandError, match="the lab did not start"):
        run(Server(said), settings(tmp_path), beside)
    assert said == ["server ended"]


def test_expected_problems_are_sentences(tmp_path: Path) -> None:
    async def server(settings: Settings, *, ready: Callable[[Info], None]) -> None:
        raise StoreUnavailableError("the database does not answer")

    async def beside(_: Info) -> None:
        raise AssertionError

    with pytest.raises(CommandError, match="the database does not answer"):
        run(server, settings(tmp_path), beside)


def test_one_server_a_home_and_a_port(tmp_path: Path) -> None:
    said: list[str] = []

    async def second(found: Info) -> None:
        with pytest.raises(CommandError, match="already runs in"):
            run(Server(said), settings(tmp_path), until_stopped(signal.SIGINT, said))
        raise CommandError("enough.")

    with pytest.raises(CommandError, match="enough"):
        run(Server(said), settings(tmp_path), second)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CommandError, match=f"cannot listen on 127.0.0.1 port {port}"):
            run(Server(said), settings(tmp_path, port), until_stopped(signal.SIGINT, said))
    (tmp_path / "file").write_text("")
    with pytest.raises(CommandError, match="cannot be used"):
        run(Server(said), settings(tmp_path / "file/home"), until_stopped(signal.SIGINT, said))


def test_what_programs_are_told(tmp_path: Path) -> None:
    for folder, name in (("tokens", "operator.token"), ("keys", "operator.pem")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_text("secret\n")
    found = description(info(tmp_path))
    password = tmp_path / "mqtt.password"
    assert found == {
        "url": "http://127.0.0.1:8400",
        "tokens": {"operator": "secret"},
        "keys": {"operator": str(tmp_path / "keys/operator.pem")},
        "mqtt": {
            "host": "127.0.0.1", "port": 1883, "username": "devices",
            "password_file": str(password),
        },
        "wyoming": None,
    }  # fmt: skip
    assert (password.read_text(), stat.S_IMODE(password.stat().st_mode)) == ("hush", 0o600)


def test_what_people_are_told(tmp_path: Path) -> None:
    said = welcome(info(tmp_path), "http://127.0.0.1:8400/once", usual_home=False)
    for words in (
        "http://127.0.0.1:8400/once", "unlock the welding bay door", f"{program()} chat --home {tmp_path}",
        f"--as engineer --key {tmp_path}/keys/engineer.pem", "--as safety", "Ctrl-C",
    ):  # fmt: skip
        assert words in said
    assert f" chat --home {tmp_path}" not in welcome(info(tmp_path), "x", usual_home=True)


def test_help_is_quick_and_loads_no_server() -> None:
    program = (
        "import sys, time\n"
        "from assistant.cli.app import run\n"
        "assert run(['--help']) == 0\n"
        "heavy = {'langgraph', 'nicegui', 'uvicorn', 'psycopg', 'fastapi', 'amqtt'}\n"
        "print(time.process_time(), sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    seconds, loaded = done.stdout.splitlines()[-1].split(maxsplit=1)
    assert loaded == "[]"
    assert float(seconds) < 1.0


def test_the_reference_page_is_up_to_date() -> None:
    checked = [sys.executable, "-m", "assistant.cli.reference", "--check"]
    done = subprocess.run(checked, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_settings_that_are_wrong(local: Kitt, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KITTY_HTTP_PORT", "many")
    ran = local("migrate")
    assert ran.code == 64
    assert "KITTY_HTTP_PORT" in ran.err
