"""Thousands of altered envelopes: none is obeyed.  A naive verifier shows that the test bites."""

import base64
import copy
import json
import string
from collections.abc import Iterator
from dataclasses import fields, replace
from random import Random
from typing import Any
from uuid import UUID, uuid4

import pytest
from fakes.edge import Bench, Signed, enable_power, heat, start_print, unlock

from safety.canonical import digest
from safety.edge import Accepted, EdgeCommand, Rejected
from safety.envelope import read_envelope
from safety.nonces import VolatileMemory
from safety.signatures import verify as fits

MUTATIONS = 20_000
UNSIGNED = {"deadline"}
"""Of a command, all but this is bound to the signatures; a deadline only moves within the window."""


def naive(bench: Bench, signed: Signed) -> bool:
    """Obey whatever carries a good signature of somebody known."""
    try:
        envelope = read_envelope(signed.envelope)
    except ValueError:
        return False
    return any(
        fits(bench.trust.keys[each.key].public, each.value, digest(envelope.payload))
        for each in envelope.signatures
        if each.key in bench.trust.keys
    )


def _flip(text: str, dice: Random) -> str:
    place = dice.randrange(len(text))
    other = dice.choice(
        [c for c in string.ascii_letters + string.digits + "+/" if c != text[place]]
    )
    return text[:place] + other + text[place + 1 :]


def _cut(text: str, dice: Random) -> str:
    return text[: dice.randrange(len(text))]


def _base64(text: str, dice: Random) -> str:
    """Change one bit of what base64 says."""
    raw = bytearray(base64.b64decode(text))
    raw[dice.randrange(len(raw))] ^= 1 << dice.randrange(8)
    return base64.b64encode(bytes(raw)).decode()


def _textual(envelope: dict[str, Any], dice: Random) -> None:
    change = dice.choice([_flip, _flip, _cut, _base64])
    seal = dice.choice(envelope["signatures"])
    place, name = dice.choice(
        [(envelope, "payload"), (envelope, "payload"), (seal, "sig"), (seal, "keyid")]
    )
    if change is _base64 and name == "keyid":
        change = _flip
    place[name] = change(place[name], dice)


def _structural(envelope: dict[str, Any], dice: Random) -> None:
    match dice.randrange(8):
        case 0:
            del envelope[dice.choice(list(envelope))]
        case 1:
            envelope["extra"] = 1
        case 2:
            envelope[dice.choice(list(envelope))] = dice.choice([None, 1, [], {}, "", "x", True])
        case 3:
            del envelope["signatures"][dice.randrange(2)]
        case 4:
            envelope["signatures"] *= dice.choice([2, 5])
        case 5:
            a, b = envelope["signatures"]
            a["sig"], b["sig"] = b["sig"], a["sig"]
        case 6:
            a, b = envelope["signatures"]
            a["keyid"], b["keyid"] = b["keyid"], a["keyid"]
        case _:
            envelope["signatures"][dice.randrange(2)]["more"] = "x"


def _commanding(command: EdgeCommand, dice: Random) -> EdgeCommand:
    name = dice.choice([each.name for each in fields(command) if each.name not in UNSIGNED])
    value: Any = getattr(command, name)
    match name:
        case "arguments":
            value = dict(value) | {
                dice.choice([*value, "more"]): dice.choice([0, 61, True, None, "x", 9.5, [], {}])
            }
        case "intent":
            value = dice.choice(["unlock", "enable_power", "set_temperature", "send_gcode", "open"])
        case _:
            value = dice.choice([_flip(value, dice), value.upper(), "", str(uuid4()), "laser-door"])
    return replace(command, **{name: value})


def mutants(bench: Bench, dice: Random, number: int) -> Iterator[Signed]:
    """Yield altered commands; none equals what was signed."""
    originals = [
        bench.signed(unlock()),
        bench.signed(enable_power()),
        bench.signed(heat(), "olga", "sara"),
        bench.signed(start_print(), "olga", "emil"),
    ]
    for turn in range(number):
        signed = dice.choice(originals)
        envelope, command = copy.deepcopy(signed.envelope), signed.command
        match turn % 5:
            case 0 | 1:
                _textual(envelope, dice)
            case 2:
                _structural(envelope, dice)
            case 3:
                while command == signed.command or _same(command, signed.command):
                    command = _commanding(signed.command, dice)
            case _:
                body = _document_bytes(signed, dice)
                envelope["payload"] = base64.b64encode(body).decode()
        if (command, envelope) != (signed.command, signed.envelope):
            yield replace(signed, command=command, envelope=envelope)


def _same(one: EdgeCommand, other: EdgeCommand) -> bool:
    """Compare as the wire does: true and 1 are two things there."""
    return json.dumps(dict(one.arguments)) == json.dumps(dict(other.arguments)) and replace(
        one, arguments={}
    ) == replace(other, arguments={})


def _document_bytes(signed: Signed, dice: Random) -> bytes:
    told = copy.deepcopy(signed.document)
    name = dice.choice(list(told))
    inner = told[name]
    if isinstance(inner, dict) and inner:
        inner[dice.choice(list(inner))] = dice.choice(["x", 1, True, None, {}, []])
    else:
        told[name] = dice.choice(["x", 2, True, None, {}, [], str(uuid4())])
    dump = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return dump.encode() if dice.random() < 0.8 else json.dumps(told, indent=1).encode()


def test_no_mutant_is_obeyed() -> None:
    bench, dice = Bench(), Random(20_260_302)
    number = accepted = fooled = 0
    codes: dict[str, int] = {}
    for mutant in mutants(bench, dice, int(MUTATIONS * 1.02)):
        number += 1
        verdict = bench.verify(mutant, device=mutant.command.device, memory=VolatileMemory())
        if isinstance(verdict, Rejected):
            codes[verdict.code] = codes.get(verdict.code, 0) + 1
        accepted += isinstance(verdict, Accepted)
        fooled += number <= 1_000 and naive(bench, mutant)
    assert number >= MUTATIONS
    assert accepted == 0, f"{accepted} of {number} mutants were obeyed"
    assert fooled > 100, "the naive verifier obeys many of them"
    assert len(codes) >= 12, codes


def test_the_originals_are_obeyed() -> None:
    bench = Bench()
    for signed in (bench.signed(unlock()), bench.signed(heat(), "olga", "sara")):
        assert isinstance(bench.verify(signed), Accepted)


@pytest.mark.parametrize(
    "swap",
    [
        {"arguments": {"seconds": 60}},
        {"device": "laser-door"},
        {"intent": "enable_power", "arguments": {}},
        {"id": str(UUID(int=1))},
    ],
)
def test_a_verifier_that_only_checks_signatures_obeys_what_was_swapped(swap) -> None:
    bench = Bench()
    signed = bench.signed(**swap)
    assert naive(bench, signed), "positive control"
    assert isinstance(bench.verify(signed, device=signed.command.device), Rejected)


def test_a_verifier_without_a_memory_obeys_again() -> None:
    bench = Bench()
    signed = bench.signed()
    forgetful = [bench.verify(signed, memory=VolatileMemory()) for _ in range(3)]
    assert all(isinstance(each, Accepted) for each in forgetful), "positive control"
    verdicts = [bench.verify(signed) for _ in range(1_000)]
    assert sum(isinstance(each, Accepted) for each in verdicts) == 1
