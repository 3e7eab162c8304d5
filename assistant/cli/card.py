"""What a person is about to sign, in words read from the very bytes that are signed.

The server's own description is never used here: whoever controls it could describe one thing
and have another signed.  A field that this version does not know is refused rather than
signed unseen.
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from assistant.cli.words import escaped, quoted, span, value
from safety.actions import KINDS, Action
from safety.canonical import CanonicalFormError, parse

MAX_BODY: Final = 65_536
"""Bytes; more than a person can read is more than a person can sign."""
CLOCK_SKEW: Final = timedelta(minutes=2)
"""How far this machine's clock may be behind the server's."""

Scalar = bool | int | str | None


class CardError(ValueError):
    """These bytes must not be signed; the message says why."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _Action(_Part):
    kind: str
    intent: str
    arguments: dict[str, Scalar]


class _Device(_Part):
    id: UUID
    external_id: str
    name: str
    kind: str


class _Zone(_Part):
    id: UUID
    slug: str
    name: str


class _Requester(_Part):
    id: UUID
    handle: str
    name: str


class _Policy(_Part):
    id: UUID
    version: int
    roles: list[str]
    presence: bool


class SignedEvent(_Part):
    """A SafetyEvent as its signed bytes say it."""

    format: str
    id: UUID
    action: _Action
    device: _Device
    zone: _Zone
    requester: _Requester
    hazard: Literal["none", "low", "medium", "high"]
    quorum: int = Field(ge=0)
    policy: _Policy
    ppe: list[str]
    device_state: dict[str, Scalar]
    evidence: dict[str, str]
    tainted: bool
    nonce: str
    not_before: AwareDatetime
    expires_at: AwareDatetime
    site: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """An event fit to be signed."""

    event: SignedEvent
    digest: bytes
    """SHA-256 of the signed bytes: what the key signs."""


_SENTENCES: Final[Mapping[str, Callable[[Mapping[str, Scalar]], str]]] = {
    "SwitchLight": lambda given: f"Turn the light {'on' if given['on'] else 'off'}",
    "SetScene": lambda given: f"Set the lights to the scene {value(given['scene'])}",
    "LockDoor": lambda _: "Lock the door",
    "UnlockDoor": lambda given: f"UNLOCK the door for {value(given['seconds'])} seconds",
    "CutPower": lambda _: "Cut the power",
    "EnablePower": lambda _: "Turn the power ON",
    "StartPrint": lambda _: "Heat up and START a print",
    "PausePrint": lambda _: "Pause the print",
    "ResumePrint": lambda _: "RESUME the print",
    "AbortPrint": lambda _: "Abort the print",
    "SetTemperature": lambda given: (
        f"HEAT the {escaped(str(given['part']))} to {value(given['celsius'])} °C"
    ),
    "SendGcode": lambda _: "Send raw G-code, exactly as below",
}
_KINDS: Final[Mapping[str, type[Action]]] = {kind.__name__: kind for kind in KINDS}


def read(body: bytes, *, digest: str, asked_for: str, now: datetime) -> Card:
    """Check the bytes of one event; raise CardError if they must not be signed."""
    if len(body) > MAX_BODY:
        raise CardError(f"the document has more than {MAX_BODY} bytes")
    computed = hashlib.sha256(body).digest()
    if not hmac.compare_digest(computed.hex(), digest.lower()):
        raise CardError("the digest is not the one of the bytes: they were changed on the way")
    try:
        parse(body)
        event = SignedEvent.model_validate_json(body)
    except CanonicalFormError as error:
        raise CardError(f"the document is {escaped(str(error))}") from None
    except ValidationError as error:
        raise CardError(f"the document does not have the expected shape: {_shape(error)}") from None
    if str(event.id) != asked_for:
        raise CardError(
            f"the document is about event {event.id}, but you asked for {escaped(asked_for)}"
        )
    _check_action(event.action)
    _check_times(event, now)
    return Card(event=event, digest=computed)


def _shape(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{escaped('.'.join(map(str, first['loc'])))}: {first['msg'].lower()}"


def _check_action(action: _Action) -> None:
    kind = _KINDS.get(action.kind)
    if kind is None:
        raise CardError(f"this kitt does not know the action {quoted(action.kind)}; update it")
    named = {each.name for each in fields(kind)} - {"device", "zone"}
    if action.intent != kind.intent or set(action.arguments) != named:
        raise CardError(
            f"the action contradicts itself: {quoted(action.kind)} with the intent "
            f"{quoted(action.intent)} and the arguments {', '.join(map(quoted, action.arguments))}"
        )


def _check_times(event: SignedEvent, now: datetime) -> None:
    if event.expires_at <= now:
        raise CardError(f"it expired {span(now - event.expires_at)} ago; ask for it again")
    if event.not_before > now + CLOCK_SKEW:
        raise CardError("it is dated in the future; check the clock of this machine")


def lines(card: Card, now: datetime) -> list[tuple[str, str]]:
    """Return the card as label and text; everything that others wrote is quoted and escaped."""
    event = card.event
    device, zone, asker = event.device, event.zone, event.requester
    shown = [
        ("Action", _SENTENCES[event.action.kind](event.action.arguments)),
        ("Device", f"{quoted(device.name)} ({escaped(device.kind)} {quoted(device.external_id)})"),
        ("Zone", f"{quoted(zone.name)} ({quoted(zone.slug)})"),
        *([("Site", quoted(event.site))] if event.site else []),
        *(_argument(name, given) for name, given in event.action.arguments.items()),
        ("Asked by", f"{quoted(asker.name)} ({quoted(asker.handle)})"),
        ("Hazard", f"{event.hazard}; {_quorum(event.quorum)} needed"),
        ("Who may sign", " or ".join(escaped(role) for role in event.policy.roles)),
        ("You vouch for", ", ".join(quoted(each) for each in event.ppe) or "no special equipment"),
    ]
    if event.policy.presence:
        shown.append(("Presence", f"{quoted(asker.handle)} must be in the zone"))
    for name, given in event.device_state.items():
        shown.append((f"Now: {escaped(name)}", value(given)))
    shown += [
        (f"Evidence: {escaped(name)}", quoted(given)) for name, given in event.evidence.items()
    ]
    if event.tainted:
        shown.append(
            ("Careful", "text from outside (a page, a file, a camera) led to this request")
        )
    shown += [
        ("Time left", span(event.expires_at - now)),
        ("Event", str(event.id)),
        ("SHA-256", card.digest.hex()),
    ]
    return shown


def _argument(name: str, given: Scalar) -> tuple[str, str]:
    text = "\n".join(map(quoted, given.split("\n"))) if isinstance(given, str) else value(given)
    return f"  {escaped(name)}", text


def _quorum(number: int) -> str:
    return "1 signature" if number == 1 else f"{number} signatures"


def words_of(outcome: Mapping[str, Any]) -> str:
    """Say what the server says came of an approval."""
    reason = outcome.get("reason")
    return f": {escaped(str(reason))}" if reason else ""
