"""Lights, doors, power, cameras and who is where."""

from typing import Final

from tools.devices.act import ACT
from tools.devices.look import LOOK
from tools.spec import Tool

TOOLS: Final[tuple[Tool, ...]] = (*LOOK, *ACT)
