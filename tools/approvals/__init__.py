"""Requests that wait for people, and withdrawing one's own."""

from typing import Final

from tools.approvals.requests import REQUESTS
from tools.spec import Tool

TOOLS: Final[tuple[Tool, ...]] = REQUESTS
