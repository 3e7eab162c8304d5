"""Who may approve: every set of roles, whoever asks, whoever signs, also after a change."""

from dataclasses import replace
from itertools import chain, combinations, product
from uuid import UUID

from fakes.world import PEOPLE, POLICY_ROLES, World
from safety_figures.figure import Figure
from safety_figures.places import lab

from safety.actions import UnlockDoor
from safety.entities import KeyId, Role, UserId
from safety.policy import Circumstances, Clear, Signer, Support, assess
from safety.records import Done, Pending

SETS = [
    frozenset(each)
    for each in chain.from_iterable(combinations(sorted(Role), size) for size in range(1, 5))
]
"""All sets of roles that a person can have."""
NAMES = ("asker", "first", "second")
IDS = {name: UserId(UUID(int=number)) for number, name in enumerate(NAMES, 1)}
SIGNING = list(chain.from_iterable(combinations(NAMES, size) for size in range(4)))
"""All sets of people who sign."""


async def decided(step: int) -> Figure:
    """Ask the policy about every combination of roles; `step` > 1 takes every so many."""
    async with lab() as world:
        door = world.act(UnlockDoor, "bay-door")
        seen = await world.facts.circumstances(door, world.users["olga"].id)
        now = world.clock()
    tried = wrong = alone = naive = cleared = 0
    for asker, first, second, required in list(product(SETS, repeat=4))[::step]:
        roles = dict(zip(NAMES, (asker, first, second), strict=True))
        case = _case(seen, asker, required)
        for signing in SIGNING:
            tried += 1
            signers = tuple(_signer(name, roles[name]) for name in signing)
            may = {name for name in signing if roles[name] & required}
            clear = isinstance(assess(door, case, Support(signers=signers), now), Clear)
            cleared += clear
            wrong += clear != (len(may) >= 2)
            alone += clear and may <= {"asker"}
            naive += bool(may) and len(may) < 2
        tried += 1
        twice = (_signer("asker", asker), replace(_signer("asker", asker), key=KeyId("other")))
        alone += isinstance(assess(door, case, Support(signers=twice), now), Clear)
    return Figure(
        what="self-approval and roles, all combinations (policy)",
        tried=tried,
        goal="0 wrong, 0 alone",
        measured=f"{wrong} wrong, {alone} alone; {cleared} rightly clear",
        met=wrong == alone == 0 and cleared > 0,
        naive=f"one authorised signature is enough: {naive} cleared",
        caught=naive > 0,
    )


def _case(seen: Circumstances, asker: frozenset[Role], required: frozenset[Role]) -> Circumstances:
    assert seen.policy is not None
    assert seen.requester is not None
    assert seen.presence is not None
    requester = replace(seen.requester, id=IDS["asker"], roles=asker)
    policy = replace(seen.policy, required_roles=required)
    presence = replace(seen.presence, user=IDS["asker"])
    return replace(seen, requester=requester, policy=policy, presence=presence)


def _signer(name: str, roles: frozenset[Role]) -> Signer:
    return Signer(user=IDS[name], key=KeyId(name), roles=roles)


async def changed(step: int) -> Figure:
    """Change the first signer's roles, or shut them out, before the second signs."""
    wrong = ran = naive = tried = 0
    changes = [*SETS, frozenset()]
    people = ("olga", "emil", "sara")
    async with lab() as world:
        for person in people:
            await world.see(person, "bay")
        runs = list(product(people, people, people, changes))[::step]
        for asker, first, second, roles in runs:
            tried += 1
            before = len(world.driver.done)
            wish = world.proposal(world.act(UnlockDoor, "bay-door"), asker)
            asked = await world.gate.submit(wish)
            assert isinstance(asked, Pending), asked
            await world.sign(asked.event, first)
            await _become(world, first, roles)
            outcome = await world.sign(asked.event, second)
            executed = len(world.driver.done) - before
            ran += executed
            allowed = _allowed(asker, first, second, roles)
            wrong += executed > allowed
            was = set(PEOPLE[first]) & set(POLICY_ROLES["bay"])
            naive += bool(was) and first != second and _able(second) and not allowed
            await _become(world, first, frozenset(map(Role, PEOPLE[first])))
            if not isinstance(outcome, Done):
                await world.gate.deny(asked.event, world.users[asker], "")
    return Figure(
        what="roles changed, or taken away, between two signatures (gate)",
        tried=tried,
        goal="0 executed wrongly",
        measured=f"{wrong} wrongly; {ran} rightly",
        met=wrong == 0 and ran > 0,
        naive=f"roles as they were when signing: {naive} executed",
        caught=naive > 0,
    )


def _able(person: str) -> bool:
    return bool(set(PEOPLE[person]) & set(POLICY_ROLES["bay"]))


def _allowed(asker: str, first: str, second: str, roles: frozenset[Role]) -> bool:
    """Tell whether two distinct people with the role stand behind it at the end."""
    still = bool({str(each) for each in roles} & set(POLICY_ROLES["bay"]))
    out = asker == first and not roles
    return first != second and _able(first) and still and _able(second) and not out


async def _become(world: World, person: str, roles: frozenset[Role]) -> None:
    """Give somebody other roles; none: they may not act any more."""
    handle = world.users[person].handle
    if roles:
        await world.sql(
            "update users set roles = %s, disabled_at = null where handle = %s",
            sorted(map(str, roles)),
            handle,
        )
    else:
        await world.sql("update users set disabled_at = now() where handle = %s", handle)
