"""What happened, why KITTY answered as it did, and what it was asked to remember."""

from typing import Final

from tools.record.happened import HAPPENED
from tools.record.notes import NOTES
from tools.record.reasons import REASONS
from tools.spec import Tool

TOOLS: Final[tuple[Tool, ...]] = (*HAPPENED, *REASONS, *NOTES)
