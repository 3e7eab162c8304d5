"""A child process that ends with its parent.

`python -m infra.tether PARENT_PID PROGRAM [ARGUMENT...]` becomes PROGRAM, tied to the parent:
the kernel stops it when the parent's starting thread is gone, however that ended.
"""

import ctypes
import os
import signal
import sys
from typing import Final

_PR_SET_PDEATHSIG: Final = 1


def tether(parent: int) -> None:
    """Ask the kernel (Linux) to stop this process with its parent; leave at once if it is gone."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        raise SystemExit(0)


def main(argv: list[str]) -> None:
    """Become the program named on the command line."""
    parent, program = int(argv[1]), argv[2]
    tether(parent)
    os.execv(program, argv[2:])  # noqa: S606


if __name__ == "__main__":
    main(sys.argv)
