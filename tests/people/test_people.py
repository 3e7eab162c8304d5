"""Who gets in, and who does not."""

import asyncio
import base64
from datetime import timedelta
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from people.labs import NOW, public_key

from infra.db import StorePool
from infra.store.entry import CACHED_FOR, MAX_SECRET
from infra.store.people import MAX_PER_PERSON, People
from infra.store.people_records import PeopleError
from safety.entities import Role, User, UserId

pytestmark = pytest.mark.anyio

NOBODY = UUID(int=7)
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)


@pytest.fixture
async def olga(people: People) -> User:
    return await people.create(
        handle="olga", display_name="Olga", roles=[Role.OPERATOR], now=NOW, email="o@lab.example"
    )


@pytest.fixture
async def ada(people: People) -> User:
    return await people.create(handle="ada", display_name="Ada", roles=[Role.ADMIN], now=NOW)


def b64(seed: int) -> str:
    return base64.b64encode(public_key(seed)).decode()


async def test_a_token_lets_its_owner_in(people: People, olga: User) -> None:
    new = await people.create_token(olga.id, "laptop", NOW)
    assert await people.by_token(new.text, NOW) == olga
    [listed] = await people.tokens(olga.id)
    assert listed.last_used_at == NOW
    assert listed.label == "laptop"


async def test_the_text_of_a_token_is_nowhere_in_the_store(
    pool: StorePool, people: People, olga: User
) -> None:
    new = await people.create_token(olga.id, "laptop", NOW)
    session = await people.open_session(olga.id, NOW)
    link = await people.enrolment_link(olga.id, NOW)
    async with pool.connection() as connection:
        for table in ("api_tokens", "web_sessions", "enrolment_links"):
            rows = await (await connection.execute(f"select t::text from {table} t")).fetchall()
            assert rows
            for secret in (new.text, session, link):
                assert all(secret not in row[0] for row in rows)
    assert new.text not in repr(new)


@pytest.mark.parametrize("wrong", ["", "x", "\x00", "\ud800", "a" * MAX_SECRET, "a" * 1_000_000])
async def test_wrong_secrets_let_nobody_in(people: People, olga: User, wrong: str) -> None:
    await people.create_token(olga.id, "laptop", NOW)
    assert await people.by_token(wrong, NOW) is None
    assert await people.by_session(wrong, NOW) is None
    assert await people.redeem(wrong, NOW) is None
    assert await people.close_session(wrong, NOW) is False


async def test_secrets_of_one_kind_are_no_good_as_another(people: People, olga: User) -> None:
    token = (await people.create_token(olga.id, "laptop", NOW)).text
    session = await people.open_session(olga.id, NOW)
    link = await people.enrolment_link(olga.id, NOW)
    assert await people.by_token(token, NOW) == olga
    assert await people.by_session(session, NOW) == olga
    assert await people.by_token(session, NOW) is None
    assert await people.by_token(link, NOW) is None
    assert await people.by_session(token, NOW) is None
    assert await people.by_session(link, NOW) is None
    assert await people.redeem(token, NOW) is None
    assert await people.redeem(session, NOW) is None


async def test_a_token_ends_at_its_time_even_when_cached(people: People, olga: User) -> None:
    new = await people.create_token(olga.id, "short", NOW, NOW + 2 * SECOND)
    assert await people.by_token(new.text, NOW) == olga
    assert await people.by_token(new.text, NOW + SECOND) == olga
    assert await people.by_token(new.text, NOW + 2 * SECOND) is None
    with pytest.raises(PeopleError, match="later than now"):
        await people.create_token(olga.id, "over", NOW, NOW)


async def test_revoking_is_noticed_at_once(people: People, olga: User) -> None:
    new = await people.create_token(olga.id, "laptop", NOW)
    assert await people.by_token(new.text, NOW) == olga
    assert await people.revoke_token(new.token.id, NOW)
    assert await people.by_token(new.text, NOW) is None
    assert not await people.revoke_token(new.token.id, NOW)


async def test_another_processs_change_is_noticed_in_time(
    pool: StorePool, people: People, olga: User
) -> None:
    elsewhere = People(pool)
    new = await people.create_token(olga.id, "laptop", NOW)
    assert await people.by_token(new.text, NOW) == olga
    await elsewhere.disable(olga.id, NOW)
    assert await people.by_token(new.text, NOW + CACHED_FOR) is None
    assert await elsewhere.by_token(new.text, NOW) is None


async def test_the_disabled_stay_out_by_every_way(people: People, olga: User) -> None:
    token = (await people.create_token(olga.id, "laptop", NOW)).text
    session = await people.open_session(olga.id, NOW)
    link = await people.enrolment_link(olga.id, NOW)
    assert await people.by_session(session, NOW) == olga
    await people.disable(olga.id, NOW)
    assert await people.by_token(token, NOW) is None
    assert await people.by_session(session, NOW) is None
    assert await people.redeem(link, NOW) is None
    assert await people.by_handle("olga") is None
    for way in (people.open_session, people.enrolment_link):
        with pytest.raises(PeopleError, match="no such person"):
            await way(olga.id, NOW)
    with pytest.raises(PeopleError, match="no such person"):
        await people.create_token(olga.id, "again", NOW)
    await people.enable(olga.id)
    assert await people.by_session(session, NOW) is None
    assert await people.by_token(token, NOW) == olga


async def test_new_roles_count_at_once(people: People, olga: User) -> None:
    token = (await people.create_token(olga.id, "laptop", NOW)).text
    assert await people.by_token(token, NOW) == olga
    await people.set_roles(olga.id, [Role.SAFETY, Role.OPERATOR])
    found = await people.by_token(token, NOW)
    assert found is not None
    assert found.roles == {Role.SAFETY, Role.OPERATOR}
    with pytest.raises(PeopleError, match="at least one role"):
        await people.set_roles(olga.id, [])


async def test_a_session_ends(people: People, olga: User) -> None:
    session = await people.open_session(olga.id, NOW, HOUR)
    assert await people.by_session(session, NOW + HOUR - SECOND) == olga
    assert await people.by_session(session, NOW + HOUR) is None
    other = await people.open_session(olga.id, NOW, HOUR)
    assert await people.by_session(other, NOW) == olga
    assert await people.close_session(other, NOW)
    assert await people.by_session(other, NOW) is None
    assert not await people.close_session(other, NOW)


async def test_a_link_works_once_under_sixteen_at_once(people: People, olga: User) -> None:
    link = await people.enrolment_link(olga.id, NOW)
    got = await asyncio.gather(*(people.redeem(link, NOW) for _ in range(16)))
    assert [user for user in got if user is not None] == [olga]
    assert await people.redeem(link, NOW) is None


async def test_a_link_ends(people: People, olga: User) -> None:
    link = await people.enrolment_link(olga.id, NOW, HOUR)
    assert await people.redeem(link, NOW + HOUR) is None
    assert await people.redeem(link, NOW + HOUR - SECOND) == olga


async def test_first_start_offers_once(pool: StorePool) -> None:
    offers = await asyncio.gather(*(People(pool).first_start(NOW) for _ in range(8)))
    [offer] = [each for each in offers if each is not None]
    assert offer.user.roles == {Role.ADMIN}
    assert offer.token not in repr(offer)
    people = People(pool)
    assert await people.redeem(offer.token, NOW) == offer.user
    assert await people.redeem(offer.token, NOW) is None
    assert await people.first_start(NOW) is None


async def test_first_start_offers_nothing_where_people_are(people: People, olga: User) -> None:
    assert await people.first_start(NOW) is None
    assert [each.user for each in await people.users()] == [olga]


async def test_the_last_admin_stays(people: People, ada: User, olga: User) -> None:
    with pytest.raises(PeopleError) as refused:
        await people.disable(ada.id, NOW)
    assert refused.value.code == "last_admin"
    with pytest.raises(PeopleError, match="last admin"):
        await people.set_roles(ada.id, [Role.OPERATOR])
    await people.set_roles(olga.id, [Role.ADMIN])
    assert (await people.disable(ada.id, NOW)).id == ada.id


async def test_two_admins_cannot_disable_one_another_at_once(pool: StorePool) -> None:
    people = People(pool)
    pair = [
        await people.create(handle=name, display_name=name, roles=[Role.ADMIN], now=NOW)
        for name in ("ann", "bob")
    ]
    done = await asyncio.gather(
        *(People(pool).disable(each.id, NOW) for each in pair), return_exceptions=True
    )
    refused = [each for each in done if isinstance(each, PeopleError)]
    assert [each.code for each in refused] == ["last_admin"]
    assert len([each for each in await people.users() if each.disabled_at is None]) == 1


@pytest.mark.parametrize(
    ("handle", "name", "roles", "code"),
    [
        ("olga", "Another", ["operator"], "handle_taken"),
        ("Olga", "Upper", ["operator"], "bad_handle"),
        ("", "Nobody", ["operator"], "bad_handle"),
        ("a/b", "Slash", ["operator"], "bad_handle"),
        ("a" * 64, "Long", ["operator"], "bad_handle"),
        ("olga\n", "Line", ["operator"], "bad_handle"),
        ("new", " ", ["operator"], "bad_name"),
        ("new", "x" * 201, ["operator"], "bad_name"),
        ("new", "nul\x00", ["operator"], "bad_name"),
        ("new", "New", [], "no_roles"),
    ],
)
@pytest.mark.usefixtures("olga")
async def test_bad_people_are_refused(
    people: People, handle: str, name: str, roles: list[str], code: str
) -> None:
    with pytest.raises(PeopleError) as refused:
        await people.create(
            handle=handle, display_name=name, roles=[Role(each) for each in roles], now=NOW
        )
    assert refused.value.code == code
    assert len(await people.users()) == 1


async def test_a_key_is_enrolled_by_pem_or_base64(people: People, olga: User) -> None:
    key = await people.enrol_key(olga.id, b64(1), "card", NOW)
    pem = f"-----BEGIN PUBLIC KEY-----\n{b64(1)}\n-----END PUBLIC KEY-----\n"
    assert await people.enrol_key(olga.id, pem, "card", NOW) == key
    assert await people.keys(olga.id) == [key]
    assert await people.keys() == [key]
    assert key.algorithm == "ed25519"


async def test_keys_are_personal_and_revocation_is_for_good(
    people: People, olga: User, ada: User
) -> None:
    key = await people.enrol_key(olga.id, b64(1), "card", NOW)
    with pytest.raises(PeopleError) as refused:
        await people.enrol_key(ada.id, b64(1), "mine", NOW)
    assert refused.value.code == "key_taken"
    assert await people.revoke_key(key.id, NOW)
    assert not await people.revoke_key(key.id, NOW)
    with pytest.raises(PeopleError) as refused:
        await people.enrol_key(olga.id, b64(1), "again", NOW)
    assert refused.value.code == "key_revoked"


@pytest.mark.parametrize("text", ["", "x", "AAAA", "é", "A" * 10_000, "-----BEGIN PUBLIC KEY-----"])
async def test_no_key_is_refused(people: People, olga: User, text: str) -> None:
    with pytest.raises(PeopleError) as refused:
        await people.enrol_key(olga.id, text, "card", NOW)
    assert refused.value.code == "bad_key"
    assert await people.keys() == []


async def test_a_private_key_is_refused_and_not_repeated(people: People, olga: User) -> None:
    private = Ed25519PrivateKey.from_private_bytes(bytes(32))
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    with pytest.raises(PeopleError) as refused:
        await people.enrol_key(olga.id, pem, "card", NOW)
    assert refused.value.code == "private_key"
    assert pem.splitlines()[1] not in str(refused.value)
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    assert (await people.enrol_key(olga.id, public.decode(), "card", NOW)).user == olga.id


async def test_nobody_gets_a_key_or_a_role(people: People) -> None:
    nobody = UserId(NOBODY)
    for doing in (
        people.enrol_key(nobody, b64(1), "card", NOW),
        people.set_roles(nobody, [Role.ADMIN]),
        people.disable(nobody, NOW),
        people.enable(nobody),
    ):
        with pytest.raises(PeopleError) as refused:
            await doing
        assert refused.value.code == "unknown_user"


async def test_tokens_have_a_limit(people: People, olga: User) -> None:
    for number in range(MAX_PER_PERSON):
        await people.create_token(olga.id, f"token {number}", NOW)
    with pytest.raises(PeopleError) as refused:
        await people.create_token(olga.id, "one more", NOW)
    assert refused.value.code == "too_many"
