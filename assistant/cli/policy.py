"""`kitt policy`: what the zones demand, and what a wish would need."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Final

import typer

from assistant.cli import screen
from assistant.cli.client import Client
from assistant.cli.leave import Code, CommandError, Leave
from assistant.cli.options import Home, TokenFile, Url, connected
from assistant.cli.session import Session, Wanted, default_homes, find
from assistant.cli.words import escaped, quoted

app = typer.Typer(
    help="What zones demand before anything hazardous: show, check, explain.", no_args_is_help=True
)
HEADS: Final = (
    "zone", "level", "roles", "people", "presence", "PPE", "hours", "limits", "taint", "version",
)  # fmt: skip
_EXPLAIN: Final = "/api/policies/explain"
_CODES: Final[Mapping[str, Code]] = {
    "clear": Code.DONE,
    "waits": Code.PENDING,
    "refused": Code.REFUSED,
}
AsJson = Annotated[bool, typer.Option("--json", help="Print the server's answer as JSON.")]
Zone = Annotated[str, typer.Argument(metavar="[ZONE]", help="Name or slug of one zone.")]


@app.command()
@connected
def show(client: Client, zone: Zone = "", *, as_json: AsJson = False) -> None:
    """Show the policies of all zones, or of one."""
    items = client.items("/api/policies")
    found = [each for each in items if _called(each, zone)]
    if zone and not found:
        known = ", ".join(escaped(str(each["zone"]["slug"])) for each in items)
        raise CommandError(f"there is no zone {quoted(zone)}. There are: {known}.")
    out = screen.screen()
    if as_json:
        out.print(json.dumps(found, indent=2))
        return
    out.print(screen.table(HEADS, map(row_of, found)))


def _called(item: Mapping[str, Any], zone: str) -> bool:
    names = {str(item["zone"]["slug"]).casefold(), str(item["zone"]["name"]).casefold()}
    return not zone or zone.casefold() in names


def row_of(item: Mapping[str, Any]) -> tuple[str, ...]:
    """Return a line of the table."""
    zone, policy = item["zone"], item["policy"]
    place = (str(zone["name"]), str(zone["hazard_level"]))
    if policy is None:
        return (*place, "no policy: nothing hazardous is done there", *("" for _ in HEADS[3:]))
    presence = f"within {policy['presence_ttl_seconds']:g} s"
    return (
        *place,
        ", ".join(policy["required_roles"]),
        str(policy["quorum"]),
        presence if policy["requires_presence"] else "no",
        ", ".join(policy["ppe"]) or "no",
        "; ".join(_hours(policy)) or "always",
        "; ".join(_limits(policy)),
        str(policy["taint"]),
        str(policy["version"]),
    )


def _hours(policy: Mapping[str, Any]) -> Iterator[str]:
    for each in policy["time_windows"]:
        yield f"{', '.join(each['days'])} {each['from']} to {each['to']} {policy['time_zone']}"


def _limits(policy: Mapping[str, Any]) -> Iterator[str]:
    yield f"{policy['max_pending']} waiting"
    limit = policy["max_requests"]
    if limit is not None:
        yield f"{limit['count']} in {limit['seconds']:g} s"


@app.command()
def explain(
    text: Annotated[
        str, typer.Argument(metavar="TEXT", help='A wish, such as "unlock the welding bay door".')
    ],
    person: Annotated[
        str | None,
        typer.Option(
            "--as",
            metavar="PERSON",
            help="For this person. Anybody else than yourself takes the role safety or admin, "
            "or their token in the demo's folder.",
        ),
    ] = None,
    at: Annotated[
        str | None, typer.Option("--at", metavar="TIME", help="ISO time with offset. Default: now.")
    ] = None,
    *,
    tainted: Annotated[
        bool, typer.Option("--tainted", help="As if a web page or a file name had led to it.")
    ] = False,
    as_json: AsJson = False,
    url: Url = None,
    token_file: TokenFile = None,
    home: Home = None,
) -> None:
    """Say what a wish would need, who could sign, and what would refuse it; nothing is done.

    Leaves with 0 if it would run at once, 2 if it would wait for people, 3 if it would be refused.
    """
    body: dict[str, Any] = {"text": text, "tainted": tainted}
    body |= {name: each for name, each in (("as", person), ("at", at)) if each is not None}
    wanted = Wanted(url=url, token_file=token_file, home=home, person=person)
    with Client(_session(wanted)) as client:
        answer = client.post(_EXPLAIN, body)
    out = screen.screen()
    items = answer.get("items") or ()
    if as_json:
        out.print(json.dumps(answer, indent=2))
    else:
        for item in items:
            out.print(screen.card(_card(item)), end="")
    raise Leave(max((_CODES.get(each["verdict"], Code.FAILED) for each in items), default=0))


def _session(wanted: Wanted) -> Session:
    """Return that person's session where their token lies in the home, else one's own."""
    if wanted.person is not None and wanted.token_file is None:
        try:
            return find(wanted, default_homes())
        except CommandError as error:
            if error.code is not Code.NOT_ALLOWED:
                raise
    own = Wanted(url=wanted.url, token_file=wanted.token_file, home=wanted.home)
    return find(own, default_homes())


def _card(item: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "what", escaped(str(item["what"]))
    yield "verdict", _verdict(item)
    if item["zone"] is not None:
        policy = item["policy"]
        under = f", policy {quoted(policy['name'])} version {policy['version']}" if policy else ""
        yield "zone", f"{escaped(str(item['zone']))}{under}"
    yield (
        "hazard",
        _lines(
            [
                str(item["hazard"]),
                *(f"{r['source']}: {r['hazard']}, {r['text']}" for r in item["reasons"]),
            ]
        ),
    )
    checks = [_check(each) for each in item["checks"]]
    needs = [f"[ ] {each}" for each in item["needs"]]
    if checks or needs:
        yield "needs", _lines([*checks, *needs])
    if item["protection"]:
        yield "signers vouch for", _lines([", ".join(item["protection"])])
    if item["verdict"] == "waits" and item["hazard"] != "low":
        names = ", ".join(str(each["display_name"]) for each in item["signers"])
        yield "who could sign", escaped(names or "nobody has the role and a key")


def _verdict(item: Mapping[str, Any]) -> str:
    words = {"clear": "runs at once", "waits": "waits for people", "refused": "refused"}
    said = words.get(item["verdict"], str(item["verdict"]))
    return escaped(f"{said}: {item['reason']}" if item["reason"] else said)


def _check(check: Mapping[str, Any]) -> str:
    if check["met"]:
        return f"[x] {check['demand']}"
    return f"[ ] {check['demand']}: {check['reason']}"


def _lines(lines: Sequence[str]) -> str:
    return "\n".join(escaped(each) for each in lines)
