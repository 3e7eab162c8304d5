"""`kitt serve` that kills itself (SIGKILL) at a chosen point of a turn.

The point stands in the file `doom` in KITTY's home; without the file nothing happens.
"""

import os
import signal
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from assistant.cli import serve as commands
from assistant.compose import House, application
from assistant.serve import serve
from infra.checkpoints import PooledSaver
from infra.store.conversations import Conversations
from infra.store.ledger import PostgresLedger
from infra.store.routing_log import RoutingLog

DOOM = Path(os.environ["KITTY_HOME"]) / "doom"


def meet(point: str) -> None:
    """Die here if this is the chosen point."""
    if DOOM.exists() and DOOM.read_text() == point:
        os.kill(os.getpid(), signal.SIGKILL)


def doomed(kind: type[Any], what: str, methods: Sequence[str]) -> type[Any]:
    """Return a subclass that can die right before and right after each of these methods."""

    def wrapped(name: str) -> Any:
        async def method(self: Any, *arguments: Any, **named: Any) -> Any:
            meet(f"before {what}.{name}")
            result = await getattr(super(made, self), name)(*arguments, **named)
            meet(f"after {what}.{name}")
            return result

        return method

    made = type(f"Doomed{kind.__name__}", (kind,), {name: wrapped(name) for name in methods})
    return made


class DoomedSaver(PooledSaver):
    """Dies between two nodes: before or after the checkpoint that leads to the second."""

    async def aput(self, config: Any, checkpoint: Any, metadata: Any, new_versions: Any) -> Any:
        following = "+".join(
            sorted(
                key.removeprefix("branch:to:")
                for key in checkpoint["channel_values"]
                if key.startswith("branch:to:")
            )
        )
        meet(f"before checkpoint of {following or 'end'}")
        stored = await super().aput(config, checkpoint, metadata, new_versions)
        meet(f"after checkpoint of {following or 'end'}")
        return stored


class DoomedHouse(House):
    ledger_kind = doomed(
        PostgresLedger,
        "ledger",
        ("open_event", "open_command", "confirm", "sign", "approve", "claim", "mark_sent", "close"),
    )
    routing_kind = doomed(RoutingLog, "routing", ("write",))
    conversations_kind = doomed(Conversations, "conversations", ("accept", "close", "report"))
    saver_kind = DoomedSaver


if __name__ == "__main__":
    build = partial(application, make=DoomedHouse)
    sys.exit(commands.serve(partial(serve, build=build)))
