"""The eighteen holes found in an earlier system of this kind, each tried on this one."""

import ast
from dataclasses import fields, replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from fakes.world import World
from starlette.requests import HTTPConnection
from understanding.lab import NOW
from understanding.scoring import made, read

from assistant.access import caller
from assistant.understanding.dialogue import Dialogue, Question
from assistant.understanding.reading import Confirm, Reading, Stop
from infra import ids
from infra.settings import load
from infra.store.people import People
from infra.wire import CommandMessage, WireError
from safety.actions import (
    KINDS,
    EnablePower,
    HeatedPart,
    ResumePrint,
    SendGcode,
    SetScene,
    SetTemperature,
    StartPrint,
    SwitchLight,
    UnlockDoor,
)
from safety.canonical import digest
from safety.entities import EventId, Hazard, InvalidEntityError, Role, User
from safety.records import Done, Failed, Pending, Refused, Rejected

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).parent.parent.parent

ALSO_TESTED = {
    1: "tests/understanding/test_safety.py::test_a_negated_command_never_acts",
    7: "tests/understanding/test_safety.py::test_a_negated_command_never_acts",
    12: "tests/http/test_tools.py::test_a_hazardous_tool_is_accepted_and_waits",
    13: "tests/http/test_entry.py::test_nothing_is_given_without_a_token",
    14: "tests/http/test_entry.py::test_what_is_no_token_lets_nobody_in",
    16: "tests/edge/test_device.py",
}
"""Where a hole is tried from another side as well."""
NO_COUNTERPART = {
    12: "there are no vendor endpoints (Elegoo, Bambu): one route for each tool, all through the gate",
    13: "there is no read-only remote mode that a header could claim or lift: everybody signs in",
    14: "there is no list of admins and no password: the first admin gets a one-time link",
    18: "nothing starts a print again by itself",
}
"""What of a hole does not exist here, and why."""


async def ask(
    world: World, kind=UnlockDoor, device="bay-door", person="olga", **arguments
) -> EventId:
    asked = await world.gate.submit(world.proposal(world.act(kind, device, **arguments), person))
    assert isinstance(asked, Pending)
    return asked.event


def confirming() -> Dialogue:
    """Return a conversation in which a yes or no is asked for."""
    question = Question(
        kind="confirm",
        text="Set the main floor lights to the scene dim?",
        asked_at=NOW,
        event=str(UUID(int=1)),
    )
    return Dialogue(question=question)


def says_yes(reading: Reading) -> bool:
    return isinstance(reading, Confirm) and reading.yes


@pytest.mark.parametrize(
    "text",
    [
        "please do NOT Confirm: proceed",
        "do not confirm, proceed to the door",
        "yes is not what I mean",
        "don't say yes",
        "no yes no",
        "the sign says yes",
        'he said "yes"',
        "is it yes?",
        "yes if Sara is there",
        "yesterday",
    ],
)
def test_hole_01_a_sentence_with_the_words_in_it_is_no_confirmation(text):
    assert not says_yes(read(text, confirming()))
    assert says_yes(read("yes", confirming()))


async def test_hole_02_words_from_before_confirm_nothing(world):
    assert not says_yes(read("Confirm: proceed"))
    assert not says_yes(read("yes"))
    first = await ask(world, SetScene, "floor-light", scene="dim")
    second = await ask(world, SetScene, "floor-light", scene="bright")
    assert isinstance(await world.gate.confirm(first, world.users["olga"]), Done)
    assert [permit.event for permit in world.driver.done] == [first]
    assert isinstance(await world.gate.standing(second), Pending)


async def test_hole_03_a_signature_counts_once_for_one_request(world):
    first, second = await ask(world), await ask(world)
    stored = await world.ledger.event(first)
    ring = world.keys["emil"]
    signature = ring.sign(stored.digest)
    relay = world.users["emil"].id
    assert isinstance(await world.gate.sign(first, ring.id, signature, relayed_by=relay), Pending)
    again = await world.gate.sign(first, ring.id, signature, relayed_by=relay)
    assert again.code == "already_signed"
    elsewhere = await world.gate.sign(second, ring.id, signature, relayed_by=relay)
    assert elsewhere.code == "bad_signature"
    assert world.driver.done == []


async def test_hole_04_nobody_approves_their_own_request_alone_nor_one_that_is_not_there(world):
    await world.see("emil", "bay")
    event = await ask(world, person="emil")
    assert isinstance(await world.sign(event, "emil"), Pending)
    assert (await world.sign(event, "emil")).code == "already_signed"
    ghost = EventId(uuid4())
    ring = world.keys["sara"]
    unknown = await world.gate.sign(
        ghost, ring.id, ring.sign(digest(b"x")), relayed_by=world.users["sara"].id
    )
    assert unknown.code == "unknown_event"
    await world.gate.deny(event, world.users["sara"], "")
    assert (await world.sign(event, "sara")).code == "already_settled"
    assert world.driver.done == []


async def test_hole_05_what_no_policy_covers_is_refused(world):
    job = world.act(
        StartPrint, "mk4", job=uuid4(), gcode_path="jobs/a.gcode", gcode_sha256="0" * 64
    )
    assert isinstance(await world.gate.submit(world.proposal(job)), Pending)
    await world.sql("update access_policies set active = false")
    for action in (job, world.act(SetScene, "floor-light", scene="dim")):
        outcome = await world.gate.submit(world.proposal(action))
        assert outcome.code == "no_policy"


async def test_hole_06_without_a_role_or_a_sighting_nothing_hazardous_is_done(world):
    with pytest.raises(InvalidEntityError):
        User(id=uuid4(), display_name="x", handle="x", roles=frozenset())
    await world.sql("delete from zone_presences")
    outcome = await world.gate.submit(world.proposal(world.act(UnlockDoor, "bay-door")))
    assert outcome.code == "no_presence"
    await world.sql("update access_policies set required_roles = '{safety}' where name = 'floor'")
    scene = world.act(SetScene, "floor-light", scene="dim")
    assert (await world.gate.submit(world.proposal(scene))).code == "not_authorised"
    nobody = replace(world.users["olga"], id=uuid4(), roles=frozenset(Role))
    outcome = await world.gate.submit(replace(world.proposal(scene), requester=nobody))
    assert outcome.code == "unknown_person"


def test_hole_07_a_sentence_does_what_it_says_or_nothing():
    assert made(read("do not unlock the welding bay door")) == []
    assert made(read("unlock the welding bay door"))[0][0] == "unlock_door"
    laser = read("turn on the laser")
    assert not isinstance(laser, Stop)
    assert {tool for tool, _ in made(laser)} <= {"enable_power"}
    assert "switch_lights" not in {tool for tool, _ in made(read("print the logo bracket"))}
    assert {tool for tool, _ in made(read("print the logo bracket"))} <= {"start_print"}


@pytest.mark.parametrize(
    "text", ["cancel", "abort", "no", "stop", "", "what?", "unlock the laser room door", "🤷", "1"]
)
async def test_hole_08_any_answer_to_a_question_is_read_and_none_runs_it(world, text):
    reading = read(text, confirming())
    assert not says_yes(reading)
    event = await ask(world, SetScene, "floor-light", scene="dim")
    denied = await world.gate.deny(event, world.users["olga"], text)
    assert denied.code == "withdrawn"
    assert world.driver.done == []


async def test_hole_09_after_the_yes_the_stored_request_runs_with_its_arguments(world):
    event = await ask(world, SetScene, "floor-light", scene="dim")
    world.gate = world.new_gate()  # nothing is kept in the process
    assert isinstance(await world.gate.confirm(event, world.users["olga"]), Done)
    (permit,) = world.driver.done
    assert permit.action == world.act(SetScene, "floor-light", scene="dim")


async def test_hole_10_where_signatures_are_needed_they_are_looked_for(world):
    event = await ask(world)
    assert (await world.gate.confirm(event, world.users["olga"])).code == "needs_signature"
    await world.gate.recover()
    assert world.driver.done == []
    with pytest.raises(Exception, match="device_commands_signed"):
        await world.sql(
            """insert into device_commands (id, device_id, intent, requested_by, proposal_key,
                   action_kind, hazard, deadline)
               values (%s, %s, 'unlock', %s, %s, 'UnlockDoor', 'high', now())""",
            uuid4(),
            world.devices["bay-door"],
            world.users["olga"].id,
            uuid4(),
        )


def test_hole_11_only_a_driver_writes_to_a_device():
    """One module names the topic that devices obey."""
    writers = set()
    for folder in ("assistant", "tools", "routing", "cad", "safety", "infra"):
        for path in (ROOT / folder).rglob("*.py"):
            name = path.relative_to(ROOT).as_posix()
            if name.startswith("infra/demo/"):
                continue  # the devices themselves
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                called = ast.unparse(node) if isinstance(node, ast.Call) else ""
                if called.startswith("device_topic(") and called.endswith("'cmd')"):
                    writers.add(name)
    assert writers == {"infra/drivers/mqtt_devices.py"}


async def test_hole_12_heat_and_raw_commands_need_people_like_everything_that_can_hurt(world):
    wishes = [
        world.act(SetTemperature, "mk4", part=HeatedPart.NOZZLE, celsius=200),
        world.act(SendGcode, "mk4", gcode="M104 S200"),
        world.act(ResumePrint, "mk4"),
        world.act(EnablePower, "welder"),
        world.act(UnlockDoor, "floor-door"),
    ]
    await world.see("olga", "farm")
    for action in wishes:
        outcome = await world.gate.submit(world.proposal(action))
        assert isinstance(outcome, Pending)
        assert outcome.hazard >= Hazard.MEDIUM
    assert world.driver.done == []
    harmless = {kind for kind in KINDS if kind.hazard is Hazard.NONE and not kind.makes_safe}
    assert harmless == {SwitchLight}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-remote-mode": "false"},
        {"x-forwarded-for": "127.0.0.1"},
        {"x-forwarded-user": "anna"},
        {"remote-user": "anna"},
        {"tailscale-user-login": "anna@example.org"},
        {"x-user-id": "anna", "x-role": "admin"},
        {"authorization": "Basic YW5uYTphbm5h"},
        {"authorization": "Bearer "},
        {"authorization": "Bearer anna"},
        {"cookie": "kitty_session="},
        {"cookie": "kitty_session=anna"},
    ],
)
async def test_hole_13_what_a_client_says_about_itself_is_not_believed(world, headers):
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/api/query",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    assert await caller(HTTPConnection(scope), People(world.pool), NOW) is None


async def test_hole_14_without_anybody_in_the_list_nobody_is_let_in(pool):
    people = People(pool)
    for secret in ("", "admin", "password", "super-secret", "x" * 10_000, "\x00"):
        assert await people.by_token(secret, NOW) is None
        assert await people.by_session(secret, NOW) is None
    offer = await people.first_start(NOW)
    assert offer is not None
    assert await people.first_start(NOW) is None
    assert await people.by_token(offer.token, NOW) is None


async def test_hole_15_an_approval_is_for_one_command_and_for_five_minutes(world):
    event = await ask(world)
    await world.sign(event, "emil")
    assert isinstance(await world.sign(event, "sara"), Done)
    rows = await world.sql(
        """select e.consumed_by_command = c.id, c.safety_event_id = e.id
           from safety_events e join device_commands c on c.proposal_key = e.proposal_key"""
    )
    assert rows == [(True, True)]
    await world.gate.recover()
    assert len(world.driver.done) == 1
    late = await ask(world)
    await world.sign(late, "emil")
    world.clock.pass_time(timedelta(minutes=5))
    assert (await world.sign(late, "sara")).code == "expired"


def test_hole_16_arguments_cannot_replace_the_intent_or_the_device():
    message = CommandMessage(
        command_id=uuid4(),
        device="bay-light",
        intent="switch",
        payload={"on": True, "intent": "unlock", "device": "bay-door", "deviceId": "bay-door"},
        issued_at=NOW,
        deadline=NOW,
        correlation_id="x",
    )
    read_back = CommandMessage.decode(message.encode())
    assert (read_back.device, read_back.intent) == ("bay-light", "switch")
    doubled = message.encode()[:-1] + b',"intent":"unlock"}'
    with pytest.raises(WireError):
        CommandMessage.decode(doubled)
    for kind in KINDS:
        names = {each.name for each in fields(kind)} - {"device", "zone"}
        assert not names & set(CommandMessage.model_fields)


def test_hole_17_no_secret_has_a_default():
    settings = load({})
    secrets = [
        value
        for part in settings.__dataclass_fields__
        for name, value in _parts(getattr(settings, part))
        if any(word in name for word in ("secret", "password", "token", "api_key"))
    ]
    assert secrets
    assert not any(secrets)
    made_up = {ids.secret("token") for _ in range(100)}
    assert len(made_up) == 100
    assert min(map(len, made_up)) >= 32


def _parts(part: object) -> list[tuple[str, object]]:
    names = getattr(part, "__dataclass_fields__", {})
    return [(name, getattr(part, name)) for name in names]


async def test_hole_18_a_print_that_failed_is_not_started_again(world):
    world.driver.answer = lambda _permit: Rejected(code="device_error", detail="no filament")
    job = uuid4()
    await world.sql(
        """insert into fabrication_jobs (id, device_id, name, gcode_path, requested_by, metadata)
           values (%s, %s, 'hinge', 'a.gcode', %s, '{"hazardous_material": false}')""",
        job,
        world.devices["mk4"],
        world.users["olga"].id,
    )
    wish = {"job": job, "gcode_path": "a.gcode", "gcode_sha256": "0" * 64}
    event = await ask(world, StartPrint, "mk4", **wish)
    assert isinstance(await world.sign(event, "emil"), Failed)
    for _ in range(3):
        world.clock.pass_time(timedelta(minutes=1))
        await world.gate.expire()
        await world.gate.recover()
    assert len(world.driver.done) == 1
    assert await world.sql("select count(*) from device_commands") == [(1,)]
    occupied = await ask(world, StartPrint, "mk4", **wish)
    await world.report("mk4", status="complete", job_id="left on the bed")
    outcome = await world.sign(occupied, "emil")
    assert isinstance(outcome, Refused)
    assert outcome.code == "state_changed"


def test_every_hole_is_tried():
    names = {name for name in globals() if name.startswith("test_hole_")}
    assert {int(name.split("_")[2]) for name in names} == set(range(1, 19))
    for hole, place in ALSO_TESTED.items():
        path, _, test = place.partition("::")
        assert test in (ROOT / path).read_text(encoding="utf-8"), hole
    assert set(NO_COUNTERPART) <= set(range(1, 19))
