"""What the client remembers between runs, in files that only its owner can read."""

import os
from pathlib import Path
from typing import Final
from uuid import UUID

_FOLDER: Final = "client"
_LAST: Final = "last-conversation"
_HISTORY: Final = "chat-history"


def _folder(home: Path) -> Path | None:
    """Return a folder that can be written: in the home, else the person's own."""
    for base in (home, Path.home() / ".local/share/kitty"):
        folder = base / _FOLDER
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            return folder
    return None


def history_file(home: Path) -> Path | None:
    """Return the file of typed lines (mode 0600); None if nothing can be kept."""
    folder = _folder(home)
    if folder is None:
        return None
    file = folder / _HISTORY
    os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
    file.chmod(0o600)
    return file


def remember(home: Path, conversation: str) -> None:
    """Keep the id of a conversation for `--conversation last`."""
    folder = _folder(home)
    if folder is not None:
        (folder / _LAST).write_text(conversation, encoding="ascii", errors="replace")


def recall(home: Path) -> str | None:
    """Return the id of the latest conversation."""
    folder = _folder(home)
    if folder is None:
        return None
    try:
        return str(UUID((folder / _LAST).read_text(encoding="ascii").strip()))
    except (OSError, ValueError):
        return None
