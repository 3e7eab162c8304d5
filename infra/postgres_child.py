"""Become the PostgreSQL server: drop root, tie the process to its parent, run the program.

Run as a file, with nothing but the standard library:
`python -I -S postgres_child.py PARENT_PID UID GID PROGRAM [ARGUMENT...]`.
A program of its own because code between fork and exec is not safe beside threads.
"""

import ctypes
import os
import signal
import sys
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
FAST_SHUTDOWN: Final = signal.SIGINT
"""What PostgreSQL takes as: disconnect everybody, write everything, stop."""


def main(argv: list[str]) -> None:
    """Run the program named on the command line as that user, until the parent ends."""
    parent, uid, gid = (int(word) for word in argv[1:4])
    if uid != os.geteuid():
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if sys.platform == "linux":  # after the change of user, which would undo it
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, FAST_SHUTDOWN)
    if os.getppid() != parent:  # it ended before the tie was made
        raise SystemExit(1)
    os.execv(argv[4], argv[4:])  # noqa: S606  # no shell is wanted


if __name__ == "__main__":
    main(sys.argv)
