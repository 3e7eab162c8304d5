"""The check next to the device: may this command be obeyed?  Offline, and the last one.

Nothing that KITTY, the broker or the network says is believed here: only the trust file beside
the device, the device's own clock and memory, and people's signatures.  Making safe never needs
any of it.  docs/edge.md explains the rules and lists the reason codes.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from safety.actions import KINDS, Action
from safety.canonical import CanonicalFormError
from safety.entities import EventId, Hazard
from safety.envelope import Envelope, EnvelopeError, Seal, command_for, read_envelope
from safety.nonces import Claim, Memory
from safety.policy import QUORUM
from safety.signatures import verify as signature_fits
from safety.signed import SignedEvent, SignedFormError, read_signed
from safety.trust import MAX_SKEW, TrustedPerson, TrustFile


class Code(StrEnum):
    """Why a command is not obeyed; stable."""

    NO_TRUST = "no_trust"
    NO_ENVELOPE = "no_envelope"
    BAD_ENVELOPE = "bad_envelope"
    UNKNOWN_ENVELOPE = "unknown_envelope"
    TOO_LARGE = "too_large"
    NOT_CANONICAL = "not_canonical"
    BAD_DOCUMENT = "bad_document"
    WRONG_DEVICE = "wrong_device"
    WRONG_ZONE = "wrong_zone"
    WRONG_SITE = "wrong_site"
    WRONG_COMMAND = "wrong_command"
    WRONG_INTENT = "wrong_intent"
    WRONG_ARGUMENTS = "wrong_arguments"
    NOT_YET_VALID = "not_yet_valid"
    EXPIRED = "expired"
    BAD_DEADLINE = "bad_deadline"
    TOO_LATE = "too_late"
    UNKNOWN_KEY = "unknown_key"
    REVOKED_KEY = "revoked_key"
    KEY_OUT_OF_DATE = "key_out_of_date"
    REVOKED_PERSON = "revoked_person"
    ROLE_NOT_ALLOWED = "role_not_allowed"
    SAME_KEY_TWICE = "same_key_twice"
    SAME_PERSON_TWICE = "same_person_twice"
    BAD_SIGNATURE = "bad_signature"
    TOO_FEW_PEOPLE = "too_few_people"
    TRUST_OUT_OF_DATE = "trust_out_of_date"
    REPLAYED = "replayed"
    MEMORY_FULL = "memory_full"


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeCommand:
    """A command as it arrived, decoded and not believed."""

    id: str
    device: str
    intent: str
    arguments: Mapping[str, Any]
    deadline: datetime
    event: str | None
    """Id of the SafetyEvent that it claims to carry out."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The command may be obeyed, with these arguments."""

    arguments: Mapping[str, Any]
    """The signed ones, where there are signed ones."""
    signers: tuple[str, ...] = ()
    """Handles of who signed."""
    event: EventId | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """The command must not be obeyed."""

    code: Code
    reason: str
    """For people: what and why."""


Verdict = Accepted | Rejected


class _No(Exception):  # noqa: N818 - a refusal is not a fault
    def __init__(self, code: Code, reason: str) -> None:
        super().__init__(reason)
        self.verdict = Rejected(code, reason)


_BY_INTENT: Final[Mapping[str, type[Action]]] = {kind.intent: kind for kind in KINDS}


def hazard_of(intent: str, zone: Hazard) -> Hazard:
    """Return the least that an intent counts as in such a zone; HIGH if nobody knows it."""
    kind = _BY_INTENT.get(intent)
    if kind is None:
        return Hazard.HIGH
    if kind.makes_safe or kind.hazard is Hazard.NONE:
        return Hazard.NONE
    return max(kind.hazard, zone)


def verify(
    command: EdgeCommand,
    envelope: object,
    trust: TrustFile | None,
    *,
    device: str,
    now: datetime,
    memory: Memory,
) -> Verdict:
    """Say whether `device` may obey; an approval that is accepted is used up in `memory`.

    `envelope` is the command's field of that name as JSON values, or None.  Without a trust
    file nothing hazardous is obeyed.
    """
    try:
        _is_for(command, device)
        kind = _BY_INTENT.get(command.intent)
        if kind is not None and kind.makes_safe:
            return Accepted(command.arguments)
        if trust is None or device not in trust.devices:
            return _untrusting(command)
        people = _people_wanted(command.intent, trust, device)
        if envelope is None:
            return _unsigned(command, people)
        sealed = _envelope(envelope)
        event = _signed(sealed)
        _fits(command, event)
        _stands(event, trust, device)
        _in_time(command, event, trust, now)
        signers = _signers(sealed, event, trust, now)
        _enough(signers, max(people, event.quorum, QUORUM[event.hazard]))
        _use_up(event, memory, now)
    except _No as no:
        return no.verdict
    return Accepted(event.action.arguments, signers, event.id)


def _unsigned(command: EdgeCommand, people: int) -> Accepted:
    if people:
        raise _No(Code.NO_ENVELOPE, f"{command.intent[:64]!r} takes signatures, and none came")
    return Accepted(command.arguments)


def _enough(signers: Sequence[str], wanted: int) -> None:
    if len(signers) < wanted:
        raise _No(Code.TOO_FEW_PEOPLE, f"{wanted} people must sign; {len(signers)} did")


def _is_for(command: EdgeCommand, device: str) -> None:
    if command.device != device:
        raise _No(Code.WRONG_DEVICE, f"it is for {command.device[:128]!r}, this is {device!r}")


def _untrusting(command: EdgeCommand) -> Accepted:
    if hazard_of(command.intent, Hazard.NONE) > Hazard.NONE:
        raise _No(Code.NO_TRUST, "no trust file tells whom this device obeys")
    return Accepted(command.arguments)


def _people_wanted(intent: str, trust: TrustFile, device: str) -> int:
    """Return how many distinct people the edge itself demands, whatever was signed."""
    least = QUORUM[hazard_of(intent, trust.zones[trust.devices[device]].hazard)]
    return max(least, trust.intents.get(intent, 0))


def _envelope(value: object) -> Envelope:
    try:
        return read_envelope(value)
    except EnvelopeError as error:
        raise _No(Code(error.code), str(error)) from None


def _signed(envelope: Envelope) -> SignedEvent:
    try:
        return read_signed(envelope.payload)
    except CanonicalFormError as error:
        raise _No(Code.NOT_CANONICAL, f"the signed document is {error}") from None
    except SignedFormError as error:
        raise _No(Code.BAD_DOCUMENT, f"the signed document is not understood: {error}") from None


def _fits(command: EdgeCommand, event: SignedEvent) -> None:
    """Refuse a command that says anything else than what was signed."""
    if event.external_id != command.device:
        raise _No(Code.WRONG_DEVICE, f"it was signed for {event.external_id[:128]!r}")
    if command.event != str(event.id) or command.id != str(command_for(event.id)):
        raise _No(Code.WRONG_COMMAND, "the command is not the one of the signed event")
    if command.intent != event.action.intent:
        raise _No(Code.WRONG_INTENT, f"{event.action.intent!r} was signed")
    if _spelled(command.arguments) != _spelled(event.action.arguments):
        raise _No(Code.WRONG_ARGUMENTS, "other arguments were signed")


def _spelled(values: Mapping[str, Any]) -> str:
    """Write JSON values so that true, 1 and 1.0 are three things."""
    try:
        return json.dumps(dict(values), sort_keys=True)
    except (TypeError, ValueError, RecursionError):
        raise _No(Code.WRONG_ARGUMENTS, "the arguments are not JSON") from None


def _stands(event: SignedEvent, trust: TrustFile, device: str) -> None:
    if event.site != trust.site:
        raise _No(Code.WRONG_SITE, f"it was signed for the site {event.site[:128]!r}")
    if event.zone != trust.devices[device]:
        raise _No(Code.WRONG_ZONE, f"it was signed for the zone {event.zone[:128]!r}")


def _in_time(command: EdgeCommand, event: SignedEvent, trust: TrustFile, now: datetime) -> None:
    if trust.valid_until is not None and now > trust.valid_until:
        raise _No(Code.TRUST_OUT_OF_DATE, "the trust file has run out; bring a newer one")
    if now < event.not_before - trust.skew:
        raise _No(Code.NOT_YET_VALID, f"it is valid from {event.not_before:%H:%M:%S} UTC on")
    if now >= event.expires_at + trust.skew:
        raise _No(Code.EXPIRED, f"it ran out at {event.expires_at:%H:%M:%S} UTC")
    if not event.not_before <= command.deadline <= event.expires_at:
        raise _No(Code.BAD_DEADLINE, "the deadline is outside the time that was signed")
    if now >= command.deadline:
        raise _No(Code.TOO_LATE, "the deadline had passed")


def _signers(
    envelope: Envelope, event: SignedEvent, trust: TrustFile, now: datetime
) -> tuple[str, ...]:
    """Return the distinct people behind the signatures; one bad signature spoils all."""
    found: list[str] = []
    if len({seal.key for seal in envelope.signatures}) != len(envelope.signatures):
        raise _No(Code.SAME_KEY_TWICE, "a key signed twice")
    zone = trust.zones[event.zone]
    for seal in envelope.signatures:
        person = _person(seal, trust, now)
        if not person.roles & zone.roles & event.roles:
            raise _No(Code.ROLE_NOT_ALLOWED, f"{person.handle!r} has no role for {zone.slug!r}")
        if person.handle in found:
            raise _No(Code.SAME_PERSON_TWICE, f"{person.handle!r} signed twice")
        found.append(person.handle)
    for seal in envelope.signatures:
        if not signature_fits(trust.keys[seal.key].public, seal.value, envelope.digest):
            raise _No(Code.BAD_SIGNATURE, f"the signature of {seal.key} does not fit")
    return tuple(found)


def _person(seal: Seal, trust: TrustFile, now: datetime) -> TrustedPerson:
    key = trust.keys.get(seal.key)
    if key is None:
        raise _No(Code.UNKNOWN_KEY, f"the trust file does not know {seal.key}; bring a newer one")
    if key.revoked:
        raise _No(Code.REVOKED_KEY, f"{seal.key} has been revoked")
    early = key.valid_from is not None and now < key.valid_from
    if early or (key.valid_until is not None and now >= key.valid_until):
        raise _No(Code.KEY_OUT_OF_DATE, f"{seal.key} is not valid now")
    person = trust.people[key.person]
    if person.revoked:
        raise _No(Code.REVOKED_PERSON, f"{person.handle!r} may not sign any more")
    return person


def _use_up(event: SignedEvent, memory: Memory, now: datetime) -> None:
    # The widest skew of any trust file: a newer one must not bring back what was forgotten.
    until = event.expires_at + MAX_SKEW
    match memory.claim(str(event.id), event.nonce, until=until, now=now):
        case Claim.SEEN:
            raise _No(Code.REPLAYED, "that approval was used before")
        case Claim.FULL:
            raise _No(Code.MEMORY_FULL, "too many approvals are open at once; try again later")
        case Claim.FRESH:
            return
