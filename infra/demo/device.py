"""A device on the wire: once or not at all, acknowledged, and faulty when asked to be."""

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Any, Final, Protocol

from infra.demo.machine import AckCode, Answer, Command, Fault, Machine, respond
from infra.demo.memory import Memory
from infra.demo.wire import WILL, WireError, encode, read_command, stamp, write_ack

HEARTBEAT_SECONDS: Final = 20.0
TELEMETRY_SECONDS: Final = 10.0
LATE_SECONDS: Final = 1.0
"""How long after the deadline a `late` device acknowledges."""
REPORT_SECONDS: Final = 1.0
"""How long refused commands are counted before they are reported."""
MAX_WAITING: Final = 64
"""Commands that wait for their turn; more are answered with `busy`."""
OWN_FAULTS: Final = frozenset({Fault.NONE, Fault.JAM, Fault.SMOKE})
"""Faults of the machine itself, not of its manners on the wire."""


Check = Callable[[Command], Command | Answer]
"""Returns what may be carried out, or the refusal of whoever may not ask for it."""


class Wire(Protocol):
    """Where a device speaks."""

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        retain: bool = False,
        wait: bool = False,
        on_sent: Callable[[], None] | None = None,
    ) -> None:
        """Send one message; with `wait` also if there is no connection just now."""
        ...

    def drop(self) -> None:
        """Vanish without a goodbye."""
        ...

    def restore(self) -> None:
        """Come back."""
        ...


class Timer(Protocol):
    """What makes time pass for a device."""

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        """Run something after some seconds."""
        ...

    def every(self, seconds: float, action: Callable[[], None]) -> None:
        """Run something again and again."""
        ...


class Device:
    """One machine with a name, a memory and manners."""

    def __init__(
        self,
        *,
        name: str,
        machine: Machine,
        memory: Memory,
        timer: Timer,
        now: Callable[[], datetime],
        dice: Random,
        speed: float,
        check: Check,
        show: Callable[[str, Mapping[str, Any]], None] = lambda _name, _state: None,
    ) -> None:
        """`name` is the external id; `speed` shortens the delays that scale.

        `check` is asked before anything is done.  `show` is told how the device looks, for
        cameras: also when nobody hears it on the wire.
        """
        self.name = name
        self._machine = machine.restored(memory.kept)
        self._memory = memory
        self._timer = timer
        self._now = now
        self._dice = dice
        self._speed = speed
        self._check = check
        self._show = show
        self._refused: Counter[str] = Counter()
        self._reporting = False
        self._wire: Wire | None = None
        self._free_at = now()
        self._waiting = 0
        self._fault = Fault.NONE
        self._fault_number = 0
        self._acts = True
        self._shown: Mapping[str, Any] = {}

    @property
    def machine(self) -> Machine:
        """The machine as it was when something last happened."""
        return self._machine

    def start(self, wire: Wire) -> None:
        """Begin to live; commands come by `on_command`, orders by `on_order`."""
        self._wire = wire
        self._machine = self._machine.passed(self._now())
        if self._machine.tick_seconds is not None:
            self._timer.every(self._machine.tick_seconds, self._tick)
        self._timer.later(self._dice.uniform(0, HEARTBEAT_SECONDS), self._beat)
        self._timer.every(TELEMETRY_SECONDS, self._telemetry)

    def on_command(self, raw: bytes) -> None:
        """Take a command from the wire."""
        try:
            command = read_command(raw, device=self.name)
        except WireError as error:
            self._refuse_malformed(error)
            return
        if command.id in self._memory:
            answer = self._memory.answer(command.id)
            if answer is not None:
                self._acknowledge(command, answer)
            return
        if command.intent in self._machine.intents:
            checked = self._check(command)
            if isinstance(checked, Answer):
                self._refuse(command.id, checked)
                return
            command = checked
        if self._waiting >= MAX_WAITING:
            self._settle(command, Answer(ok=False, code=AckCode.BUSY, detail="Too many commands"))
            return
        self._memory.begin(command.id)
        self._waiting += 1
        self._timer.later(self._delay(), partial(self._carry_out, command))

    def on_order(self, order: Mapping[str, Any]) -> None:
        """Take an order to fail, or to be well again; anything else is ignored."""
        try:
            fault = Fault(order.get("fault", ""))
        except ValueError:
            return
        self._set_fault(fault, acts=order.get("acts") is not False)
        seconds = order.get("seconds")
        if isinstance(seconds, int | float) and seconds > 0:
            self._timer.later(float(seconds), partial(self._recover, self._fault_number))

    def publish_state(self, *, on_sent: Callable[[], None] | None = None) -> None:
        """Say how the device stands, retained."""
        self._shown = self._machine.report()
        self._show(self.name, self._shown)
        self._send("state", self._state(), retain=True, on_sent=on_sent)

    def say_goodbye(self) -> None:
        """Say that the device is being switched off, retained, and speak no more."""
        self._send("state", encode(WILL), retain=True)
        self._wire = None

    def _delay(self) -> float:
        now = self._now()
        seconds = self._dice.uniform(*self._machine.delay_seconds)
        if self._machine.delay_scales:
            seconds /= self._speed
        self._free_at = max(self._free_at, now) + timedelta(seconds=seconds)
        return (self._free_at - now).total_seconds()

    def _carry_out(self, command: Command) -> None:
        self._waiting -= 1
        if self._fault is Fault.REFUSE:
            answer = Answer(
                ok=False, code=AckCode.DEVICE_ERROR, detail="The device reports an error"
            )
        elif self._fault is Fault.SILENT and not self._acts:
            answer = Answer(ok=False, code=AckCode.DEVICE_ERROR, detail="Nothing was done")
        else:
            self._machine, answer = respond(self._machine, command, self._now())
        self._settle(command, answer)
        self.publish_state()

    def _settle(self, command: Command, answer: Answer) -> None:
        self._memory.finish(command.id, answer, self._machine.kept())
        self._acknowledge(command, answer)

    def _acknowledge(self, command: Command, answer: Answer) -> None:
        match self._fault:
            case Fault.SILENT:
                return
            case Fault.LATE:
                wait = (command.deadline - self._now()).total_seconds() + LATE_SECONDS
                self._timer.later(max(wait, 0.0), partial(self._send_ack, command.id, answer))
            case Fault.TWICE:
                self._send_ack(command.id, answer)
                self._send_ack(command.id, answer)
            case _:
                self._send_ack(command.id, answer)

    def _refuse_malformed(self, error: WireError) -> None:
        if error.command_id is None:
            return
        known = self._memory.answer(error.command_id)
        if known is not None or error.answer.code is not AckCode.NOT_AUTHORISED:
            self._send_ack(error.command_id, known or error.answer)
        else:
            self._refuse(error.command_id, error.answer)

    def _refuse(self, command_id: str, answer: Answer) -> None:
        """Answer, count and report; a refused command is not remembered: it may be a forgery."""
        self._send_ack(command_id, answer)
        self._refused[answer.detail.split(":", 1)[0]] += 1
        if not self._reporting:
            self._reporting = True
            self._timer.later(REPORT_SECONDS, self._report)

    def _report(self) -> None:
        self._reporting = False
        counts = {f"edge_refused_{code}": number for code, number in self._refused.items()}
        values = {"edge_refused": self._refused.total(), **counts}
        message = {"v": 1, "at": stamp(self._now()), "values": values}
        self._send("telemetry", encode(message))

    def _send_ack(self, command_id: str, answer: Answer) -> None:
        self._send("ack", write_ack(command_id, answer, self._now()), wait=True)

    def _set_fault(self, fault: Fault, *, acts: bool) -> None:
        if self._wire is not None and self._fault is Fault.OFFLINE is not fault:
            self._wire.restore()
        self._fault = fault
        self._fault_number += 1
        self._acts = acts
        if fault in OWN_FAULTS:
            self._machine = self._machine.broken(fault, self._now())
            self._changed()
        if fault is Fault.OFFLINE and self._wire is not None:
            self._wire.drop()

    def _recover(self, number: int) -> None:
        if number == self._fault_number:
            self._set_fault(Fault.NONE, acts=True)

    def _tick(self) -> None:
        self._machine = self._machine.passed(self._now())
        if self._machine.report() != self._shown:
            self._changed()

    def _changed(self) -> None:
        self._memory.keep(self._machine.kept())
        self.publish_state()

    def _beat(self) -> None:
        self._timer.later(HEARTBEAT_SECONDS, self._beat)
        self._machine = self._machine.passed(self._now())
        self.publish_state()

    def _telemetry(self) -> None:
        values = self._machine.readings(self._dice)
        if values:
            message = {"v": 1, "at": stamp(self._now()), "values": values}
            self._send("telemetry", encode(message))

    def _state(self) -> bytes:
        return encode(
            {
                "v": 1,
                "online": True,
                "fault": self._machine.fault(),
                "at": stamp(self._now()),
                "state": self._machine.report(),
                "commands": self._memory.carried_out(),
            }
        )

    def _send(
        self,
        what: str,
        payload: bytes,
        *,
        retain: bool = False,
        wait: bool = False,
        on_sent: Callable[[], None] | None = None,
    ) -> None:
        if self._wire is not None:
            topic = f"kitty/devices/{self.name}/{what}"
            self._wire.publish(topic, payload, retain=retain, wait=wait, on_sent=on_sent)
