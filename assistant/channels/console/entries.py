"""What the conversation shows of messages and of an answer that is still coming.  Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, assert_never
from uuid import uuid5

from assistant.codec import call_json
from assistant.turn import Acted, Asked, Event, Finished, Routed, Said, Waiting
from infra.store.conversations import Message
from safety.entities import RequestId

Entry = Mapping[str, Any]
"""One message as the browser shows it; see `blank` for the fields."""

OUTCOMES: Final[Mapping[str, tuple[str, str]]] = {
    "done": ("Done", "check_circle"),
    "answered": ("Answered", "info"),
    "pending": ("Waiting", "hourglass_top"),
    "refused": ("Refused", "block"),
    "failed": ("Failed", "error"),
    "unknown": ("Not known", "help"),
}
"""How each outcome is called and which icon it has."""


def reply_id(request: RequestId) -> str:
    """Return the id that the core gives the reply's message, so that both are one entry."""
    return str(uuid5(request, "reply"))


def user_id(request: RequestId) -> str:
    """Return the id that the store gives the person's message."""
    return str(uuid5(request, "user"))


def blank(entry: str, role: str, at: datetime, text: str = "") -> dict[str, Any]:
    """Return an entry with nothing but words."""
    return {
        "id": entry,
        "role": role,
        "at": at.isoformat(),
        "lines": _lines(text),
        "chips": [],
        "options": [],
        "pictures": [],
        "links": [],
        "event": None,
        "busy": False,
        "doing": "",
        "broken": False,
    }


def working(request: RequestId, at: datetime) -> dict[str, Any]:
    """Return the entry of an answer that has not begun; it keeps its calls until it ends."""
    begun = {"busy": True, "doing": "Reading…", "calls": []}
    return blank(reply_id(request), "assistant", at) | begun


def of_message(message: Message) -> dict[str, Any]:
    """Return the entry of a stored message."""
    entry = blank(str(message.id), message.role, message.created_at, message.text)
    return entry | _extras(message.meta) | _later(message.meta)


def folded(entry: Entry, event: Event) -> dict[str, Any]:
    """Return the entry with one more event of its turn."""
    match event:
        case Routed(decision=decision):
            return {**entry, "doing": f"{_humane(decision.rule)}…"}
        case Acted(result=result):
            calls = [*entry["calls"], call_json(result)]
            return {
                **entry,
                "calls": calls,
                "chips": _chips(calls),
                "doing": "Putting it into words…",
            }
        case Said(text=text):
            return {**entry, "lines": [*entry["lines"], *_lines(text)]}
        case Waiting() as waiting:
            return {**entry, "event": str(waiting.event), "doing": "Asking for signatures…"}
        case Asked(options=options):
            return {**entry, "options": list(options)}
        case Finished(body=body):
            text = "\n".join(reply["text"] for reply in body["replies"])
            done = {"lines": _lines(text), "busy": False, "doing": ""}
            return {**entry, **_extras(body), **done}
        case _ as unreachable:
            assert_never(unreachable)


def broken(entry: Entry, words: str) -> dict[str, Any]:
    """Return the entry of an answer that could not be given."""
    lines = [*entry["lines"], words]
    return {**entry, "lines": lines, "busy": False, "doing": "", "broken": True}


def events_of(entries: Iterable[Entry]) -> tuple[str, ...]:
    """Return the requests for approval that these entries show."""
    return tuple(each["event"] for each in entries if each["event"])


def _extras(body: Mapping[str, Any]) -> dict[str, Any]:
    """Read chips, options, pictures and the waiting request of an answer."""
    pending, question = body.get("pending_hazard"), body.get("question")
    calls: Sequence[Mapping[str, Any]] = body.get("calls") or ()
    shown = [each for each in body.get("artifacts") or () if _ours(each["url"])]
    asks = question is not None and pending is not None
    return {
        "chips": _chips(calls),
        "options": list(question["options"]) if question else [],
        # A question to the requester is answered with its buttons, not with a signature.
        "event": pending["safety_event_id"] if pending and not asks else None,
        "pictures": [each for each in shown if _is_picture(each)],
        "links": [each for each in shown if not _is_picture(each)],
    }


def _later(meta: Mapping[str, Any]) -> dict[str, Any]:
    """Read how a waiting request ended, from the message that tells it."""
    if "event_id" not in meta or "outcome" not in meta:
        return {}
    return {"chips": [_chip(str(meta["outcome"]), "Request")]}


def _chips(calls: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Return what came of the calls, the same things counted together."""
    counted: dict[tuple[str, str], int] = {}
    for call in calls:
        for each in call.get("actions") or (call,):
            key = (str(each["outcome"]), _humane(str(call["tool"])))
            counted[key] = counted.get(key, 0) + 1
    return [
        _chip(outcome, label if count == 1 else f"{label} × {count}")
        for (outcome, label), count in counted.items()
    ]


def _chip(outcome: str, label: str) -> dict[str, str]:
    word, icon = OUTCOMES.get(outcome, OUTCOMES["unknown"])
    return {"outcome": outcome, "word": word, "icon": icon, "label": label}


def _humane(name: str) -> str:
    words = name.replace("_", " ").replace("tool:", "").strip()
    return words[:1].upper() + words[1:]


def _lines(text: str) -> list[str]:
    return [line for line in text.split("\n") if line.strip()]


def _ours(url: str) -> bool:
    """Tell whether a link stays on this server; others are not shown."""
    return url.startswith("/") and not url.startswith(("//", "/\\"))


def _is_picture(artifact: Mapping[str, Any]) -> bool:
    return str(artifact["media_type"]).startswith("image/")
