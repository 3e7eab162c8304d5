"""How a command reaches a device over MQTT, and its answer comes back."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import structlog

from infra.db import StoreUnavailableError
from infra.mqtt import Bus, BusUnavailableError, Message, NotNowError, UnconfirmedError
from infra.wire import AckMessage, CommandMessage, WireError, device_of, device_topic

_REMEMBERED: Final = 4_096
"""Answered commands whose second answer is recognised as one."""
_log = structlog.get_logger("kitty.devices")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack:
    """The device answered."""

    ok: bool
    code: str | None
    detail: str | None
    at: datetime
    """By the device's clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoAck:
    """The command may have arrived; nobody knows what came of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSent:
    """The command certainly did not leave."""

    code: str
    """`broker_unavailable`, `too_late`, or why it cannot be written."""


@dataclass(slots=True, kw_only=True)
class LinkCounters:
    """What became of answers."""

    acked: int = 0
    unanswered: int = 0
    not_sent: int = 0
    duplicates: int = 0
    late: int = 0
    misplaced: int = 0
    """Answers that came over another device's topic."""
    malformed: int = 0


LateAck = Callable[[AckMessage, str], Awaitable[None]]
"""Told of an answer nobody waits for, with the external id of the device it came from."""


class CommandLink:
    """Sends commands and matches their answers.  Make it before entering the bus."""

    def __init__(
        self,
        bus: Bus,
        *,
        now: Callable[[], datetime],
        on_late_ack: LateAck,
        grace: timedelta = timedelta(seconds=1),
    ) -> None:
        """`grace` is how long after the deadline an answer may still be on its way."""
        self._bus = bus
        self._now = now
        self._on_late_ack = on_late_ack
        self._grace = grace
        self._waiting: dict[UUID, tuple[str, list[asyncio.Future[AckMessage]]]] = {}
        self._answered: OrderedDict[UUID, str] = OrderedDict()
        self.counters = LinkCounters()
        # Two subscriptions: a late answer may wait for the store, others must not wait for it.
        bus.subscribe(device_topic("+", "ack"), self._match)
        bus.subscribe(device_topic("+", "ack"), self._late)

    async def send(
        self, command: CommandMessage, *, before_send: Callable[[], Awaitable[None]]
    ) -> Ack | NoAck | NotSent:
        """Send the command and wait for its answer until the deadline and the grace are over.

        `before_send` is awaited once it is clear that sending can be tried; if the broker goes
        away in that moment the answer is still `NotSent`.
        """
        try:
            payload = command.encode()
        except WireError as error:
            return self._not_sent(error.code)
        if not self._bus.connected:
            return self._not_sent(BusUnavailableError.code)
        if self._left(command) <= self._grace:
            return self._not_sent("too_late")
        await before_send()
        left = self._left(command)
        if left <= self._grace:
            return self._not_sent("too_late")
        answer = self._expect(command)
        try:
            async with asyncio.timeout(left.total_seconds()):
                return await self._exchange(command, payload, answer)
        except TimeoutError:
            self.counters.unanswered += 1
            return NoAck()
        finally:
            self._forget(command.command_id, answer)

    async def _exchange(
        self, command: CommandMessage, payload: bytes, answer: asyncio.Future[AckMessage]
    ) -> Ack | NotSent:
        sending = asyncio.create_task(
            self._bus.publish(device_topic(command.device, "cmd"), payload)
        )
        sending.add_done_callback(_seen)
        either: set[asyncio.Future[Any]] = {sending, answer}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                await sending
        except UnconfirmedError:
            _log.warning("command_unconfirmed", command_id=str(command.command_id))
        except BusUnavailableError as error:
            return self._not_sent(error.code)
        finally:
            sending.cancel()
        ack = await answer
        self.counters.acked += 1
        return Ack(ok=ack.ok, code=ack.code, detail=ack.detail, at=ack.at)

    def _left(self, command: CommandMessage) -> timedelta:
        return command.deadline + self._grace - self._now()

    def _not_sent(self, code: str) -> NotSent:
        self.counters.not_sent += 1
        return NotSent(code=code)

    def _expect(self, command: CommandMessage) -> asyncio.Future[AckMessage]:
        answer: asyncio.Future[AckMessage] = asyncio.get_running_loop().create_future()
        _, answers = self._waiting.setdefault(command.command_id, (command.device, []))
        answers.append(answer)
        return answer

    def _forget(self, command_id: UUID, answer: asyncio.Future[AckMessage]) -> None:
        waiting = self._waiting.get(command_id)
        if waiting is None or answer not in waiting[1]:
            return
        waiting[1].remove(answer)
        if not waiting[1]:
            del self._waiting[command_id]

    async def _match(self, message: Message) -> None:
        """Give an answer to whoever waits for it."""
        try:
            device, ack = device_of(message.topic), AckMessage.decode(message.payload)
        except WireError as error:
            self.counters.malformed += 1
            _log.warning("ack_refused", topic=message.topic[:200], code=error.code)
            return
        expected, answers = self._waiting.get(ack.command_id, (device, []))
        if expected != device:
            self.counters.misplaced += 1
            _log.warning("ack_misplaced", command_id=str(ack.command_id), device=device)
        elif waiting := [answer for answer in answers if not answer.done()]:
            self._remember(ack.command_id, device)
            del self._waiting[ack.command_id]
            for answer in waiting:
                answer.set_result(ack)
        elif self._answered.get(ack.command_id) == device:
            self.counters.duplicates += 1

    def _remember(self, command_id: UUID, device: str) -> None:
        self._answered[command_id] = device
        self._answered.move_to_end(command_id)
        if len(self._answered) > _REMEMBERED:
            self._answered.popitem(last=False)

    async def _late(self, message: Message) -> None:
        """Hand on an answer that nobody waits for."""
        try:
            device, ack = device_of(message.topic), AckMessage.decode(message.payload)
        except WireError:
            return
        while (  # noqa: ASYNC110  # one round at most
            self._answered.get(ack.command_id) != device
            and self._waiting.get(ack.command_id, ("", []))[0] == device
        ):
            await asyncio.sleep(0)  # `_match` takes it in this very round
        if ack.command_id in self._answered or ack.command_id in self._waiting:
            return
        self.counters.late += 1
        try:
            await self._on_late_ack(ack, device)
        except StoreUnavailableError as error:
            raise NotNowError from error


def _seen(task: asyncio.Task[None]) -> None:
    """Look at the outcome of a publication that nobody waits for any more."""
    if not task.cancelled():
        task.exception()
