"""Rogue commands over a real broker to the lab's real devices: nothing moves."""

import json
import tempfile
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from edge.test_broker import DOOR, MOVED, altered, misdirected, orders, unsigned
from edge.test_device import DOOR as MACHINE
from edge.test_device import NAME, Guarded
from fakes.approvals import Signers
from fakes.demolab import Ear, running
from safety_figures.figure import Figure

from infra.broker import BrokerProcess
from infra.demo.prepare import prepare

BATCH = 250
"""Messages sent before their answers are waited for."""


class Rogue:
    """Makes rogue commands of four kinds, from orders that people signed."""

    def __init__(self, signers: Signers) -> None:
        self._signers, self._dice, self._number = signers, Random(1), 0
        now = datetime.now(UTC)
        self._late = orders(signers, now=now - timedelta(hours=1))
        self._refresh()

    def _refresh(self) -> None:
        """Sign anew: what is altered must be fresh, or its age alone would stop it."""
        self._fresh = orders(self._signers)

    def batch(self, number: int) -> list[tuple[str, dict]]:
        self._refresh()
        return [self._next() for _ in range(number)]

    def _next(self) -> tuple[str, dict]:
        dice, self._number = self._dice, self._number + 1
        match self._number % 4:
            case 0:
                message = unsigned(dice.choice(self._fresh), dice)
            case 1:
                message = altered(dice.choice(self._fresh), dice)
            case 2:
                later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
                message = dice.choice(self._late) | {"deadline": later}
            case _:
                message = misdirected(dice.choice(self._fresh), dice)
        return message.pop("_topic", message["device"]), message


async def at_the_broker(number: int) -> Figure:
    """Publish rogue commands as somebody who may write to the broker."""
    actuations = sent = 0
    answers: Counter[tuple[bool, str]] = Counter()
    with tempfile.TemporaryDirectory(prefix="kitty-figure-") as folder:
        home = Path(folder) / "lab"
        prepare(home, seed=5)
        broker = BrokerProcess(Path(folder))
        await broker.start()
        ear = Ear(broker)
        try:
            async with running(home, broker):
                for device in MOVED:
                    ear.until_state(device, online=True)
                signers = Signers(home)
                rogue = Rogue(signers)
                while sent < number:
                    batch = rogue.batch(min(BATCH, number - sent))
                    answers += _answers(ear, batch)
                    sent += len(batch)
                    actuations += _actuations(ear)
                good = ear.sent(signers.message(DOOR, "unlock", {"seconds": 1}))
        finally:
            ear.close()
            await broker.stop()
        naive = _unguarded(Path(folder) / "lab")
    refused = answers[False, "not_authorised"]
    return Figure(
        what="rogue MQTT commands to the lab's devices",
        tried=sent,
        goal="0 actuations, all refused",
        measured=f"{actuations} actuations, {refused} refused",
        met=actuations == 0 and refused == sent and good["ok"],
        naive=f"devices without the check: {naive} of 2 opened the door",
        caught=naive > 0,
    )


def _answers(ear: Ear, batch: list[tuple[str, dict]]) -> Counter[tuple[bool, str]]:
    """Send commands; return the devices' answers to them."""
    ear.messages.clear()  # what is heard is looked through at every message
    for device, message in batch:
        ear.send(device, message)

    def acks() -> list[bytes]:
        return [payload for name, payload in list(ear.messages) if name.endswith("/ack")]

    ear.until(lambda: len(acks()) >= len(batch))
    heard = [json.loads(payload) for payload in acks()]
    return Counter((each["ok"], each.get("code", "")) for each in heard)


def _actuations(ear: Ear) -> int:
    reports = [(device, ear.heard(f"kitty/devices/{device}/state")) for device in MOVED]
    states = [
        (device, each["state"]) for device, all_ in reports for each in all_ if each["online"]
    ]
    return sum(bool(MOVED[device](state)) for device, state in states)


def _unguarded(home: Path) -> int:
    """Send two forgeries to the same door without its check; return how often it opened."""
    stage = Guarded(home)
    stage.folder = home / "unguarded"
    stage.folder.mkdir()
    door = stage.device(MACHINE, speed=10.0, name=NAME)
    door.publish_state()
    message = stage.unlock(seconds=200)
    for changes in ({"envelope": None}, {"command_id": "copy"}):
        door.on_command(json.dumps(message | changes).encode())
        stage.pass_time(7)
    return stage.opened()
