"""How a command ends: with a code that scripts can rely on, or with a sentence for people."""

from enum import IntEnum
from typing import Self


class Code(IntEnum):
    """Exit codes of `kitt`, with what each means."""

    meaning: str

    def __new__(cls, number: int, meaning: str) -> Self:
        """Make a member of a number and its words."""
        made = int.__new__(cls, number)
        made._value_ = number
        made.meaning = meaning
        return made

    DONE = 0, "Done, or answered."
    CRASHED = 1, "A fault in kitt itself; please report it."
    PENDING = 2, "It waits for people: for an approval, a second signature or a confirmation."
    REFUSED = 3, "KITTY, or the person at the terminal, refused."
    FAILED = 4, "It did not happen, or nobody knows whether it happened."
    UNREACHABLE = 5, "No server answered."
    NOT_ALLOWED = 6, "No token, an unknown token, or a person without the right."
    USAGE = 64, "The command line, or a setting, is wrong."
    INTERRUPTED = 130, "Ctrl-C."


class Leave(SystemExit):
    """End the command with a code; everything there is to say has been said."""

    def __init__(self, code: int) -> None:
        super().__init__(int(code))


class CommandError(Exception):
    """An expected problem: what went wrong, why, and what to do."""

    def __init__(self, message: str, code: Code = Code.FAILED) -> None:
        super().__init__(message)
        self.code = code
