"""The verifier next to a device: what it obeys, and each thing it does not, by its own code."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from fakes.edge import Bench, Signed, enable_power, heat, start_print, unlock
from fakes.world import Keyring
from hypothesis import given, settings
from hypothesis import strategies as st

from safety.actions import KINDS
from safety.edge import Accepted, Code, EdgeCommand, Rejected, hazard_of
from safety.entities import Hazard
from safety.nonces import MAX_REMEMBERED, Claim, Nonces, VolatileMemory
from safety.trust import TrustedKey, TrustedPerson

SECOND = timedelta(seconds=1)


def code_of(verdict: object) -> Code | None:
    return verdict.code if isinstance(verdict, Rejected) else None


@pytest.mark.parametrize(
    ("action", "people"),
    [
        (unlock(), ("emil", "sara")),
        (unlock(), ("sara", "emil")),
        (enable_power(), ("emil", "sara")),
        (heat(), ("olga", "sara")),
    ],
)
def test_a_signed_command_is_obeyed_once(bench: Bench, action, people) -> None:
    signed = bench.signed(action, *people)
    verdict = bench.verify(signed)
    assert isinstance(verdict, Accepted), verdict
    assert verdict.arguments == action.arguments
    assert verdict.signers == people
    assert code_of(bench.verify(signed)) is Code.REPLAYED


def test_a_medium_hazard_takes_one_person_where_the_zone_agrees(bench: Bench) -> None:
    signed = bench.signed(
        None, "olga", document=bench.document(start_print(), hazard=Hazard.MEDIUM)
    )
    assert isinstance(bench.verify(signed), Accepted)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.intent)
@pytest.mark.parametrize("zone", ["bay", "farm", "floor"])
def test_without_an_envelope_only_what_is_harmless_or_makes_safe_moves(
    bench: Bench, kind, zone: str
) -> None:
    device = {"bay": "bay-door", "farm": "mk4", "floor": "floor-door"}[zone]
    command = EdgeCommand(
        id=str(uuid4()),
        device=device,
        intent=kind.intent,
        arguments={},
        deadline=bench.now + SECOND,
        event=None,
    )
    verdict = bench.verify(Signed(command, None, {}))
    level = Hazard[{"bay": "HIGH", "farm": "MEDIUM", "floor": "LOW"}[zone]]
    harmless = kind.makes_safe or kind.hazard is Hazard.NONE
    if harmless or max(kind.hazard, level) < Hazard.MEDIUM:
        assert isinstance(verdict, Accepted)
    else:
        assert code_of(verdict) is Code.NO_ENVELOPE


def test_an_intent_that_nobody_knows_is_as_hazardous_as_any(bench: Bench) -> None:
    assert hazard_of("self_destruct", Hazard.LOW) is Hazard.HIGH
    signed = bench.signed(intent="self_destruct")
    assert code_of(bench.verify(replace(signed, envelope=None))) is Code.NO_ENVELOPE


@pytest.mark.parametrize("envelope", [None, {}, "junk"])
@pytest.mark.parametrize("device", ["bay-door", "not in the trust file"])
@pytest.mark.parametrize("intent", ["lock", "cut_power", "pause_print", "abort_print"])
def test_making_safe_never_waits_for_trust(bench: Bench, intent, device, envelope) -> None:
    stop = bench.signed(intent=intent, device=device, event=None, arguments={})
    verdict = bench.verify(replace(stop, envelope=envelope))
    assert verdict == Accepted({})
    bench.trust = None
    assert bench.verify(replace(stop, envelope=envelope)) == Accepted({})


def test_without_a_trust_file_nothing_hazardous_is_obeyed(bench: Bench) -> None:
    signed = bench.signed()
    dim = bench.signed(intent="set_scene", arguments={"scene": "dim"}, event=None)
    lamp = bench.signed(intent="switch", arguments={"on": True}, event=None)
    bench.trust = None
    assert code_of(bench.verify(signed)) is Code.NO_TRUST
    assert code_of(bench.verify(replace(dim, envelope=None))) is Code.NO_TRUST
    assert isinstance(bench.verify(replace(lamp, envelope=None)), Accepted)


Change = Callable[[Bench], Signed]


def _altered(**changes: object) -> Change:
    return lambda bench: bench.signed(**changes)


def _document(**changes: object) -> Change:
    return lambda bench: bench.signed(document=bench.document(unlock()) | changes)


def _by(*people: str) -> Change:
    return lambda bench: bench.signed(unlock(), *people)


def _later(seconds: float) -> Change:
    def make(bench: Bench) -> Signed:
        signed = bench.signed()
        bench.now += timedelta(seconds=seconds)
        return signed

    return make


def _trusting(change: Callable[[Bench], object]) -> Change:
    def make(bench: Bench) -> Signed:
        change(bench)
        return bench.signed()

    return make


def _person(bench: Bench, **changes: object) -> None:
    person = replace(bench.trust.people["emil"], **changes)
    bench.trust = replace(bench.trust, people={**bench.trust.people, "emil": person})


def _key(bench: Bench, **changes: object) -> None:
    known = bench.keys["emil"].id
    key = replace(bench.trust.keys[known], **changes)
    bench.trust = replace(bench.trust, keys={**bench.trust.keys, known: key})


def _second_key(bench: Bench) -> Signed:
    spare = Keyring()
    bench.keys["spare"] = spare
    trusted = TrustedKey(id=spare.id, person="emil", spki=spare.spki)
    bench.trust = replace(bench.trust, keys={**bench.trust.keys, spare.id: trusted})
    return bench.signed(unlock(), "emil", "spare")


def _stranger(bench: Bench) -> Signed:
    bench.keys["mallory"] = Keyring()
    return bench.signed(unlock(), "emil", "mallory")


def _forged(bench: Bench) -> Signed:
    signed = bench.signed()
    first, second = signed.envelope["signatures"]
    return replace(
        signed,
        envelope=signed.envelope | {"signatures": [first, second | {"sig": first["sig"]}]},
    )


def _other_payload(bench: Bench) -> Signed:
    """Signatures of one event under another."""
    told, other = bench.document(unlock()), bench.document(unlock())
    signed = bench.signed(document=told)
    return replace(
        signed,
        envelope=bench.seal(told, "emil", "sara")
        | {"signatures": bench.seal(other, "emil", "sara")["signatures"]},
    )


def _spelled_otherwise(bench: Bench) -> Signed:
    return bench.signed(document=bench.document(unlock()), arguments={"seconds": 10.0})


REFUSED: dict[str, tuple[Code, Change]] = {
    "another device's topic": (Code.WRONG_DEVICE, _altered(device="laser-door")),
    "another command id": (Code.WRONG_COMMAND, _altered(id=str(uuid4()))),
    "another event": (Code.WRONG_COMMAND, _altered(event=str(uuid4()))),
    "no event": (Code.WRONG_COMMAND, _altered(event=None)),
    "another intent": (Code.WRONG_INTENT, _altered(intent="enable_power")),
    "longer": (Code.WRONG_ARGUMENTS, _altered(arguments={"seconds": 60})),
    "more arguments": (Code.WRONG_ARGUMENTS, _altered(arguments={"seconds": 10, "x": 1})),
    "true for a number": (Code.WRONG_ARGUMENTS, _altered(arguments={"seconds": True})),
    "a float for a whole number": (Code.WRONG_ARGUMENTS, _spelled_otherwise),
    "another site": (Code.WRONG_SITE, _document(site="south")),
    "no site": (Code.WRONG_SITE, _document(site="")),
    "a later format": (Code.NOT_CANONICAL, _document(format="kitty.safety_event/2")),
    "a field nobody knows": (Code.BAD_DOCUMENT, _document(only_on="Mondays")),
    "an action nobody knows": (
        Code.BAD_DOCUMENT,
        _document(action={"kind": "OpenAll", "intent": "unlock", "arguments": {}}),
    ),
    "a two-faced action": (
        Code.BAD_DOCUMENT,
        _document(action={"kind": "LockDoor", "intent": "unlock", "arguments": {}}),
    ),
    "an action out of range": (
        Code.BAD_DOCUMENT,
        _document(action={"kind": "UnlockDoor", "intent": "unlock", "arguments": {"seconds": 61}}),
    ),
    "a window without end": (Code.BAD_DOCUMENT, _document(expires_at="never")),
    "an empty nonce": (Code.BAD_DOCUMENT, _document(nonce="")),
    "another zone": (
        Code.WRONG_ZONE,
        _document(zone={"id": str(uuid4()), "slug": "floor", "name": "Floor"}),
    ),
    "one signature": (Code.TOO_FEW_PEOPLE, _by("emil")),
    "one signature, said to be enough": (
        Code.TOO_FEW_PEOPLE,
        lambda bench: bench.signed(
            None, "emil", document=bench.document(unlock(), hazard=Hazard.MEDIUM, quorum=1)
        ),
    ),
    "somebody without the role": (Code.ROLE_NOT_ALLOWED, _by("olga", "sara")),
    "somebody without the role of the day": (
        Code.ROLE_NOT_ALLOWED,
        lambda bench: bench.signed(
            document=(told := bench.document(unlock()))
            | {"policy": told["policy"] | {"roles": ["safety"]}}
        ),
    ),
    "two keys of one person": (Code.SAME_PERSON_TWICE, _second_key),
    "one key twice": (Code.SAME_KEY_TWICE, _by("emil", "emil")),
    "an unknown key": (Code.UNKNOWN_KEY, _stranger),
    "a forged signature": (Code.BAD_SIGNATURE, _forged),
    "signatures of another event": (Code.BAD_SIGNATURE, _other_payload),
    "a revoked key": (Code.REVOKED_KEY, _trusting(lambda bench: _key(bench, revoked=True))),
    "a revoked person": (Code.REVOKED_PERSON, _trusting(lambda b: _person(b, revoked=True))),
    "a person who lost the role": (
        Code.ROLE_NOT_ALLOWED,
        _trusting(lambda bench: _person(bench, roles=frozenset({"operator"}))),
    ),
    "a key that is not valid yet": (
        Code.KEY_OUT_OF_DATE,
        _trusting(lambda bench: _key(bench, valid_from=bench.now + SECOND)),
    ),
    "a key that was valid": (
        Code.KEY_OUT_OF_DATE,
        _trusting(lambda bench: _key(bench, valid_until=bench.now)),
    ),
    "a trust file that wants three": (
        Code.TOO_FEW_PEOPLE,
        _trusting(lambda b: setattr(b, "trust", replace(b.trust, intents={"unlock": 3}))),
    ),
    "a trust file that has run out": (
        Code.TRUST_OUT_OF_DATE,
        _trusting(lambda b: setattr(b, "trust", replace(b.trust, valid_until=b.now - SECOND))),
    ),
    "from the future": (Code.NOT_YET_VALID, _later(-3)),
    "after the deadline": (Code.TOO_LATE, _later(5)),
    "after its time": (Code.EXPIRED, _later(302)),
    "a year later": (Code.EXPIRED, _later(365 * 86_400)),
    "a deadline after its time": (
        Code.BAD_DEADLINE,
        lambda bench: bench.signed(deadline=bench.now + timedelta(seconds=301)),
    ),
    "a deadline before its time": (
        Code.BAD_DEADLINE,
        lambda bench: bench.signed(deadline=bench.now - SECOND),
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_it_is_refused_with_its_own_code_and_uses_nothing_up(bench: Bench, what: str) -> None:
    code, make = REFUSED[what]
    signed = make(bench)
    verdict = bench.verify(signed)
    assert code_of(verdict) is code, verdict
    assert isinstance(verdict, Rejected)
    assert verdict.reason
    names = bench.memory._nonces.used
    assert not names


def test_the_envelope_of_one_door_opens_no_other(bench: Bench) -> None:
    signed = bench.signed()
    assert code_of(bench.verify(signed, device="laser-door")) is Code.WRONG_DEVICE
    assert code_of(bench.verify(signed, device="unheard-of")) is Code.WRONG_DEVICE
    stray = replace(signed, command=replace(signed.command, device="unheard-of"))
    assert code_of(bench.verify(stray)) is Code.NO_TRUST
    moved = replace(signed, command=replace(signed.command, device="laser-door"))
    assert code_of(bench.verify(moved, device="laser-door")) is Code.WRONG_DEVICE
    assert isinstance(bench.verify(signed), Accepted)


@pytest.mark.parametrize("early", [0, 1.9])
def test_clocks_may_differ_a_little(bench: Bench, early: float) -> None:
    signed = bench.signed()
    bench.now -= timedelta(seconds=early)
    assert isinstance(bench.verify(signed), Accepted)


@settings(deadline=None)
@given(
    people=st.lists(st.sampled_from(["olga", "emil", "sara"]), unique=True, min_size=1),
    requester=st.sampled_from(["olga", "emil", "sara"]),
)
def test_a_high_hazard_always_has_somebody_else_than_whoever_asked(
    people: list[str], requester: str
) -> None:
    bench = Bench()
    told = bench.document(heat(), requester=requester)
    verdict = bench.verify(bench.signed(None, *people, document=told))
    assert isinstance(verdict, Accepted) == (len(people) >= 2)
    if isinstance(verdict, Accepted):
        assert set(verdict.signers) - {requester}


def test_a_trust_file_demands_more_never_less(bench: Bench) -> None:
    bench.trust = replace(bench.trust, intents={"unlock": 1, "set_temperature": 3})
    assert code_of(bench.verify(bench.signed(unlock(), "emil"))) is Code.TOO_FEW_PEOPLE
    assert isinstance(bench.verify(bench.signed(heat(), "olga", "emil", "sara")), Accepted)


def test_the_same_person_under_another_handle_needs_an_entry(bench: Bench) -> None:
    people = {**bench.trust.people, "twin": TrustedPerson(handle="twin", roles=frozenset())}
    key = replace(bench.trust.keys[bench.keys["emil"].id], person="twin")
    bench.trust = replace(bench.trust, people=people, keys={**bench.trust.keys, key.id: key})
    assert code_of(bench.verify(bench.signed())) is Code.ROLE_NOT_ALLOWED


# -- the memory -----------------------------------------------------------------------------


@settings(deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.integers(0, 9), st.integers(-400, 400), st.integers(1, 300)), max_size=60
    )
)
def test_no_approval_is_fresh_twice_however_the_clock_jumps(
    steps: list[tuple[int, int, int]],
) -> None:
    bench, nonces, fresh = Bench(), Nonces(), []
    ends = {}
    for event, jump, life in steps:
        bench.now += timedelta(seconds=jump)
        until = ends.setdefault(event, bench.now + timedelta(seconds=life))
        claim, after = nonces.claim(str(event), f"n{event}", until=until, now=bench.now)
        if claim is Claim.FRESH:
            fresh.append(event)
        nonces = Nonces.restored(after.kept())  # every step is a restart
        assert nonces == after
    assert len(fresh) == len(set(fresh))


def test_either_the_event_or_the_nonce_is_enough_to_know_it_again(bench: Bench) -> None:
    memory = VolatileMemory()
    until = bench.now + SECOND
    assert memory.claim("e1", "n1", until=until, now=bench.now) is Claim.FRESH
    assert memory.claim("e1", "n2", until=until, now=bench.now) is Claim.SEEN
    assert memory.claim("e2", "n1", until=until, now=bench.now) is Claim.SEEN


def test_a_full_memory_refuses_rather_than_forgets(bench: Bench) -> None:
    until = bench.now + SECOND
    used = {f"{what}:{i}": until for i in range(MAX_REMEMBERED) for what in ("event", "nonce")}
    nonces = Nonces(used=used)
    assert nonces.claim("new", "new", until=until, now=bench.now)[0] is Claim.FULL
    assert nonces.claim("1", "1", until=until, now=bench.now)[0] is Claim.SEEN
    later = bench.now + SECOND
    claim, after = nonces.claim("new", "new", until=later + SECOND, now=later)
    assert claim is Claim.FRESH
    assert len(after.used) == 2
    assert after.claim("1", "1", until=until, now=bench.now)[0] is Claim.SEEN, "the clock went back"
