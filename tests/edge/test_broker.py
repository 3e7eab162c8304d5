"""A thousand rogue commands over a real broker to the lab's real devices: nothing moves."""

import copy
import json
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import pytest
from fakes.approvals import Signers
from fakes.demolab import Ear, running

from infra.broker import BrokerProcess
from infra.demo.prepare import prepare
from infra.lab_file import read_lab

pytestmark = pytest.mark.anyio
ROGUES = 1_000
DOOR, WELDER, PRINTER = "welding-bay-door", "welder", "mk4"
MOVED = {
    DOOR: lambda state: state["locked"] is False,
    "laser-room-door": lambda state: state["locked"] is False,
    WELDER: lambda state: state["on"],
    "laser-cutter": lambda state: state["on"],
    PRINTER: lambda state: state["status"] != "idle" or state["nozzle_target_c"] > 0,
    "bamboo": lambda state: state["status"] != "idle" or state["nozzle_target_c"] > 0,
}
Message = dict[str, Any]


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


def orders(signers: Signers, **more: Any) -> list[Message]:
    job = next(job for job in signers.lab.jobs if job.name == "cable clips")
    start = {
        "job": str(uuid4()),
        "gcode_path": job.gcode_path,
        "gcode_sha256": job.gcode_sha256,
    }
    return [
        signers.message(DOOR, "unlock", {"seconds": 1}, **more),
        signers.message(WELDER, "enable_power", {}, **more),
        signers.message(PRINTER, "start_print", start, "operator", **more),
        signers.message(PRINTER, "set_temperature", {"part": "nozzle", "celsius": 200}, **more),
        signers.message(PRINTER, "send_gcode", {"gcode": "M104 S200"}, **more),
    ]


def unsigned(message: Message, _dice: Random) -> Message:
    return message | {"envelope": None, "command_id": str(uuid4())}


def altered(message: Message, dice: Random) -> Message:
    rogue = copy.deepcopy(message)
    match dice.randrange(4):
        case 0:
            rogue["payload"] = rogue["payload"] | {"seconds": 60, "celsius": 290}
        case 1:
            first = rogue["envelope"]["signatures"]
            first[0]["sig"] = first[-1]["sig"][:-8] + "AAAAAAA="
        case 2:
            payload = rogue["envelope"]["payload"]
            rogue["envelope"]["payload"] = (
                payload[:200] + ("B" if payload[200] == "A" else "A") + payload[201:]
            )
        case _:
            rogue["command_id"] = str(uuid4())
    return rogue


def misdirected(message: Message, dice: Random) -> Message:
    others = {DOOR: "laser-room-door", WELDER: "laser-cutter", PRINTER: "bamboo"}
    rogue = message | {"command_id": str(uuid4())}
    rogue["_topic"] = others[message["device"]]
    if dice.random() < 0.5:
        rogue["device"] = rogue["_topic"]
    return rogue


async def test_a_thousand_rogue_commands_move_nothing_and_are_reported(home, broker, ear) -> None:
    signers, dice = Signers(home), Random(1)
    now = datetime.now(UTC)
    fresh = orders(signers)
    late = orders(signers, now=now - timedelta(hours=1))
    kinds = {
        "unsigned": lambda: unsigned(dice.choice(fresh), dice),
        "altered": lambda: altered(dice.choice(fresh), dice),
        "late": lambda: dice.choice(late) | {"deadline": (now + timedelta(hours=1)).isoformat()},
        "misdirected": lambda: misdirected(dice.choice(fresh), dice),
    }
    sent: Counter[str] = Counter()
    async with running(home, broker):
        for device in MOVED:
            ear.until_state(device, online=True)
        for number in range(ROGUES):
            name = list(kinds)[number % len(kinds)]
            rogue = kinds[name]()
            device = rogue.pop("_topic", rogue["device"])
            ear.send(device, rogue)
            sent[device] += 1
        for device, number in sent.items():
            topic = f"kitty/devices/{device}/ack"
            ear.until(lambda topic=topic, number=number: len(ear.heard(topic)) >= number)
        acks = [ack for device in sent for ack in ear.heard(f"kitty/devices/{device}/ack")]
        assert len(acks) == ROGUES
        assert {(ack["ok"], ack["code"]) for ack in acks} == {(False, "not_authorised")}
        reasons = Counter(ack["detail"].split(":")[0] for ack in acks)
        assert {"no_envelope", "expired", "wrong_device", "wrong_command"} <= set(reasons), reasons
        assert moved(ear) == 0
        ear.until(lambda: reported(ear) == ROGUES)
        # The very same devices obey what was signed, once.
        power = signers.message(WELDER, "enable_power", {})
        assert ear.sent(power)["ok"]
        assert ear.sent(power)["ok"], "the same answer again, not the same effect"
        ear.until_state(WELDER, on=True, commands=[power["command_id"]])
        assert ear.told(WELDER, "cut_power", {})["ok"]
        ear.until_state(WELDER, on=False)


async def test_a_copied_approval_is_refused_also_after_a_restart(home, broker, ear) -> None:
    signers = Signers(home)
    door = signers.message(DOOR, "unlock", {"seconds": 1}, seconds=200)
    async with running(home, broker):
        assert ear.sent(door)["ok"]
        ear.until_state(DOOR, locked=True, commands=[door["command_id"]])
    path = home / "devices" / f"{DOOR}.json"
    kept = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(kept | {"commands": []}), encoding="utf-8")
    ear.messages.clear()
    async with running(home, broker):
        ear.until_state(DOOR, online=True)
        for _ in range(20):
            ack = ear.sent(door)
            assert (ack["code"], ack["detail"].split(":")[0]) == ("not_authorised", "replayed")
        assert moved(ear) == 0


async def test_no_trust_file_makes_a_door_harmless(home, broker, ear) -> None:
    path = home / "trust.json"
    trust = json.loads(path.read_text(encoding="utf-8"))
    for zone in trust["zones"]:
        zone["hazard"] = "none"
    path.write_text(json.dumps(trust), encoding="utf-8")
    async with running(home, broker):
        ear.until_state(DOOR, online=True)
        rogue = ear.told(DOOR, "unlock", {"seconds": 1})
        assert rogue["detail"].startswith("no_envelope:")
        assert moved(ear) == 0


def moved(ear: Ear) -> int:
    states = [
        (device, message["state"])
        for device in MOVED
        for message in ear.heard(f"kitty/devices/{device}/state")
        if message["online"]
    ]
    assert len(states) >= 1
    return sum(bool(MOVED[device](state)) for device, state in states)


def reported(ear: Ear) -> int:
    newest = (
        [m["values"] for m in ear.heard(f"kitty/devices/{device}/telemetry")] for device in MOVED
    )
    return sum(max((v.get("edge_refused", 0) for v in each), default=0) for each in newest)


async def test_every_hazardous_device_of_the_lab_asks_for_signatures(home, broker, ear) -> None:
    hazardous = {"unlock", "enable_power", "start_print", "resume_print", "set_temperature"}
    asked = [
        (device.external_id, intent)
        for device in read_lab(home / "lab.toml").devices
        for intent in device.capabilities.intents
        if intent in hazardous | {"send_gcode"}
    ]
    assert len(asked) == 3 + 4 + 4 * 2 + 3 * 2
    async with running(home, broker):
        for device, intent in asked:
            ear.until_state(device, online=True)
            ack = ear.told(device, intent, {})
            assert ack["code"] == "not_authorised"
            assert ack["detail"].startswith("no_envelope:")
