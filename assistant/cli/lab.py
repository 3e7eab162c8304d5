"""The demo lab's processes: prepared, started when the server is ready, restarted if they die."""

import asyncio
import json
import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from assistant.cli.leave import CommandError
from assistant.cli.running import Mqtt

READY_SECONDS: Final = 60.0
STOP_SECONDS: Final = 10.0
RESTART_SECONDS: Final = 1.0
PREPARE_SECONDS: Final = 60.0
_MODULE: Final = ("-m", "infra.demo")


@dataclass(frozen=True, slots=True, kw_only=True)
class LabOptions:
    """What the lab is to be like."""

    home: Path
    seed: int
    speed: float
    """How many times faster than real its time runs."""

    @property
    def log(self) -> Path:
        """File with what the lab's processes complain about."""
        return self.home / "lab.log"


def prepare(options: LabOptions) -> None:
    """Write the lab file, the keys and the tokens into the home."""
    command = [sys.executable, *_MODULE, "prepare"]
    command += ["--home", str(options.home), "--seed", str(options.seed)]
    try:
        done = subprocess.run(  # noqa: S603  # our own interpreter and module
            command, capture_output=True, text=True, timeout=PREPARE_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CommandError(f"the demo lab could not be prepared: {error}.") from None
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise CommandError(f"the demo lab could not be prepared: {last}.")


class Lab:
    """The running lab."""

    def __init__(self, options: LabOptions, mqtt: Mqtt) -> None:
        self._options = options
        self._mqtt = mqtt
        self.pid: int | None = None
        """The lab's process, while there is one."""

    async def run(self, ready: asyncio.Event) -> None:
        """Keep the lab running until cancelled; set `ready` whenever all devices have spoken.

        Raises CommandError if that does not happen the first time.
        """
        lived = False
        while True:
            process = await self._start()
            self.pid = process.pid
            try:
                lived = await self._watch(process, ready) or lived
            finally:
                await _end(process)
                self.pid = None
            if not lived:
                raise CommandError(f"the demo lab did not start; {self._options.log} says why.")
            await asyncio.sleep(RESTART_SECONDS)

    async def _start(self) -> asyncio.subprocess.Process:
        options, mqtt = self._options, self._mqtt
        command = [
            # The tether ends the lab with this process, however this process ends.
            *(sys.executable, "-m", "infra.tether", str(os.getpid())),
            *(sys.executable, *_MODULE, "run", "--home", str(options.home)),
            *("--mqtt-host", mqtt.host, "--mqtt-port", str(mqtt.port)),
            *("--credentials", str(mqtt.credentials), "--seed", str(options.seed)),
            *("--speed", str(options.speed), "--files", str(options.home / "artifacts")),
        ]
        with options.log.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                start_new_session=True,  # Ctrl-C is ours: the lab leaves before the broker does
            )

    async def _watch(self, process: asyncio.subprocess.Process, ready: asyncio.Event) -> bool:
        """Read what the lab says until it ends; tell whether it was ever ready."""
        assert process.stdout is not None
        lived = False
        with suppress(TimeoutError):
            async with asyncio.timeout(READY_SECONDS) as limit:
                async for line in process.stdout:
                    if _says_ready(line):
                        lived = True
                        ready.set()
                        limit.reschedule(None)
        return lived


def _says_ready(line: bytes) -> bool:
    try:
        said = json.loads(line)
    except ValueError:
        return False
    return isinstance(said, dict) and said.get("ready") is True


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOP_SECONDS)
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
