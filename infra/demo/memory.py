"""What a device remembers across restarts: commands, used approvals, and how it stood."""

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from infra.demo.machine import AckCode, Answer
from safety.nonces import Claim, Nonces

REMEMBERED: Final = 1_000
"""Commands; an older one is past its deadline anyway."""
REPORTED: Final = 16
"""Command ids in a state message."""

_CUT_SHORT: Final = Answer(
    ok=False,
    code=AckCode.DEVICE_ERROR,
    detail="The device restarted while it carried this out; look at its state",
)


class Memory:
    """Commands by id, written to a file before anything moves."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._answers: dict[str, Answer | None] = {}
        self._nonces = Nonces()
        self.kept: Mapping[str, Any] = {}
        if path.exists():
            self._load(json.loads(path.read_text(encoding="utf-8")))

    def __contains__(self, command_id: str) -> bool:
        return command_id in self._answers

    def answer(self, command_id: str) -> Answer | None:
        """Return what was answered to a command; None while it is under way or unknown."""
        return self._answers.get(command_id)

    def begin(self, command_id: str) -> None:
        """Note that a command is about to be carried out."""
        self._answers[command_id] = None
        self._write()

    def claim(self, event: str, nonce: str, *, until: datetime, now: datetime) -> Claim:
        """Use an approval up; what was used stays used across restarts."""
        claim, self._nonces = self._nonces.claim(event, nonce, until=until, now=now)
        if claim is Claim.FRESH:
            self._write()
        return claim

    def finish(self, command_id: str, answer: Answer, kept: Mapping[str, Any]) -> None:
        """Note what came of a command, and how the device stands now."""
        self._answers[command_id] = answer
        while len(self._answers) > REMEMBERED:
            del self._answers[next(iter(self._answers))]
        self.kept = dict(kept)
        self._write()

    def keep(self, kept: Mapping[str, Any]) -> None:
        """Note how the device stands, if that is new."""
        if kept != self.kept:
            self.kept = dict(kept)
            self._write()

    def carried_out(self) -> list[str]:
        """Return the ids of the last commands that were carried out, oldest first."""
        done = [name for name, answer in self._answers.items() if answer and answer.ok]
        return done[-REPORTED:]

    def _load(self, stored: Mapping[str, Any]) -> None:
        self.kept = stored["kept"]
        if "approvals" in stored:  # files from before devices checked them have none
            self._nonces = Nonces.restored(stored["approvals"])
        for command_id, answer in stored["commands"]:
            self._answers[command_id] = _CUT_SHORT if answer is None else _answer(*answer)

    def _write(self) -> None:
        commands = [
            (command_id, (answer.ok, answer.code, answer.detail) if answer else None)
            for command_id, answer in self._answers.items()
        ]
        stored = {"commands": commands, "approvals": self._nonces.kept(), "kept": self.kept}
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps(stored, ensure_ascii=False), encoding="utf-8")
        fresh.replace(self._path)


def _answer(ok: bool, code: str | None, detail: str) -> Answer:  # noqa: FBT001 - as stored
    return Answer(ok=ok, code=AckCode(code) if code else None, detail=detail)
