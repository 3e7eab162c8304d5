"""Printers and their jobs: looking, starting, stopping."""

from typing import Final

from tools.printing.control import CONTROL
from tools.printing.look import LOOK
from tools.printing.start import START
from tools.printing.stop import STOP
from tools.spec import Tool

TOOLS: Final[tuple[Tool, ...]] = (*LOOK, *START, *STOP, *CONTROL)
