"""What the gate hands a driver passes the edge, with a trust file from the same store."""

from datetime import timedelta
from uuid import UUID

import pytest
from fakes.world import World

from infra.db import StorePool
from infra.drivers.devices import MqttDriver
from infra.drivers.mqtt_devices import NotSent
from infra.store.trust import trust_of
from infra.wire import CommandMessage
from safety.actions import LockDoor, ResumePrint, SetScene, UnlockDoor
from safety.edge import Accepted, Code, EdgeCommand, Rejected, Verdict, verify
from safety.entities import EventId
from safety.envelope import command_for
from safety.gate import Gate, Times
from safety.nonces import VolatileMemory
from safety.permit import Drivers
from safety.records import Done, Failed, Pending, Sources

pytestmark = pytest.mark.anyio


class Tap:
    """A wire that ends in a list."""

    def __init__(self) -> None:
        self.messages: list[CommandMessage] = []

    async def send(self, command: CommandMessage, *, before_send) -> NotSent:
        await before_send()
        self.messages.append(CommandMessage.decode(command.encode()))
        return NotSent(code="a_list_is_no_wire")


@pytest.fixture
async def world(pool: StorePool) -> World:
    return await World(pool).open()


@pytest.fixture
def tap(world: World) -> Tap:
    """Wire the real MQTT driver in front of a list, at a site with a name."""
    tap, drivers = Tap(), Drivers()
    for kind in (UnlockDoor, LockDoor, SetScene, ResumePrint):
        drivers.add(kind, MqttDriver(tap))
    numbers = iter(range(1, 1_000))
    world.gate = Gate(
        facts=world.facts,
        ledger=world.ledger,
        drivers=drivers,
        sources=Sources(
            now=world.clock,
            new_id=lambda: UUID(int=next(numbers)),
            nonce=lambda: f"nonce-{next(numbers)}",
        ),
        times=Times(),
        announce=lambda *_: None,
        site="north",
    )
    return tap


async def at_the_edge(world: World, message: CommandMessage, *, site: str = "north") -> Verdict:
    trust = await trust_of(world.pool, site=site, now=world.clock())
    event = message.safety_event_id
    return verify(
        EdgeCommand(
            id=str(message.command_id),
            device=message.device,
            intent=message.intent,
            arguments=message.payload,
            deadline=message.deadline,
            event=None if event is None else str(event),
        ),
        message.envelope,
        trust,
        device=message.device,
        now=world.clock(),
        memory=VolatileMemory(),
    )


async def asked_and_signed(world: World, *people: str, action=None) -> EventId:
    wanted = action or world.act(UnlockDoor, "bay-door", seconds=7)
    asked = await world.gate.submit(world.proposal(wanted))
    assert isinstance(asked, Pending), asked
    for person in people:
        await world.sign(asked.event, person)
    return asked.event


async def test_a_door_that_two_people_signed_for_opens_at_the_edge(world, tap) -> None:
    event = await asked_and_signed(world, "emil", "sara")
    (message,) = tap.messages
    assert message.command_id == command_for(event)
    verdict = await at_the_edge(world, message)
    assert verdict == Accepted({"seconds": 7}, ("emil", "sara"), event)


async def test_one_signature_of_the_operator_resumes_a_print(world, tap) -> None:
    resume = world.act(ResumePrint, "mk4")
    await asked_and_signed(world, "olga", action=resume)
    verdict = await at_the_edge(world, tap.messages[0])
    assert isinstance(verdict, Accepted)
    assert verdict.signers == ("olga",)


async def test_what_needs_no_signature_carries_none(world, tap) -> None:
    outcome = await world.gate.submit(world.proposal(world.act(LockDoor, "bay-door")))
    assert isinstance(outcome, Done | Failed)
    scene = await world.gate.submit(world.proposal(world.act(SetScene, "floor-light", scene="dim")))
    assert isinstance(scene, Pending)
    await world.gate.confirm(scene.event, world.users["olga"])
    assert [each.intent for each in tap.messages] == ["lock", "set_scene"]
    for message in tap.messages:
        assert message.envelope is None
        assert isinstance(await at_the_edge(world, message), Accepted)


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        ("update public_keys set revoked_at = now() where user_id = %s", Code.REVOKED_KEY),
        ("update users set disabled_at = now() where id = %s", Code.REVOKED_PERSON),
        ("update users set roles = '{operator}' where id = %s", Code.ROLE_NOT_ALLOWED),
    ],
)
async def test_whoever_may_not_sign_any_more_is_known_to_the_next_trust_file(
    world, tap, spoil: str, code: Code
) -> None:
    await asked_and_signed(world, "emil", "sara")
    await world.sql(spoil, world.users["emil"].id)
    verdict = await at_the_edge(world, tap.messages[0])
    assert isinstance(verdict, Rejected)
    assert verdict.code is code


async def test_another_site_and_another_hour_refuse_it(world, tap) -> None:
    await asked_and_signed(world, "emil", "sara")
    (message,) = tap.messages
    for site in ("south", ""):
        verdict = await at_the_edge(world, message, site=site)
        assert isinstance(verdict, Rejected)
        assert verdict.code is Code.WRONG_SITE
    world.clock.pass_time(timedelta(hours=1))
    verdict = await at_the_edge(world, message)
    assert isinstance(verdict, Rejected)
    assert verdict.code is Code.EXPIRED


async def test_a_zone_whose_policy_wants_two_people_is_high_at_the_edge(world) -> None:
    await world.sql("update access_policies set requires_dual_confirm = true")
    trust = await trust_of(world.pool, site="", now=world.clock())
    assert {each.hazard.word for each in trust.zones.values()} == {"high"}
    await world.sql("update access_policies set active = false")
    trust = await trust_of(world.pool, site="", now=world.clock())
    assert all(not each.roles for each in trust.zones.values()), "no policy, no signers"
