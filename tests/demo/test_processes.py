"""The whole lab over a real broker: states, commands, restarts, faults, and a clean end."""

import asyncio
import os
import select
import signal
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fakes.approvals import Signers
from fakes.demolab import WITHIN, Ear, running

from infra.broker import BrokerProcess
from infra.demo.control import send_order
from infra.demo.prepare import prepare
from infra.lab_file import read_lab

pytestmark = pytest.mark.anyio


def watched(pids: list[int]) -> dict[int, int]:
    return {pid: os.pidfd_open(pid) for pid in pids}


def until_gone(handles: dict[int, int]) -> None:
    for pid, handle in handles.items():
        assert select.select([handle], [], [], WITHIN)[0], f"process {pid} lives on"
        os.close(handle)


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[BrokerProcess]:
    process = BrokerProcess(tmp_path)
    await process.start()
    yield process
    await process.stop()


@pytest.fixture
async def ear(broker: BrokerProcess) -> AsyncIterator[Ear]:
    listener = Ear(broker)
    yield listener
    listener.close()


@pytest.fixture
async def home(tmp_path: Path) -> Path:
    prepare(tmp_path / "lab", seed=5)
    return tmp_path / "lab"


async def test_everything_in_the_lab_file_reports_and_people_are_seen(home, broker, ear) -> None:
    devices = {each.external_id: each.kind for each in read_lab(home / "lab.toml").devices}
    async with running(home, broker) as lab:
        assert lab.ready["ready"] is True
        assert lab.ready["devices"] == len(devices) == 27
        for device, kind in devices.items():
            ear.until_state(device, online=True)
            if kind == "camera":
                topic = f"kitty/devices/{device}/snapshot"
                ear.until(lambda topic=topic: topic in [name for name, _ in ear.messages])
        seen = {
            zone: {message["user"] for message in ear.heard(f"kitty/presence/{zone}")}
            for zone in ("main-floor", "welding-bay", "laser-room")
        }
        assert seen["main-floor"] == {"operator", "engineer", "safety"}
        assert seen["welding-bay"] == {"operator", "engineer", "safety"}
        assert lab.order(
            device="badges", user="operator", zone="welding-bay", status="vacated"
        ) == {"ok": True, "detail": ""}
        ear.until(lambda: ear.heard("kitty/presence/welding-bay")[-1]["status"] == "vacated")
    for device in devices:
        ear.until_state(device, online=False)
    assert lab.process.returncode == 0


async def test_a_command_acts_once_also_after_its_process_was_killed(home, broker, ear) -> None:
    light = "welding-bay-lights"
    async with running(home, broker) as lab:
        assert ear.told(light, "switch", {"on": True}, name="first")["ok"]
        ear.until_state(light, on=True)
        assert ear.told(light, "switch", {"on": False}, name="second")["ok"]
        assert ear.told(light, "switch", {"on": True}, name="first")["ok"]
        assert ear.state(light)["state"]["on"] is False
        children = lab.children()
        gone = watched(children)
        for pid in children:
            os.kill(pid, signal.SIGKILL)
        until_gone(gone)
        ear.until_state(light, online=False)
        ear.until_state(light, online=True, commands=["first", "second"])
        assert ear.told(light, "switch", {"on": True}, name="first")["ok"]
        late = ear.told(light, "switch", {"on": True}, seconds=-1)
        assert (late["ok"], late["code"]) == (False, "too_late")
        assert ear.state(light)["state"]["on"] is False
        assert ear.told(light, "switch", {"on": True}, name="third")["ok"]
        ear.until_state(light, on=True, commands=["first", "second", "third"])


async def test_a_prepared_job_is_printed(home, broker, ear) -> None:
    job = next(job for job in read_lab(home / "lab.toml").jobs if job.name == "cable clips")
    payload = {
        "job": str(uuid.uuid4()),
        "gcode_path": job.gcode_path,
        "gcode_sha256": job.gcode_sha256,
    }
    async with running(home, broker):
        start = Signers(home).message
        assert ear.sent(start("mk4", "start_print", payload, "operator"))["ok"]
        ear.until_state("mk4", status="printing")
        again = start("mk4", "start_print", payload, "operator")
        assert ear.sent(again)["code"] == "busy"
        ear.until_state("mk4", status="complete", progress=1.0)
        progress = [s["state"]["progress"] for s in ear.heard("kitty/devices/mk4/state")]
        assert progress == sorted(progress)
        assert len(set(progress)) > 2


async def test_a_device_that_vanishes_leaves_its_will_and_comes_back(home, broker, ear) -> None:
    async with running(home, broker) as lab:
        door = "store-room-door"
        ear.until_state(door, online=True)
        assert lab.order(device=door, fault="offline", seconds=1)["ok"]
        ear.until_state(door, online=False)
        ear.until_state(door, online=True)
        assert lab.order(device=door, fault="twice")["ok"]
        unlock = Signers(home).message(door, "unlock", {"seconds": 1})
        ear.send(door, unlock)
        name = unlock["command_id"]
        ear.until(lambda: len(ear.acks(door, name)) == 2)
        ear.until_state(door, locked=True, commands=[name])
        states = [s["state"].get("locked") for s in ear.heard(f"kitty/devices/{door}/state")]
        assert states.count(False) == 1
        assert not lab.order(device="toaster", fault="silent")["ok"]
        assert "silent" in lab.order(device=door, fault="haunted")["detail"]
        assert not send_order(lab.ready["control_port"], "nonsense")["ok"]


async def test_a_new_broker_finds_everything_again(home, broker, ear) -> None:
    async with running(home, broker):
        power = Signers(home).message("welder", "enable_power", {})
        one = power["command_id"]
        assert ear.sent(power)["ok"]
        await broker.stop()
        ear.messages.clear()
        await broker.start()
        ear.until_state("welder", online=True, on=True, commands=[one])
        assert ear.told("welder", "cut_power", {})["ok"]
        for device in ("mk4", "laser-room-camera", "main-floor-sensor"):
            ear.until_state(device, online=True)
        topic = "kitty/devices/laser-room-camera/snapshot"
        ear.until(lambda: topic in [name for name, _ in ear.messages])
        ear.until(lambda: ear.heard("kitty/presence/laser-room"))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
async def test_nothing_is_left_however_the_lab_ends(home, broker, how) -> None:
    async with running(home, broker) as lab:
        children = lab.children()
        assert len(children) == 4
        gone = watched(children)
        lab.process.send_signal(how)
        until_gone(gone)


async def test_the_lab_waits_for_a_broker_that_comes_later(home, broker) -> None:
    await broker.stop()
    async with asyncio.TaskGroup() as group:
        lab = group.create_task(_ready_line(home, broker))
        await broker.start()
    assert lab.result()["devices"] == 27


async def _ready_line(home: Path, broker: BrokerProcess) -> dict:
    async with running(home, broker) as lab:
        return lab.ready
