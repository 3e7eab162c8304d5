"""Keep out of the process what NiceGUI's libraries import and never use in a server."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without(*names: str) -> Iterator[None]:
    """Let imports in the block find these packages missing, unless somebody has them already.

    Only for packages that the importing library treats as optional.
    """
    hidden = [name for name in names if name not in sys.modules]
    for name in hidden:
        # None is how Python itself says that an import must fail (the import system, 5.3.1).
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
