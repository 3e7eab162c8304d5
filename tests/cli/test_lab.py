"""The demo lab's processes, for real: they come up, come back, and go away."""

import asyncio
import os
import signal
from pathlib import Path

import pytest
from cli.test_running import FakeMqtt

from assistant.cli.lab import Lab, LabOptions, prepare
from assistant.cli.leave import CommandError
from infra.broker import BrokerProcess, Engine

pytestmark = pytest.mark.anyio


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_the_lab_comes_up_comes_back_and_goes_away(tmp_path: Path) -> None:
    options = LabOptions(home=tmp_path, seed=1, speed=10.0)
    prepare(options)
    assert (tmp_path / "lab.toml").exists()
    broker = BrokerProcess(tmp_path, engine=Engine.EMBEDDED)
    await broker.start()
    lab = Lab(options, FakeMqtt(broker.host, broker.port, broker.devices_file))
    ready = asyncio.Event()
    running = asyncio.create_task(lab.run(ready))
    try:
        async with asyncio.timeout(60):
            await ready.wait()
            first = lab.pid
            assert first is not None
            ready.clear()
            os.kill(first, signal.SIGKILL)
            await ready.wait()
        second = lab.pid
        assert second is not None
        assert second != first
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await broker.stop()
    assert not alive(second)


async def test_a_lab_that_cannot_start_is_a_sentence(tmp_path: Path) -> None:
    options = LabOptions(home=tmp_path, seed=1, speed=10.0)
    nowhere = FakeMqtt("127.0.0.1", 9, tmp_path / "none.json")
    with pytest.raises(CommandError, match="did not start"):
        await Lab(options, nowhere).run(asyncio.Event())
    assert "prepare" in (tmp_path / "lab.log").read_text()


def test_a_home_that_cannot_be_prepared_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CommandError, match="could not be prepared"):
        prepare(LabOptions(home=tmp_path / "file/home", seed=1, speed=10.0))
