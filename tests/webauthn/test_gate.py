"""Browser signatures at the gate, over the real ledger, and keys on their way to counting."""

from datetime import timedelta
from typing import Any

import pytest
from fakes.authenticator import ORIGIN, RP_ID, Authenticator
from fakes.world import World

from infra.db import StorePool
from infra.store.credentials import CHALLENGE_TTL, LINK_COUNTS_FOR, KeyState, ListedKey
from infra.store.people import People, PeopleError
from safety.actions import UnlockDoor
from safety.credentials import read_credential
from safety.entities import EventId, KeyId
from safety.records import Done, Outcome, Pending, Refused
from safety.webauthn import Rules

pytestmark = pytest.mark.anyio
RULES = Rules(origins=frozenset({ORIGIN}))


class Keys:
    """A world whose people can add browsers' keys."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.people = People(world.pool)
        world.gate = world.new_gate(passkeys=RULES)

    async def add(
        self, person: str, device: Authenticator, *, session: str | None = None
    ) -> ListedKey:
        """Register a key as the browser and the server do together."""
        world = self.world
        user = world.users[person].id
        challenge = await self.people.challenge(user, world.clock())
        assert await self.people.use_challenge(user, challenge, world.clock())
        data, client = device.made(challenge)
        credential = read_credential(
            data, client, challenge=challenge, rp_id=RP_ID, origins=RULES.origins
        )
        return await self.people.register(
            user,
            credential,
            rp_id=RP_ID,
            label="key",
            transports=["usb", "teleport"],
            now=world.clock(),
            session=session,
        )

    async def confirmed(self, person: str, **more: Any) -> Authenticator:
        device = Authenticator(**more)
        key = await self.add(person, device)
        await self.people.confirm_key(key.id, self.world.users["anna"], self.world.clock())
        return device

    async def ask(self, *, person: str = "olga") -> EventId:
        outcome = await self.world.gate.submit(
            self.world.proposal(self.world.act(UnlockDoor, "bay-door", seconds=10), person)
        )
        assert isinstance(outcome, Pending)
        return outcome.event

    async def digest(self, event: EventId) -> bytes:
        stored = await self.world.ledger.event(event)
        assert stored is not None
        return stored.digest

    async def sign(
        self, event: EventId, device: Authenticator, value: bytes | None = None, **changed: Any
    ) -> Outcome:
        value = value or device.sign(await self.digest(event), **changed)
        user = self.world.users["olga"].id
        return await self.world.gate.sign(event, device.ring.id, value, relayed_by=user)


@pytest.fixture
async def keys(pool: StorePool) -> Keys:
    return Keys(await World(pool).open())


def code(outcome: Outcome) -> str | None:
    return outcome.code if isinstance(outcome, Refused) else None


@pytest.mark.parametrize("algorithm", ["ed25519", "p256"])
async def test_two_browser_keys_open_a_door_once(keys: Keys, algorithm: str) -> None:
    emil, sara = [await keys.confirmed(who, algorithm=algorithm) for who in ("emil", "sara")]
    event = await keys.ask()
    assert isinstance(await keys.sign(event, emil), Pending)
    assert isinstance(await keys.sign(event, sara), Done)
    assert len(keys.world.driver.done) == 1
    envelope = keys.world.driver.done[0].envelope
    assert envelope is not None
    assert {each.key for each in envelope.signatures} == {emil.ring.id, sara.ring.id}


async def test_a_browser_key_and_a_key_file_sign_together(keys: Keys) -> None:
    emil = await keys.confirmed("emil")
    event = await keys.ask()
    assert isinstance(await keys.sign(event, emil), Pending)
    assert isinstance(await keys.world.sign(event, "sara"), Done)


async def test_two_keys_of_one_person_are_one_person(keys: Keys) -> None:
    emil = await keys.confirmed("emil")
    event = await keys.ask()
    assert isinstance(await keys.sign(event, emil), Pending)
    assert code(await keys.world.sign(event, "emil")) == "already_signed"
    assert keys.world.driver.done == []


async def test_an_assertion_fits_no_other_request(keys: Keys) -> None:
    emil = await keys.confirmed("emil")
    first, second = await keys.ask(), await keys.ask()
    value = emil.sign(await keys.digest(first))
    assert code(await keys.sign(second, emil, value)) == "wrong_challenge"
    assert isinstance(await keys.sign(first, emil, value), Pending)
    assert code(await keys.sign(first, emil, value)) == "counter_went_back"
    codes = [each for verdict, each in await keys.world.log() if verdict == "refused"]
    assert codes == ["wrong_challenge", "counter_went_back"]


async def test_a_counter_that_went_back_is_refused_and_by_the_database_too(keys: Keys) -> None:
    emil = await keys.confirmed("emil")
    await keys.sign(await keys.ask(), emil)
    event = await keys.ask()
    emil.count = 0  # a copy of the key from before
    assert code(await keys.sign(event, emil)) == "counter_went_back"
    stored = await keys.world.sql("select sign_count from public_keys where id = %s", emil.ring.id)
    assert stored == [(1,)]
    with pytest.raises(Exception, match="counter never goes back"):
        await keys.world.sql("update public_keys set sign_count = 0 where id = %s", emil.ring.id)
    # Behind the gate's back, as a second process with an old view of the key would.
    with pytest.raises(Exception, match="counter went from 1 to 1"):
        await keys.world.sql(
            """insert into safety_signatures (event_id, key_id, user_id, algorithm, signature, signed_at)
               values (%s, %s, %s, 'ed25519', %s, %s)""",
            event,
            emil.ring.id,
            keys.world.users["emil"].id,
            emil.sign(await keys.digest(event), count=1),
            keys.world.clock(),
        )


async def test_keys_that_do_not_count_may_sign_again_and_again(keys: Keys) -> None:
    emil = await keys.confirmed("emil", counts=False)
    for _ in range(3):
        assert isinstance(await keys.sign(await keys.ask(), emil), Pending)


async def test_a_key_that_can_be_copied_is_for_medium_hazards_only(keys: Keys) -> None:
    emil = await keys.confirmed("emil", synced=True)
    assert code(await keys.sign(await keys.ask(), emil)) == "synced_key"
    world = keys.world
    world.gate = world.new_gate(passkeys=Rules(origins=RULES.origins, synced_for_high=True))
    assert isinstance(await keys.sign(await keys.ask(), emil), Pending)


async def test_without_rules_no_browser_key_counts(keys: Keys) -> None:
    emil = await keys.confirmed("emil")
    keys.world.gate = keys.world.new_gate()
    assert code(await keys.sign(await keys.ask(), emil)) == "wrong_origin"


async def test_a_new_key_signs_nothing_before_an_admin_has_confirmed_it(keys: Keys) -> None:
    emil = Authenticator()
    key = await keys.add("emil", emil)
    assert key.state is KeyState.WAITS
    assert key.transports == ("usb",)
    event = await keys.ask()
    assert code(await keys.sign(event, emil)) == "unknown_key"
    # The database knows no way around a confirmed registration either.
    with pytest.raises(Exception, match="confirmed registration"):
        await keys.world.sql(
            """insert into public_keys (id, user_id, algorithm, spki, label, kind, rp_id, synced, sign_count)
               select key_id, user_id, algorithm, spki, label, 'webauthn', rp_id, synced, sign_count
               from webauthn_credentials"""
        )
    await keys.people.confirm_key(key.id, keys.world.users["anna"], keys.world.clock())
    assert isinstance(await keys.sign(event, emil), Pending)


async def test_a_refused_or_revoked_key_stays_that(keys: Keys) -> None:
    now, anna = keys.world.clock(), keys.world.users["anna"]
    waiting = await keys.add("emil", Authenticator())
    assert await keys.people.revoke_key(waiting.id, now)
    assert (await keys.people.listed_key(waiting.id)).state is KeyState.REFUSED
    with pytest.raises(PeopleError, match="does not wait"):
        await keys.people.confirm_key(waiting.id, anna, now)
    emil = await keys.confirmed("emil")
    event = await keys.ask()
    assert isinstance(await keys.sign(event, emil), Pending)
    assert await keys.people.revoke_key(emil.ring.id, now)
    assert not await keys.people.revoke_key(emil.ring.id, now)
    assert code(await keys.sign(event, emil)) == "revoked_key"
    # What it signed before does not count any more either.
    assert isinstance(await keys.world.sign(event, "sara"), Pending)
    assert keys.world.driver.done == []


async def test_the_same_key_is_nobody_elses(keys: Keys) -> None:
    emil = await keys.confirmed("emil")
    for person in ("emil", "sara"):
        with pytest.raises(PeopleError, match="known already"):
            await keys.add(person, emil)
    spare = Authenticator()
    spare.credential_id = emil.credential_id
    with pytest.raises(PeopleError, match="known already"):
        await keys.add("sara", spare)


async def test_the_first_key_after_a_one_time_link_confirms_itself(keys: Keys) -> None:
    people, world = keys.people, keys.world
    anna = world.users["anna"]
    session = await people.open_session(anna.id, world.clock(), by_link=True)
    first = await keys.add("anna", Authenticator(), session=session)
    assert (first.state, first.confirmed_by) == (KeyState.VALID, None)
    second = await keys.add("anna", Authenticator(), session=session)
    assert second.state is KeyState.WAITS


async def test_a_link_does_not_help_with_a_key_already_there_or_too_late_or_not_of_ones_own(
    keys: Keys,
) -> None:
    people, world = keys.people, keys.world
    emil, anna = world.users["emil"], world.users["anna"]
    his = await people.open_session(emil.id, world.clock(), by_link=True)
    assert (await keys.add("emil", Authenticator(), session=his)).state is KeyState.WAITS
    by_token = await people.open_session(anna.id, world.clock())
    hers = await people.open_session(anna.id, world.clock(), by_link=True)
    for session in (None, by_token, his, "kitty_session_wrong"):
        key = await keys.add("anna", Authenticator(), session=session)
        assert key.state is KeyState.WAITS
        await world.sql("delete from webauthn_credentials where user_id = %s", anna.id)
    world.clock.pass_time(LINK_COUNTS_FOR)
    assert (await keys.add("anna", Authenticator(), session=hers)).state is KeyState.WAITS


async def test_an_admin_confirms_their_own_key_only_if_there_is_no_other(keys: Keys) -> None:
    people, world = keys.people, keys.world
    anna = world.users["anna"]
    boris = await people.create(
        handle="boris", display_name="Boris", roles=anna.roles, now=world.clock()
    )
    key = await keys.add("anna", Authenticator())
    with pytest.raises(PeopleError, match="another admin"):
        await people.confirm_key(key.id, anna, world.clock())
    await people.disable(boris.id, world.clock())
    confirmed = await people.confirm_key(key.id, anna, world.clock())
    assert (confirmed.state, confirmed.confirmed_by) == (KeyState.VALID, anna.display_name)


async def test_a_challenge_is_for_one_person_once_and_soon(keys: Keys) -> None:
    people, world = keys.people, keys.world
    emil, sara = world.users["emil"].id, world.users["sara"].id
    made = await people.challenge(emil, world.clock())
    assert len(made) == 32
    assert not await people.use_challenge(sara, made, world.clock())
    assert await people.use_challenge(emil, made, world.clock())
    assert not await people.use_challenge(emil, made, world.clock())
    late = await people.challenge(emil, world.clock())
    world.clock.pass_time(CHALLENGE_TTL + timedelta(seconds=1))
    assert not await people.use_challenge(emil, late, world.clock())


async def test_names_change_and_nothing_else(keys: Keys) -> None:
    emil = await keys.confirmed("emil")
    renamed = await keys.people.rename_key(emil.ring.id, "  blue ")
    assert renamed.label == "blue"
    assert (await keys.world.facts.key(emil.ring.id)).label == "blue"
    for column in ("rp_id = 'evil.example'", "synced = true", "kind = 'file'"):
        with pytest.raises(Exception, match=r"keeps its kind|public_keys_webauthn"):
            await keys.world.sql(f"update public_keys set {column} where id = %s", emil.ring.id)
    with pytest.raises(PeopleError, match="no such key"):
        await keys.people.rename_key(KeyId("SHA256:x"), "x")
