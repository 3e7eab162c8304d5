"""Printers: they heat up, print for a while, can be paused and aborted, and sometimes jam."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from random import Random
from typing import Any, ClassVar, Final, Self

from infra.demo.gcode import Line, parse, summarize
from infra.demo.heaters import Heater
from infra.demo.machine import AckCode, Command, Fault, Machine, Refusal, arguments

Shelf = Callable[[str], bytes | None]
"""Returns the file of that artifact key; None if there is none."""
PARTS: Final = ("nozzle", "bed")


class Status(StrEnum):
    """What a printer is doing."""

    IDLE = "idle"
    PRINTING = "printing"
    PAUSED = "paused"
    COMPLETE = "complete"
    ERROR = "error"


class Step(StrEnum):
    """What moves a printer from one status to another."""

    START = "start_print"
    PAUSE = "pause_print"
    RESUME = "resume_print"
    ABORT = "abort_print"
    FINISH = "finish"
    FAIL = "fail"


TRANSITIONS: Final[Mapping[Status, Mapping[Step, Status]]] = {
    Status.IDLE: {Step.START: Status.PRINTING, Step.ABORT: Status.IDLE},
    Status.PRINTING: {
        Step.PAUSE: Status.PAUSED,
        Step.ABORT: Status.IDLE,
        Step.FINISH: Status.COMPLETE,
        Step.FAIL: Status.ERROR,
    },
    Status.PAUSED: {
        Step.PAUSE: Status.PAUSED,
        Step.RESUME: Status.PRINTING,
        Step.ABORT: Status.IDLE,
        Step.FAIL: Status.ERROR,
    },
    Status.COMPLETE: {Step.START: Status.PRINTING, Step.ABORT: Status.IDLE},
    Status.ERROR: {Step.ABORT: Status.IDLE},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """The job in the printer."""

    job: str
    file: str
    seconds: float
    """How long it takes, heating not counted, at speed 1."""
    nozzle_c: int
    bed_c: int
    done: float = 0.0
    """Seconds of it that are printed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Printer(Machine):
    """One printer, or a CNC and laser machine when it has no heaters."""

    name: str
    shelf: Shelf = field(compare=False, repr=False)
    nozzle: Heater
    bed: Heater
    at: datetime
    """The moment this value is about."""
    speed: float = 1.0
    """How much faster than real printers it heats and prints."""
    status: Status = Status.IDLE
    task: Task | None = None
    error: str | None = None

    tick_seconds: ClassVar[float | None] = 1.0

    def behave(self, command: Command, now: datetime) -> tuple[Self, str]:
        """Do one of the things a printer can be told."""
        del now
        match command.intent:
            case "start_print":
                return self._start(command.payload)
            case "set_temperature":
                wanted = arguments(command.payload, part=str, celsius=int)
                return self._heat(wanted["part"], wanted["celsius"])
            case "send_gcode":
                return self._gcode(arguments(command.payload, gcode=str)["gcode"])
            case intent:
                arguments(command.payload)
                return self._move(Step(intent))

    def _start(self, payload: Mapping[str, Any]) -> tuple[Self, str]:
        told = arguments(payload, job=str, gcode_path=str, gcode_sha256=str)
        status = self.next(Step.START)
        task = self._load(told["job"], told["gcode_path"], told["gcode_sha256"])
        ready = replace(self, status=status, task=task, error=None)
        return ready.targets(task.nozzle_c, task.bed_c), f"{task.file} has started"

    def _load(self, job: str, path: str, sha256: str) -> Task:
        content = self.shelf(path)
        if content is None:
            raise Refusal(AckCode.DEVICE_ERROR, f"There is no file {path!r}")
        if hashlib.sha256(content).hexdigest() != sha256:
            raise Refusal(AckCode.DEVICE_ERROR, f"{path!r} is not the file that was approved")
        found = summarize(content)
        for part, celsius in (("nozzle", found.nozzle_c), ("bed", found.bed_c)):
            self._check(part, celsius, AckCode.DEVICE_ERROR)
        return Task(
            job=job,
            file=path.rsplit("/", 1)[-1],
            seconds=found.seconds,
            nozzle_c=found.nozzle_c,
            bed_c=found.bed_c,
        )

    def _heat(self, part: str, celsius: int) -> tuple[Self, str]:
        if part not in PARTS:
            raise Refusal(AckCode.BAD_PAYLOAD, f"The parts are nozzle and bed, not {part!r}")
        self._check(part, celsius, AckCode.BAD_PAYLOAD)
        heated = (
            self.targets(celsius, self.bed.target_c)
            if part == "nozzle"
            else self.targets(self.nozzle.target_c, celsius)
        )
        return heated, f"The {part} goes to {celsius} °C"

    def _check(self, part: str, celsius: int, code: AckCode) -> None:
        limit = (self.nozzle if part == "nozzle" else self.bed).limit_c
        if celsius and not limit:
            raise Refusal(code, f"{self.name} has no heated {part}")
        if not 0 <= celsius <= limit:
            raise Refusal(code, f"The {part} of {self.name} takes 0 to {limit} °C, not {celsius}")

    def _gcode(self, gcode: str) -> tuple[Self, str]:
        machine, details = self, []
        for line in parse(gcode):
            machine, detail = machine._line(line)
            details.append(detail)
        return machine, "; ".join(details)

    def _line(self, line: Line) -> tuple[Self, str]:
        match line.code:
            case "M104" | "M140":
                part = "nozzle" if line.code == "M104" else "bed"
                machine, detail = self._heat(part, line.value or 0)
                return machine, f"ok {line.code}: {detail}"
            case "M106":
                return self, f"ok M106: the fan turns at {round((line.value or 0) / 2.55)} %"
            case "G28" if self.status in {Status.PRINTING, Status.PAUSED}:
                raise Refusal(AckCode.NOT_POSSIBLE, "The axes cannot go home during a print")
            case "G28":
                return self, "ok G28: all axes are home"
            case _:
                return self, f"ok M115: FIRMWARE_NAME:demo lab MACHINE_TYPE:{self.name}"

    def _move(self, step: Step) -> tuple[Self, str]:
        moved = replace(self, status=self.next(step))
        match step:
            case Step.ABORT:
                detail = "The job is aborted" if self.task else "Nothing was printing"
                cold = replace(moved, task=None, error=None).targets(0, 0)
                return cold, f"{detail}, the heaters are off"
            case Step.RESUME if self.task:
                return moved.targets(self.task.nozzle_c, self.task.bed_c), "The print goes on"
            case _:
                return moved, "The print is paused"

    def next(self, step: Step) -> Status:
        """Return the status after a step; raise Refusal if there is none."""
        to = TRANSITIONS[self.status].get(step)
        if to is None:
            busy = step is Step.START and self.status is not Status.ERROR
            code = AckCode.BUSY if busy else AckCode.NOT_POSSIBLE
            raise Refusal(code, f"{self.name} cannot do {step.value!r} while it is {self.status}")
        return to

    def targets(self, nozzle_c: int, bed_c: int) -> Self:
        """Return it with other target temperatures in Celsius."""
        return replace(
            self,
            nozzle=replace(self.nozzle, target_c=nozzle_c),
            bed=replace(self.bed, target_c=bed_c),
        )

    def passed(self, now: datetime) -> Self:
        """Heat, cool and print until `now`; the print waits for the heat."""
        seconds = (now - self.at).total_seconds() * self.speed
        if seconds <= 0:
            return self
        later = replace(
            self, at=now, nozzle=self.nozzle.after(seconds), bed=self.bed.after(seconds)
        )
        if self.status is not Status.PRINTING or self.task is None:
            return later
        productive = max(0.0, seconds - max(self.nozzle.wait, self.bed.wait))
        task = replace(self.task, done=min(self.task.seconds, self.task.done + productive))
        if task.done < task.seconds:
            return replace(later, task=task)
        return replace(later, task=task, status=self.next(Step.FINISH)).targets(0, 0)

    def broken(self, fault: Fault, now: datetime) -> Self:
        """Jam if it is printing; an error stays until the job is aborted."""
        machine = self.passed(now)
        if fault is not Fault.JAM or Step.FAIL not in TRANSITIONS[machine.status]:
            return machine
        status = machine.next(Step.FAIL)
        return replace(machine, status=status, error="Filament jam").targets(0, 0)

    def fault(self) -> str | None:
        return self.error

    @property
    def progress(self) -> float:
        """Part of the job that is printed, 0 to 1."""
        return self.task.done / self.task.seconds if self.task else 0.0

    @property
    def eta_seconds(self) -> int | None:
        """Seconds on the wall clock until the print is done; None without a print."""
        if self.task is None or self.status not in {Status.PRINTING, Status.PAUSED}:
            return None
        left = self.task.seconds - self.task.done + max(self.nozzle.wait, self.bed.wait)
        return round(left / self.speed)

    def report(self) -> dict[str, Any]:
        return {
            "status": self.status.value,
            "job_id": self.task.job if self.task else None,
            "file": self.task.file if self.task else None,
            "progress": round(self.progress, 3),
            "eta_seconds": self.eta_seconds,
            "nozzle_c": round(self.nozzle.celsius),
            "nozzle_target_c": self.nozzle.target_c,
            "bed_c": round(self.bed.celsius),
            "bed_target_c": self.bed.target_c,
            "error": self.error,
        }

    def readings(self, dice: Random) -> dict[str, float]:
        watts = 12.0 + 60.0 * self.nozzle.heating + 350.0 * self.bed.heating
        watts += 90.0 * (self.status is Status.PRINTING)
        return {
            "nozzle_c": round(self.nozzle.celsius + dice.uniform(-0.4, 0.4), 1),
            "bed_c": round(self.bed.celsius + dice.uniform(-0.3, 0.3), 1),
            "power_watts": round(watts * dice.uniform(0.97, 1.03), 1),
        }

    def kept(self) -> dict[str, Any]:
        if self.task is None:
            return {}
        return {
            "status": self.status.value,
            "job": self.task.job,
            "file": self.task.file,
            "seconds": self.task.seconds,
            "nozzle_c": self.task.nozzle_c,
            "bed_c": self.task.bed_c,
            "percent": int(self.progress * 100),
            "error": self.error,
        }

    def restored(self, kept: Mapping[str, Any]) -> Self:
        """Come back paused and cold if a print was under way, as after a power cut."""
        if not kept:
            return self
        status = Status(kept["status"])
        task = Task(
            job=kept["job"],
            file=kept["file"],
            seconds=kept["seconds"],
            nozzle_c=kept["nozzle_c"],
            bed_c=kept["bed_c"],
            done=kept["seconds"] * kept["percent"] / 100,
        )
        if status is Status.PRINTING:
            status = Status.PAUSED
        return replace(self, status=status, task=task, error=kept["error"])
