"""`kitt routing`: who answered what, and why."""

import json
import sys
from collections.abc import Mapping
from typing import Annotated, Any, Final

import typer

from assistant.cli import screen
from assistant.cli.client import Client
from assistant.cli.leave import Code, CommandError
from assistant.cli.options import connected
from assistant.cli.words import WordsError, since
from infra import clock
from routing.decision import Tier

PAGE: Final = 200
"""Decisions asked for at once."""
app = typer.Typer(help="The routing log.", no_args_is_help=True)


@app.callback()
def routing() -> None:
    """Show who answered what, and why."""


@app.command()
@connected
def logs(
    client: Client,
    back: Annotated[
        str | None, typer.Option("--since", help="From when on: 30m, 1h, 2d, or an ISO time.")
    ] = None,
    tier: Annotated[Tier | None, typer.Option("--tier", help="Only this tier.")] = None,
    conversation: Annotated[
        str | None, typer.Option("--conversation", "-c", help="Only this conversation.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="How many.")] = 20,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
) -> None:
    """List routing decisions, newest first."""
    start = None
    if back is not None:
        try:
            start = since(back, clock.now()).isoformat()
        except WordsError as error:
            raise CommandError(f"{error}.", Code.USAGE) from None
    found = _read(client, limit, conversation, tier.value if tier else None, start)
    if as_json:
        sys.stdout.writelines(json.dumps(each) + "\n" for each in found)
        return
    out = screen.screen()
    if not found:
        out.print("No decisions.")
        return
    heads = ("at", "tier", "sure", "took", "cost", "by", "rule", "outcome", "why not local")
    out.print(screen.table(heads, map(_row, found)))


def _read(
    client: Client, limit: int, conversation: str | None, tier: str | None, start: str | None
) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    while len(found) < limit:
        page = client.get(
            "/api/routing/logs",
            conversation_id=conversation,
            selected_tier=tier,
            since=start,
            limit=min(PAGE, limit - len(found)),
            cursor=cursor,
        )
        items = page.get("items") or []
        found += items
        cursor = page.get("next_cursor")
        if not cursor or not items:
            break
    return found[:limit]


def _row(decision: Mapping[str, Any]) -> tuple[str, ...]:
    latency, confidence = decision.get("latency_ms"), decision.get("confidence")
    return (
        str(decision.get("created_at", ""))[:19].replace("T", " "),
        str(decision.get("selected_tier", "")),
        f"{confidence:.0%}" if isinstance(confidence, int | float) else "",
        "" if latency is None else f"{latency} ms",
        f"${decision.get('cost_estimate', '')}",
        str(decision.get("model", "")),
        str(decision.get("rule", "")),
        str(decision.get("outcome") or "open"),
        str(decision.get("escalation_reason", "")),
    )
