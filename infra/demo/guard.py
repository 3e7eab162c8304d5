"""The check before a device moves: people's signatures, by the trust file beside the device.

`safety.edge` is the one part of the product that the lab uses: it is the small library that any
bridge next to a device may use, and the lab shows how.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final

from infra.demo.machine import AckCode, Answer, Command
from safety.edge import Accepted, Code, EdgeCommand, verify
from safety.nonces import Memory
from safety.trust import MAX_FILE, TrustError, TrustFile, read_trust

_log: Final = logging.getLogger("infra.demo")
_TELLABLE: Final = frozenset({Code.TOO_LATE})
"""Refusals that docs/mqtt.md has a code of its own for."""


class TrustBook:
    """The trust file of the lab, read again whenever it has changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int, int] | None = None
        self._trust: TrustFile | None = None

    def current(self) -> TrustFile | None:
        """Return what the file says now; None if there is none that can be used."""
        try:
            found = self._path.stat()
            stamp = (found.st_mtime_ns, found.st_size, found.st_ino)
            if stamp != self._stamp:
                self._trust = None
                self._stamp = stamp
                with self._path.open("rb") as file:
                    self._trust = read_trust(file.read(MAX_FILE + 1))
        except (OSError, TrustError) as error:
            _log.warning("demo lab: the trust file %s cannot be used: %s", self._path, error)
            self._trust = None
        return self._trust


class Guard:
    """One device's check."""

    def __init__(
        self,
        *,
        device: str,
        book: TrustBook,
        memory: Memory,
        now: Callable[[], datetime],
    ) -> None:
        self._device = device
        self._book = book
        self._memory = memory
        self._now = now

    def __call__(self, command: Command) -> Command | Answer:
        """Return what may be carried out, or the refusal."""
        verdict = verify(
            EdgeCommand(
                id=command.id,
                device=self._device,
                intent=command.intent,
                arguments=command.payload,
                deadline=command.deadline,
                event=command.event,
            ),
            command.envelope,
            self._book.current(),
            device=self._device,
            now=self._now(),
            memory=self._memory,
        )
        if isinstance(verdict, Accepted):
            return replace(command, payload=verdict.arguments)
        code = AckCode.TOO_LATE if verdict.code in _TELLABLE else AckCode.NOT_AUTHORISED
        return Answer(ok=False, code=code, detail=f"{verdict.code}: {verdict.reason}")
