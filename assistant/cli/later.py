"""The one lazy import of the commands."""

import importlib
from typing import Any


def later(module: str, name: str) -> Any:
    """Load something that only one command needs.

    The server's libraries take seconds to load, and `kitt approve` needs none of them; the
    terminal's take 9 MB, and the server needs none of those.
    """
    return getattr(importlib.import_module(module), name)
