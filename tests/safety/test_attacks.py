"""Ways around the gate that somebody has thought of, each over the real ledger."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from fakes.world import Keyring, World
from psycopg.types.json import Jsonb

from infra.store.returning import settle_seen
from safety.actions import (
    CutPower,
    InvalidActionError,
    LockDoor,
    SendGcode,
    SetScene,
    SetTemperature,
    StartPrint,
    SwitchLight,
    UnlockDoor,
)
from safety.canonical import parse
from safety.entities import EventId, Hazard
from safety.parts import Times
from safety.records import (
    CommandStatus,
    Done,
    Failed,
    NoAnswer,
    Pending,
    Refused,
    Rejected,
    Result,
    Unknown,
)

pytestmark = pytest.mark.anyio


async def half_signed(world: World) -> EventId:
    """Let Olga ask for the welding bay's door and Emil sign; one signature is missing."""
    asked = await world.gate.submit(world.proposal(world.act(UnlockDoor, "bay-door")))
    assert isinstance(asked, Pending)
    assert isinstance(await world.sign(asked.event, "emil"), Pending)
    return asked.event


async def low(world: World) -> EventId:
    asked = await world.gate.submit(world.proposal(world.act(SetScene, "floor-light", scene="dim")))
    assert isinstance(asked, Pending)
    assert asked.hazard is Hazard.LOW
    return asked.event


async def refused(outcome, code: str, world: World) -> None:
    assert isinstance(outcome, Refused)
    assert outcome.code == code
    assert world.driver.done == []


# -- people change in between -----------------------------------------------------------------


async def test_a_disabled_requester_gets_nothing_but_a_stop(world):
    event, confirmable = await half_signed(world), await low(world)
    await world.sql("update users set disabled_at = now() where handle = 'olga'")
    await refused(await world.sign(event, "sara"), "unknown_person", world)
    confirmed = await world.gate.confirm(confirmable, world.users["olga"])
    await refused(confirmed, "unknown_person", world)
    light = world.proposal(world.act(SwitchLight, "floor-light", on=True))
    await refused(await world.gate.submit(light), "unknown_person", world)
    assert isinstance(await world.gate.submit(world.proposal(world.act(CutPower, "welder"))), Done)


async def test_a_requester_who_lost_the_role_cannot_confirm(world):
    await world.sql("update access_policies set required_roles = '{engineer}' where name = 'floor'")
    asked = await world.gate.submit(
        world.proposal(world.act(SetScene, "floor-light", scene="dim"), "emil")
    )
    await world.sql("update users set roles = '{operator}' where handle = 'emil'")
    outcome = await world.gate.confirm(asked.event, world.users["emil"])
    await refused(outcome, "not_authorised", world)


async def test_the_roles_in_a_proposal_are_not_believed(world):
    await world.sql("update access_policies set required_roles = '{safety}' where name = 'floor'")
    mighty = replace(world.users["olga"], roles=world.users["sara"].roles)
    scene = world.proposal(world.act(SetScene, "floor-light", scene="dim"))
    outcome = await world.gate.submit(replace(scene, requester=mighty))
    await refused(outcome, "not_authorised", world)


async def test_a_signer_disabled_before_the_second_signature_does_not_count(world):
    event = await half_signed(world)
    await world.sql("update users set disabled_at = now() where handle = 'emil'")
    assert isinstance(await world.sign(event, "sara"), Pending)
    assert world.driver.done == []
    stranger = await world.gate.deny(event, world.users["emil"], "")
    assert stranger.code == "not_authorised"


async def test_a_key_revoked_while_the_approval_is_written_stops_it(world):
    event = await half_signed(world)
    approve = world.ledger.approve

    async def revoked_first(*arguments):
        await world.sql(
            "update public_keys set revoked_at = now() where id = %s", world.keys["emil"].id
        )
        return await approve(*arguments)

    world.ledger.approve = revoked_first
    assert isinstance(await world.sign(event, "sara"), Pending)
    assert world.driver.done == []
    assert await world.sql("select status from safety_events") == [("pending",)]


# -- the world changes in between -------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("update devices set external_id = 'other-door' where name = 'bay door'", "state_changed"),
        ("update devices set name = 'Broom cupboard' where name = 'bay door'", "state_changed"),
        ("update devices set state = '{\"locked\": 1}'", "state_changed"),
        ("update devices set state = '{}'", "state_changed"),
        ("update zones set requires_ppe = false", "policy_changed"),
        ("update zones set name = 'Canteen' where slug = 'bay'", "policy_changed"),
        ("update zones set hazard_level = 'low'", "no_presence"),
        ("update devices set online_state = 'fault'", "device_fault"),
        ("update users set display_name = 'Somebody' where handle = 'olga'", "state_changed"),
        (
            "update devices set capabilities = '{\"intents\": [\"lock\"]}' where name = 'bay door'",
            "unsupported_intent",
        ),
        ("update access_policies set active = false", "not_authorised"),
    ],
)
async def test_what_people_read_before_signing_must_still_be_so(world, change, code):
    event = await half_signed(world)
    await world.sql(change)
    if code == "no_presence":  # a lower zone changes nothing for a door: the action is high itself
        await world.sql("delete from zone_presences")
    await refused(await world.sign(event, "sara"), code, world)


async def test_a_device_moved_to_another_zone_is_not_acted_on(world):
    event = await half_signed(world)
    await world.sql("update devices set zone_id = %s where name = 'bay door'", world.zones["floor"])
    await refused(await world.sign(event, "sara"), "policy_changed", world)


async def test_a_policy_replaced_by_a_new_row_of_the_same_version_is_another_policy(world):
    event = await half_signed(world)
    await world.sql("update access_policies set active = false where name = 'bay'")
    await world.sql(
        """insert into access_policies (id, name, zone_id, required_roles, version)
           values (%s, 'bay', %s, '{engineer,safety}', 1)""",
        uuid4(),
        world.zones["bay"],
    )
    await refused(await world.sign(event, "sara"), "policy_changed", world)


@pytest.mark.parametrize("level", ["medium", "high"])
async def test_a_zone_that_became_more_dangerous_wants_more_than_a_yes(world, level):
    event = await low(world)
    await world.sql("update zones set hazard_level = %s where slug = 'floor'", level)
    outcome = await world.gate.confirm(event, world.users["olga"])
    await refused(outcome, "policy_changed", world)


async def test_a_hazard_that_went_down_asks_anew(world):
    await world.sql("update zones set hazard_level = 'medium' where slug = 'floor'")
    asked = await world.gate.submit(world.proposal(world.act(SetScene, "floor-light", scene="dim")))
    assert asked.hazard is Hazard.MEDIUM
    await world.sql("update zones set hazard_level = 'low' where slug = 'floor'")
    await refused(await world.sign(asked.event, "sara"), "policy_changed", world)


# -- the ledger is written to by somebody else ------------------------------------------------


async def test_a_signature_row_without_a_signature_counts_for_nothing(world):
    event = await half_signed(world)
    await world.sql(
        """insert into safety_signatures (event_id, key_id, user_id, algorithm, signature, signed_at)
           values (%s, %s, %s, 'p256', 'forged', %s)""",
        event,
        world.keys["sara"].id,
        world.users["sara"].id,
        world.clock(),
    )
    await world.gate.recover()
    assert world.driver.done == []
    assert [each.valid for each in (await world.ledger.event(event)).signers] == [True, False]


@pytest.mark.parametrize(
    "column",
    [
        "action = '{\"seconds\": 60}'",
        "action_kind = 'LockDoor', action = '{}'",
        "expires_at = expires_at + interval '1 year'",
        "not_before = not_before - interval '1 day'",
        "hazard = 'medium'",
        "tainted = true",
        "nonce = 'another'",
        "policy_version = 7",
        "initiated_by = (select id from users where handle = 'sara')",
        "zone_id = (select id from zones where slug = 'floor')",
        "device_id = (select id from devices where external_id = 'floor-door')",
        'evidence = \'{"photo": "00"}\'',
    ],
)
async def test_a_column_that_says_something_else_than_was_signed_is_noticed(world, column):
    event = await half_signed(world)
    await world.sql("alter table safety_events disable trigger all")
    await world.sql(f"update safety_events set {column} where id = '{event}'")
    await world.sql("alter table safety_events enable trigger all")
    await refused(await world.sign(event, "sara"), "tampered", world)


async def test_other_bytes_with_their_own_digest_are_noticed(world):
    """Whoever rewrites the bytes loses the signatures, and the rest does not fit either."""
    event = await half_signed(world)
    await world.sql("alter table safety_events disable trigger all")
    await world.sql(
        """update safety_events e set canonical = n.bytes, digest = encode(sha256(n.bytes), 'hex')
           from (select convert_to(replace(convert_from(canonical, 'UTF8'), '"seconds":10',
                                           '"seconds":60'), 'UTF8') as bytes from safety_events) n"""
    )
    await world.sql("alter table safety_events enable trigger all")
    await refused(await world.sign(event, "sara"), "tampered", world)


async def test_a_row_of_a_kind_that_is_gone_does_not_hold_up_the_others(world):
    gone, other = await half_signed(world), await low(world)
    await world.sql("alter table safety_events disable trigger all")
    await world.sql(f"update safety_events set action_kind = 'OpenHatch' where id = '{gone}'")
    await world.sql("alter table safety_events enable trigger all")
    world.clock.pass_time(timedelta(minutes=6))
    assert await world.gate.expire() == [other]


# -- proposal keys ----------------------------------------------------------------------------


async def test_a_proposal_key_stands_for_one_wish_of_one_person(world):
    key = uuid4()
    on = world.act(SwitchLight, "floor-light", on=True)
    assert isinstance(await world.gate.submit(world.proposal(on, key=key)), Done)
    for other in (
        world.proposal(world.act(SwitchLight, "floor-light", on=False), key=key),
        world.proposal(world.act(SwitchLight, "bay-light", on=True), key=key),
        world.proposal(world.act(UnlockDoor, "bay-door"), key=key),
        world.proposal(world.act(LockDoor, "bay-door"), key=key),
        world.proposal(on, "emil", key=key),
    ):
        outcome = await world.gate.submit(other)
        assert isinstance(outcome, Refused)
        assert outcome.code == "key_reused"
    assert len(world.driver.done) == 1


async def test_a_request_that_waits_does_not_run_when_asked_again_without_its_taint(world):
    light, key = world.act(SwitchLight, "floor-light", on=True), uuid4()
    asked = await world.gate.submit(world.proposal(light, key=key, tainted=True))
    assert isinstance(asked, Pending)
    again = await world.gate.submit(world.proposal(light, key=key))
    assert isinstance(again, Pending)
    assert again.event == asked.event
    assert world.driver.done == []
    assert isinstance(await world.gate.confirm(asked.event, world.users["olga"]), Done)
    assert isinstance(await world.gate.submit(world.proposal(light, key=key)), Done)
    assert len(world.driver.done) == 1


async def test_one_key_submitted_by_many_at_once_runs_once(world):
    light, key = world.act(SwitchLight, "floor-light", on=True), uuid4()
    gates = [world.gate, world.new_gate()]
    await asyncio.gather(
        *(
            gates[each % 2].submit(world.proposal(light, key=key, tainted=each % 3 == 0))
            for each in range(24)
        )
    )
    assert len(world.driver.done) <= 1
    commands = await world.sql("select count(*) from device_commands")
    assert commands == [(len(world.driver.done),)]


# -- time -------------------------------------------------------------------------------------

JUMPS = [timedelta(seconds=1), timedelta(minutes=4), timedelta(hours=1), timedelta(days=366)]


@pytest.mark.parametrize("jump", JUMPS)
async def test_a_clock_set_back_behind_the_request_lets_nobody_sign(world, jump):
    event = await half_signed(world)
    world.clock.pass_time(-jump)
    await refused(await world.sign(event, "sara"), "not_yet_valid", world)
    outcome = await world.gate.confirm(await later_low(world, jump), world.users["olga"])
    await refused(outcome, "not_yet_valid", world)
    assert await world.gate.expire() == []
    assert isinstance(await world.gate.standing(event), Pending)


async def later_low(world: World, jump: timedelta) -> EventId:
    world.clock.pass_time(jump)
    event = await low(world)
    world.clock.pass_time(-jump)
    return event


@pytest.mark.parametrize("jump", [timedelta(seconds=300), *JUMPS[2:]])
async def test_a_clock_that_jumps_ahead_ends_the_request_for_good(world, jump):
    event = await half_signed(world)
    world.clock.pass_time(jump)
    await world.gate.expire()
    world.clock.pass_time(-jump)
    await refused(await world.sign(event, "sara"), "already_settled", world)


async def crash_before_sending(world: World, outcome) -> None:
    """Let the process die between the command row and the wire."""
    mark_sent = world.ledger.mark_sent

    async def dies(*_arguments):
        raise KeyboardInterrupt

    world.ledger.mark_sent = dies
    with pytest.raises(KeyboardInterrupt):
        await outcome
    world.ledger.mark_sent = mark_sent
    world.gate = world.new_gate()


async def test_a_command_found_after_a_crash_with_the_clock_set_back_is_not_sent(world):
    """A machine without a battery for its clock starts in the past."""
    event = await half_signed(world)
    await crash_before_sending(world, world.sign(event, "sara"))
    world.clock.pass_time(-timedelta(hours=1))
    (outcome,) = await world.gate.recover()
    assert isinstance(outcome, Failed)
    assert world.driver.done == []
    world.clock.pass_time(timedelta(hours=1))
    await world.gate.recover()
    assert world.driver.done == []


async def test_a_command_found_in_time_after_a_crash_is_sent_once(world):
    event = await half_signed(world)
    await crash_before_sending(world, world.sign(event, "sara"))
    world.clock.pass_time(timedelta(seconds=2))
    await world.gate.recover()
    await world.gate.recover()
    assert len(world.driver.done) == 1
    assert isinstance(await world.gate.standing(event), Done)


async def test_nothing_starts_after_the_end_of_its_event(world):
    event = await half_signed(world)
    world.clock.pass_time(timedelta(seconds=298))
    stored = await world.ledger.event(event)
    await world.sign(event, "sara")
    (permit,) = world.driver.done
    assert permit.deadline == stored.expires_at


async def test_time_that_passes_while_the_approval_is_written_counts(world):
    event = await half_signed(world)
    approve = world.ledger.approve

    async def slow(*arguments):
        approved = await approve(*arguments)
        world.clock.pass_time(timedelta(seconds=300))
        return approved

    world.ledger.approve = slow
    outcome = await world.sign(event, "sara")
    await refused(outcome, "expired", world)
    assert await world.gate.expire() == []
    assert await world.sql("select status, outcome from safety_events") == [("approved", None)]


async def test_an_approved_command_that_cannot_be_stored_ends_there(world):
    """A job that is gone, by the time two people have signed for it."""
    asked = await world.gate.submit(
        world.proposal(
            world.act(StartPrint, "mk4", job=uuid4(), gcode_path="a", gcode_sha256="0" * 64)
        )
    )
    await refused(await world.sign(asked.event, "emil"), "not_storable", world)
    await world.gate.recover()
    assert (await world.gate.standing(asked.event)).code == "not_storable"
    assert world.driver.done == []


async def test_time_that_passes_before_the_wire_counts(world):
    claim = world.ledger.claim

    async def slow(*arguments):
        claimed = await claim(*arguments)
        world.clock.pass_time(Times().command)
        return claimed

    world.ledger.claim = slow
    event = await half_signed(world)
    outcome = await world.sign(event, "sara")
    assert isinstance(outcome, Failed)
    assert outcome.code == "expired_before_sending"
    assert world.driver.done == []


# -- crashes and second processes -------------------------------------------------------------


async def test_a_crash_after_the_last_signature_is_made_good(world):
    event = await half_signed(world)
    circumstances = world.facts.circumstances
    sign = world.ledger.sign

    async def dies(*_arguments):
        raise KeyboardInterrupt

    async def last(*arguments):
        added = await sign(*arguments)
        world.facts.circumstances = dies
        return added

    world.ledger.sign = last
    with pytest.raises(KeyboardInterrupt):
        await world.sign(event, "sara")
    world.facts.circumstances, world.ledger.sign = circumstances, sign
    world.gate = world.new_gate()
    assert [type(each) for each in await world.gate.recover()] == [Done]
    assert len(world.driver.done) == 1


async def test_recovery_beside_a_running_command_sends_nothing_twice(world):
    sent, answered = asyncio.Event(), asyncio.Event()

    async def on_its_way() -> None:
        sent.set()
        await answered.wait()

    world.driver.before = on_its_way
    event = await half_signed(world)
    async with asyncio.timeout(20):
        turn = asyncio.create_task(world.sign(event, "sara"))
        await sent.wait()
        other = world.new_gate()
        (found,) = await other.recover()
        assert isinstance(found, Unknown)
        assert await other.expire() == []
        assert isinstance(await other.standing(event), Pending)
        answered.set()
        assert isinstance(await turn, Done)
    assert len(world.driver.done) == 1
    assert isinstance(await other.standing(event), Done)


async def test_two_processes_that_find_the_same_command_send_it_once(world):
    event = await half_signed(world)
    await crash_before_sending(world, world.sign(event, "sara"))
    gates = [world.new_gate() for _ in range(8)]
    await asyncio.gather(*(gate.recover() for gate in gates))
    assert len(world.driver.done) == 1
    assert isinstance(await world.gate.standing(event), Done)


async def test_a_driver_that_breaks_after_sending_leaves_it_unknown_not_failed(world):
    async def breaks() -> None:
        raise RuntimeError("a bug in a driver")

    world.driver.before = breaks
    event = await half_signed(world)
    with pytest.raises(RuntimeError):
        await world.sign(event, "sara")
    world.driver.before = None
    world.clock.pass_time(Times().command + Times().patience)
    assert await world.gate.expire() == [event]
    assert isinstance(await world.gate.standing(event), Unknown)
    assert world.news[-1][0] == event
    assert world.driver.done == []


async def test_a_stop_is_sent_again_after_a_crash_and_a_refused_copy_proves_nothing(world):
    async def breaks() -> None:
        raise KeyboardInterrupt

    world.driver.before = breaks
    stop = world.proposal(world.act(CutPower, "welder"))
    with pytest.raises(KeyboardInterrupt):
        await world.gate.submit(stop)
    world.driver.before = None
    world.driver.answer = lambda _permit: Rejected(code="broker_unavailable", detail="not sent")
    world.gate = world.new_gate()
    (outcome,) = await world.gate.recover()
    assert isinstance(outcome, Unknown)
    assert [permit.command for permit in world.driver.done] == [outcome.command]


async def test_what_was_given_up_elsewhere_is_done_when_the_answer_comes(world):
    async def given_up() -> None:
        world.clock.pass_time(Times().command + Times().patience)
        await world.new_gate().expire()

    world.driver.before = given_up
    event = await half_signed(world)
    outcome = await world.sign(event, "sara")
    assert isinstance(outcome, Done)
    assert isinstance(await world.gate.standing(event), Done)
    assert (await world.log())[-2:] == [("unknown", "ack_timeout"), ("done", "late_answer")]


async def test_an_answer_between_giving_up_and_writing_it_down_counts(world):
    """The window between the driver's time-out and the ledger's row."""

    def too_late(permit):
        world.clock.pass_time(Times().command)
        return NoAnswer()

    async def answers(command):
        await world.ledger.reconcile(command, Result.DONE, world.clock())
        return False

    world.driver.answer = too_late
    world.ledger.carried_out = answers
    event = await half_signed(world)
    assert isinstance(await world.sign(event, "sara"), Done)
    (command,) = await world.sql(
        "select status, outcome, late_ack_at is not null from device_commands"
    )
    assert command == ("failed", "done", True)


async def test_an_open_command_is_not_settled_by_an_answer_before_its_deadline(world):
    """Another process hears every answer; the one that waits for it must write it down."""

    async def heard_elsewhere() -> None:
        (row,) = await world.sql("select id from device_commands")
        assert not await world.ledger.reconcile(row[0], Result.FAILED, world.clock())

    world.driver.before = heard_elsewhere
    outcome = await world.gate.submit(world.proposal(world.act(SwitchLight, "bay-light", on=True)))
    assert isinstance(outcome, Done)


# -- denial, confirmation and approval at once ------------------------------------------------


async def test_a_denial_and_the_last_signature_at_once_agree_on_one_end(world):
    for _ in range(12):
        before = len(world.driver.done)
        await world.report("bay-door", locked=True, open=False)
        event = await half_signed(world)
        await asyncio.gather(
            world.sign(event, "sara"), world.gate.deny(event, world.users["sara"], "no")
        )
        ran = len(world.driver.done) - before
        ((status, outcome),) = await world.sql(
            f"select status, outcome from safety_events where id = '{event}'"
        )
        assert (status, ran) in {("approved", 1), ("denied", 0)}
        assert (outcome == "done") is (ran == 1)


async def test_confirming_twice_at_once_runs_once(world):
    event = await low(world)
    gates = [world.gate, world.new_gate()]
    await asyncio.gather(*(gates[n % 2].confirm(event, world.users["olga"]) for n in range(16)))
    assert len(world.driver.done) == 1


async def test_the_end_of_its_time_and_the_last_signature_at_once_agree_on_one_end(world):
    event = await half_signed(world)
    world.clock.pass_time(timedelta(seconds=299))
    approve = world.ledger.approve

    async def meanwhile(*arguments):
        world.clock.pass_time(timedelta(seconds=2))
        await world.new_gate().expire()
        return await approve(*arguments)

    world.ledger.approve = meanwhile
    await refused(await world.sign(event, "sara"), "expired", world)
    assert await world.sql("select status, consumed_at from safety_events") == [("denied", None)]


# -- what is asked for ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "device", "arguments"),
    [
        (UnlockDoor, "bay-door", {"seconds": True}),
        (UnlockDoor, "bay-door", {"seconds": 10.5}),
        (UnlockDoor, "bay-door", {"seconds": "10"}),
        (UnlockDoor, "bay-door", {"seconds": 2**53}),
        (SwitchLight, "bay-light", {"on": 1}),
        (SwitchLight, "bay-light", {"on": "true"}),
        (SetScene, "bay-light", {"scene": "dim\x00"}),
        (SetScene, "bay-light", {"scene": "\ud800"}),
        (SetScene, "bay-light", {"scene": "d" * 201}),
        (SetTemperature, "mk4", {"part": "nozzle", "celsius": 20}),
        (SendGcode, "mk4", {"gcode": "M115\x00"}),
        (SendGcode, "mk4", {"gcode": "M115\rM104 S350"}),
        (SendGcode, "mk4", {"gcode": "M104 S200 \u202e053S 401M"}),
        (SendGcode, "mk4", {"gcode": "M115" + "\n" * 2_000 + "M104 S350"}),
        (SendGcode, "mk4", {"gcode": "M115" + " " * 70_000}),
        (SendGcode, "mk4", {"gcode": "\x1b[2JM115"}),
        (SendGcode, "mk4", {"gcode": " \n"}),
        (SendGcode, "mk4", {"gcode": "Μ104 S200"}),  # a Greek M
    ],
)
def test_what_signers_could_not_read_or_devices_not_understand_cannot_be_asked_for(
    kind, device, arguments
):
    with pytest.raises(InvalidActionError):
        kind(device=uuid4(), zone=uuid4(), **arguments)


@pytest.mark.parametrize(
    ("path", "sha256"),
    [
        ("a.gcode", ""),
        ("a.gcode", "A" * 64),
        ("a.gcode", "0" * 63),
        ("/etc/passwd", "0" * 64),
        ("jobs/../../etc/passwd", "0" * 64),
        ("", "0" * 64),
        ("a\x00", "0" * 64),
        ("a" * 1_025, "0" * 64),
    ],
)
def test_a_print_names_its_file_and_the_files_hash(path, sha256):
    with pytest.raises(InvalidActionError):
        StartPrint(device=uuid4(), zone=uuid4(), job=uuid4(), gcode_path=path, gcode_sha256=sha256)


@pytest.mark.parametrize(
    "name", ["Tür „Süd“", "дверь", "门", "🚪‍🔥", "a\u202eb", "e\u0301", "\u00e9", "x" * 200]
)
async def test_names_in_any_script_are_signed_as_they_are(world, name):
    await world.sql("update devices set name = %s where external_id = 'bay-door'", name)
    await world.sql("update users set display_name = %s where handle = 'olga'", name)
    event = await half_signed(world)
    assert parse((await world.ledger.event(event)).canonical)["device"]["name"] == name
    assert isinstance(await world.sign(event, "sara"), Done)


@pytest.mark.parametrize(
    ("locked", "pending"),
    [(2**53, True), (-(2**70), True), (1.5, True), ({"a": [1]}, True), ("x" * 60_000, True)],
)
async def test_a_strange_state_is_signed_for_as_it_is(world, locked, pending):
    await world.sql(
        "update devices set state = %s where external_id = 'bay-door'", Jsonb({"locked": locked})
    )
    event = await half_signed(world)
    assert isinstance(await world.sign(event, "sara"), Done) is pending


async def test_more_than_people_can_be_asked_to_sign_is_refused(world):
    await world.sql(
        "update access_policies set pqe_checks = %s where name = 'bay'",
        Jsonb({"items": ["helmet" * 100] * 200}),
    )
    outcome = await world.gate.submit(world.proposal(world.act(UnlockDoor, "bay-door")))
    await refused(outcome, "cannot_be_signed", world)


async def test_a_zone_that_asks_for_equipment_without_naming_it_still_asks(world):
    await world.sql("update access_policies set pqe_checks = '{}' where name = 'bay'")
    event = await half_signed(world)
    assert parse((await world.ledger.event(event)).canonical)["ppe"] == ["protective equipment"]


async def test_a_reason_with_rubbish_in_it_is_kept_as_text(world):
    event = await half_signed(world)
    outcome = await world.gate.deny(event, world.users["sara"], "no\x00\n\x1b[2J" + "!" * 9_999)
    assert outcome.reason.startswith("no [2J!!!")
    assert len(outcome.reason) <= 500


async def test_the_same_nonce_twice_makes_no_signature_fit_twice(world):
    """Ids differ, so the digests do; a source of chance that fails costs nothing here."""
    first, second = await half_signed(world), await half_signed(world)
    one, two = [await world.ledger.event(each) for each in (first, second)]
    assert one.digest != two.digest
    ring = world.keys["sara"]
    outcome = await world.gate.sign(
        second, ring.id, ring.sign(one.digest), relayed_by=world.users["sara"].id
    )
    await refused(outcome, "bad_signature", world)


async def test_a_key_of_two_people_is_refused_by_the_store(world):
    ring = world.keys["emil"]
    with pytest.raises(Exception, match="duplicate key"):
        await world.sql(
            """insert into public_keys (id, user_id, algorithm, spki, label)
               values ('SHA256:other', %s, 'ed25519', %s, 'x')""",
            world.users["sara"].id,
            ring.spki,
        )


async def test_a_key_enrolled_under_another_algorithm_signs_nothing(world):
    spare = Keyring("p256")
    await world.sql(
        """insert into public_keys (id, user_id, algorithm, spki, label)
           values (%s, %s, 'ed25519', %s, 'x')""",
        spare.id,
        world.users["sara"].id,
        spare.spki,
    )
    event = await half_signed(world)
    await refused(await world.sign(event, "sara", spare), "bad_signature", world)


async def test_every_command_ends_somewhere(world):
    """Whatever happened, nothing stays open once everybody has stopped waiting."""
    await crash_before_sending(
        world, world.gate.submit(world.proposal(world.act(SwitchLight, "bay-light", on=True)))
    )
    assert (await world.ledger.open_commands())[0].status is CommandStatus.PENDING
    world.clock.pass_time(timedelta(seconds=10))
    assert await world.gate.expire() == []
    assert await world.ledger.open_commands() == []
    assert await world.sql("select outcome, failure_code from device_commands") == [
        ("failed", "expired_before_sending")
    ]


async def test_what_devices_say_once_they_are_back_is_settled_and_logged(world):
    world.driver.answer = lambda _permit: NoAnswer()
    event = await half_signed(world)
    assert isinstance(await world.sign(event, "sara"), Unknown)
    await settle_seen(world.pool, world.clock())
    assert isinstance(await world.gate.standing(event), Unknown)
    await world.sql(
        "update devices set commanded = (select jsonb_agg(id::text) from device_commands)"
    )
    await settle_seen(world.pool, world.clock())
    assert isinstance(await world.gate.standing(event), Done)
    assert (await world.log())[-1] == ("done", "late_answer")
