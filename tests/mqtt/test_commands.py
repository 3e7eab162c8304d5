"""Commands over a real broker: every way an answer can go astray."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from infra import clock
from infra.broker import BrokerProcess
from infra.drivers.mqtt_devices import Ack, CommandLink, NoAck, NotSent
from infra.mqtt import Bus, Message
from infra.wire import AckMessage, CommandMessage
from tests.mqtt.conftest import Changes, Opener, bounded

pytestmark = pytest.mark.anyio

Answer = Callable[[CommandMessage], Awaitable[None]]
LONG = timedelta(seconds=10)


def command(device: str = "lamp", *, within: timedelta = LONG, **more: object) -> CommandMessage:
    now = clock.now()
    fields = {
        "command_id": uuid4(),
        "device": device,
        "intent": "switch",
        "payload": {"on": True},
        "issued_at": now,
        "deadline": now + within,
        "correlation_id": "c",
    }
    return CommandMessage(**(fields | more))


def ack(command_id: UUID, **more: object) -> bytes:
    fields = {"command_id": command_id, "ok": True, "at": datetime.now(UTC)}
    return AckMessage(**(fields | more)).encode()


class Desk:
    """A command link, a device that answers as told, and a ledger that counts."""

    def __init__(self, bus: Bus, device: Bus, changes: Changes) -> None:
        self.changes = changes
        self.device = device
        self.marked = 0
        self.late: list[tuple[UUID, str]] = []
        self.heard: list[CommandMessage] = []
        self.answer: Answer = self.well
        self.link = CommandLink(
            bus, now=clock.now, on_late_ack=self._late, grace=timedelta(milliseconds=200)
        )
        device.subscribe("kitty/devices/+/cmd", self._told)

    async def _told(self, message: Message) -> None:
        told = CommandMessage.decode(message.payload)
        assert message.topic == f"kitty/devices/{told.device}/cmd"
        self.heard.append(told)
        await self.answer(told)
        await self.changes.tell()

    async def well(self, told: CommandMessage) -> None:
        await self.says(told.device, ack(told.command_id))

    async def silent(self, told: CommandMessage) -> None:
        assert told.intent

    async def says(self, device: str, payload: bytes) -> None:
        await self.device.publish(f"kitty/devices/{device}/ack", payload)

    async def mark_sent(self) -> None:
        self.marked += 1

    async def _late(self, answer: AckMessage, device: str) -> None:
        self.late.append((answer.command_id, device))
        await self.changes.tell()

    async def send(self, told: CommandMessage) -> Ack | NoAck | NotSent:
        async with bounded():
            return await self.link.send(told, before_send=self.mark_sent)


@pytest.fixture
async def desk(opener: Opener, changes: Changes) -> AsyncIterator[Desk]:
    bus = opener.kitty()
    made = Desk(bus, opener.device("device"), changes)
    await opener.open(made.device)
    await opener.open(bus)
    yield made
    assert not made.link._waiting


async def test_a_command_is_answered(desk: Desk) -> None:
    told = command()
    result = await desk.send(told)
    assert isinstance(result, Ack)
    assert result.ok
    assert desk.heard == [told]
    assert (desk.marked, desk.late) == (1, [])


async def test_a_refusal_keeps_its_reason(desk: Desk) -> None:
    async def refuse(told: CommandMessage) -> None:
        await desk.says("lamp", ack(told.command_id, ok=False, code="busy", detail="cooling"))

    desk.answer = refuse
    result = await desk.send(command())
    assert isinstance(result, Ack)
    assert (result.ok, result.code, result.detail) == (False, "busy", "cooling")


async def test_silence_is_not_known(desk: Desk) -> None:
    desk.answer = desk.silent
    assert await desk.send(command(within=timedelta(milliseconds=300))) == NoAck()
    assert desk.marked == 1


async def test_many_at_once_get_their_own_answers(desk: Desk) -> None:
    async def choosy(told: CommandMessage) -> None:
        on = told.payload["on"]
        await desk.says("lamp", ack(told.command_id, ok=on, code=None if on else "busy"))

    desk.answer = choosy
    wanted = [bool(number % 3) for number in range(60)]
    results = await asyncio.gather(*(desk.send(command(payload={"on": on})) for on in wanted))
    assert [isinstance(r, Ack) and r.ok for r in results] == wanted


async def test_a_second_answer_is_ignored(desk: Desk) -> None:
    async def twice(told: CommandMessage) -> None:
        await desk.well(told)
        await desk.says("lamp", ack(told.command_id, ok=False, code="busy"))

    desk.answer = twice
    result = await desk.send(command())
    assert isinstance(result, Ack)
    assert result.ok
    await desk.changes.until(lambda: desk.link.counters.duplicates == 1)
    assert desk.late == []


async def test_a_late_answer_is_handed_on(desk: Desk) -> None:
    desk.answer = desk.silent
    told = command(within=timedelta(milliseconds=300))
    assert await desk.send(told) == NoAck()
    await desk.says("lamp", ack(told.command_id))
    await desk.changes.until(lambda: bool(desk.late))
    assert desk.late == [(told.command_id, "lamp")]


async def test_an_answer_to_nothing_is_handed_on_with_its_sender(desk: Desk) -> None:
    stranger = uuid4()
    await desk.says("door", ack(stranger))
    await desk.changes.until(lambda: bool(desk.late))
    assert desk.late == [(stranger, "door")]


async def test_another_device_cannot_answer(desk: Desk) -> None:
    async def impostor(told: CommandMessage) -> None:
        await desk.says("door", ack(told.command_id))

    desk.answer = impostor
    assert await desk.send(command(within=timedelta(milliseconds=300))) == NoAck()
    assert desk.link.counters.misplaced == 1
    assert desk.late == []


async def test_a_malformed_answer_is_counted(desk: Desk) -> None:
    async def garbage(told: CommandMessage) -> None:
        await desk.says("lamp", b'{"v":1}')
        await desk.says("lamp", b"\xff")
        await desk.well(told)

    desk.answer = garbage
    assert isinstance(await desk.send(command()), Ack)
    assert desk.link.counters.malformed == 2


async def test_what_is_too_late_is_not_sent(desk: Desk) -> None:
    assert await desk.send(command(within=timedelta(0))) == NotSent(code="too_late")
    assert (desk.marked, desk.heard) == (0, [])


async def test_what_becomes_too_late_before_sending_is_not_sent(desk: Desk) -> None:
    told = command(within=timedelta(milliseconds=50))

    async def slow() -> None:
        await desk.changes.until(lambda: clock.now() > told.deadline)

    assert await desk.link.send(told, before_send=slow) == NotSent(code="too_late")
    assert desk.heard == []


async def test_what_is_too_large_is_not_sent(desk: Desk) -> None:
    told = command(payload={"gcode": "x" * 70_000})
    assert await desk.send(told) == NotSent(code="too_large")
    assert desk.marked == 0


async def test_without_a_broker_nothing_is_marked_or_sent(
    desk: Desk, broker: BrokerProcess, opener: Opener
) -> None:
    await broker.stop()
    await desk.changes.until(lambda: not desk.link._bus.connected)
    assert await desk.send(command()) == NotSent(code="broker_unavailable")
    assert desk.marked == 0


async def test_a_broker_that_dies_before_the_send_is_told_from_one_that_dies_after(
    desk: Desk, broker: BrokerProcess
) -> None:
    async def broker_dies() -> None:
        await broker.stop()
        await desk.changes.until(lambda: not desk.link._bus.connected)

    result = await desk.link.send(command(), before_send=broker_dies)
    assert result == NotSent(code="broker_unavailable")
    assert desk.heard == []


async def test_a_broker_that_dies_while_we_wait_leaves_it_unknown_or_answered(
    desk: Desk, broker: BrokerProcess
) -> None:
    desk.answer = desk.silent
    told = command(within=timedelta(seconds=1))
    sending = asyncio.create_task(desk.send(told))
    await desk.changes.until(lambda: bool(desk.heard))
    await broker.stop()
    assert await sending == NoAck()


async def test_the_answer_may_come_over_a_new_connection(desk: Desk, broker: BrokerProcess) -> None:
    desk.answer = desk.silent
    told = command()
    sending = asyncio.create_task(desk.send(told))
    await desk.changes.until(lambda: bool(desk.heard))
    await broker.stop()
    await broker.start()
    assert await desk.device.ready(LONG)
    await desk.changes.until(lambda: desk.link._bus.connected)
    await desk.well(told)
    assert isinstance(await sending, Ack)


async def test_the_same_command_may_be_sent_again(desk: Desk) -> None:
    told = command()
    first = await desk.send(told)
    second = await desk.send(told)
    assert isinstance(first, Ack)
    assert isinstance(second, Ack)
    assert desk.heard == [told, told]
    assert desk.late == []
