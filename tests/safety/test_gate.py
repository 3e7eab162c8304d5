"""The gate over the real ledger: what runs, what waits, what never runs."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from fakes.world import Keyring, World

from safety.actions import (
    Action,
    CutPower,
    HeatedPart,
    LockDoor,
    SendGcode,
    SetScene,
    SetTemperature,
    SwitchLight,
    UnlockDoor,
)
from safety.canonical import canonical, digest, parse
from safety.entities import EventId, Hazard
from safety.policy import Need
from safety.records import Done, Failed, NoAnswer, Pending, Refused, Rejected, Unknown

pytestmark = pytest.mark.anyio


async def ask_for_the_door(world: World) -> EventId:
    outcome = await world.gate.submit(world.proposal(world.act(UnlockDoor, "bay-door")))
    assert isinstance(outcome, Pending)
    assert outcome.needs == {Need.SIGNATURE, Need.SECOND_SIGNATURE}
    assert world.driver.done == []
    return outcome.event


async def test_a_light_switches_at_once_and_leaves_a_row(world):
    outcome = await world.gate.submit(world.proposal(world.act(SwitchLight, "bay-light", on=True)))
    assert isinstance(outcome, Done)
    assert [p.action for p in world.driver.done] == [world.act(SwitchLight, "bay-light", on=True)]
    rows = await world.sql("select status, outcome, payload, hazard from device_commands")
    assert rows == [("acked", "done", {"on": True}, "none")]
    assert await world.log() == [("allowed", ""), ("done", "")]


async def test_two_people_with_two_keys_open_the_door_once(world):
    event = await ask_for_the_door(world)
    first = await world.sign(event, "emil")
    assert isinstance(first, Pending)
    assert first.needs == {Need.SECOND_SIGNATURE}
    assert world.driver.done == []
    assert isinstance(await world.sign(event, "sara"), Done)
    assert [p.action.arguments for p in world.driver.done] == [{"seconds": 10}]
    rows = await world.sql("select status, outcome, approved_by is not null from safety_events")
    assert rows == [("approved", "done", True)]
    again = await world.sign(event, "sara")
    assert isinstance(again, Refused)
    assert again.code == "already_settled"
    assert len(world.driver.done) == 1


async def test_one_person_cannot_sign_twice_even_with_a_second_key(world):
    event = await ask_for_the_door(world)
    await world.sign(event, "emil")
    spare = Keyring()
    await world.sql(
        "insert into public_keys (id, user_id, algorithm, spki, label) values (%s, %s, %s, %s, 'x')",
        spare.id,
        world.users["emil"].id,
        spare.algorithm,
        spare.spki,
    )
    outcome = await world.sign(event, "emil", spare)
    assert isinstance(outcome, Refused)
    assert outcome.code == "already_signed"
    assert world.driver.done == []


async def test_the_requester_without_the_role_cannot_sign(world):
    event = await ask_for_the_door(world)
    outcome = await world.sign(event, "olga")
    assert isinstance(outcome, Refused)
    assert outcome.code == "not_authorised"


async def test_a_requester_may_be_the_first_of_two_but_not_both(world):
    await world.see("emil", "bay")
    asked = await world.gate.submit(world.proposal(world.act(UnlockDoor, "bay-door"), "emil"))
    assert isinstance(asked, Pending)
    assert isinstance(await world.sign(asked.event, "emil"), Pending)
    assert isinstance(await world.sign(asked.event, "emil"), Refused)
    assert world.driver.done == []
    assert isinstance(await world.sign(asked.event, "sara"), Done)


@pytest.mark.parametrize("spoil", ["other event", "other key", "bit flip", "empty", "long"])
async def test_a_signature_that_does_not_fit_is_refused(world, spoil):
    event = await ask_for_the_door(world)
    stored = await world.ledger.event(event)
    ring = world.keys["emil"]
    good = ring.sign(stored.digest)
    signature = {
        "other event": ring.sign(digest(b"another")),
        "other key": world.keys["sara"].sign(stored.digest),
        "bit flip": bytes([good[0] ^ 1]) + good[1:],
        "empty": b"",
        "long": good * 3,
    }[spoil]
    outcome = await world.gate.sign(event, ring.id, signature, relayed_by=world.users["emil"].id)
    assert isinstance(outcome, Refused)
    assert outcome.code == "bad_signature"
    assert (await world.ledger.event(event)).signers == ()


async def test_unknown_and_revoked_keys_are_refused(world):
    event = await ask_for_the_door(world)
    stranger = Keyring()
    assert (await world.sign(event, "emil", stranger)).code == "unknown_key"
    await world.sql(
        "update public_keys set revoked_at = now() where id = %s", world.keys["emil"].id
    )
    assert (await world.sign(event, "emil")).code == "revoked_key"
    assert world.driver.done == []


async def test_a_key_revoked_between_the_signatures_does_not_count(world):
    event = await ask_for_the_door(world)
    await world.sign(event, "emil")
    await world.sql(
        "update public_keys set revoked_at = now() where id = %s", world.keys["emil"].id
    )
    outcome = await world.sign(event, "sara")
    assert isinstance(outcome, Pending)
    assert world.driver.done == []


async def test_a_role_lost_between_the_signatures_does_not_count(world):
    event = await ask_for_the_door(world)
    await world.sign(event, "emil")
    await world.sql("update users set roles = '{operator}' where handle = 'emil'")
    assert isinstance(await world.sign(event, "sara"), Pending)
    assert world.driver.done == []


async def test_a_request_that_ran_out_cannot_be_signed_and_never_runs(world):
    event = await ask_for_the_door(world)
    await world.sign(event, "emil")
    world.clock.pass_time(timedelta(seconds=300))
    outcome = await world.sign(event, "sara")
    assert isinstance(outcome, Refused)
    assert outcome.code == "expired"
    rows = await world.sql("select status, reason_code from safety_events")
    assert rows == [("denied", "expired")]
    assert world.driver.done == []


async def test_a_second_before_the_end_it_still_runs(world):
    event = await ask_for_the_door(world)
    await world.sign(event, "emil")
    world.clock.pass_time(timedelta(seconds=299))
    assert isinstance(await world.sign(event, "sara"), Done)


async def test_what_runs_out_is_settled_by_itself(world):
    event = await ask_for_the_door(world)
    world.clock.pass_time(timedelta(seconds=299))
    assert await world.gate.expire() == []
    world.clock.pass_time(timedelta(seconds=1))
    assert await world.gate.expire() == [event]
    assert isinstance(world.news[-1][1], Refused)
    assert await world.gate.expire() == []


async def test_a_changed_state_makes_the_approval_unfit(world):
    event = await ask_for_the_door(world)
    await world.sign(event, "emil")
    await world.report("bay-door", locked=False, open=True)
    outcome = await world.sign(event, "sara")
    assert isinstance(outcome, Refused)
    assert outcome.code == "state_changed"
    assert world.driver.done == []


async def test_a_changed_policy_makes_the_approval_unfit(world):
    event = await ask_for_the_door(world)
    await world.sign(event, "emil")
    await world.sql("update access_policies set presence_ttl = '10 minutes' where name = 'bay'")
    outcome = await world.sign(event, "sara")
    assert isinstance(outcome, Refused)
    assert outcome.code == "policy_changed"
    assert world.driver.done == []


async def test_presence_is_needed_when_asking_and_when_it_runs(world):
    await world.sql("delete from zone_presences")
    outcome = await world.gate.submit(world.proposal(world.act(UnlockDoor, "bay-door")))
    assert isinstance(outcome, Refused)
    assert outcome.code == "no_presence"
    await world.see("olga", "bay", world.clock() - timedelta(minutes=14))
    event = await ask_for_the_door(world)
    await world.sign(event, "emil")
    world.clock.pass_time(timedelta(seconds=90))
    outcome = await world.sign(event, "sara")
    assert isinstance(outcome, Refused)
    assert outcome.code == "no_presence"
    assert world.driver.done == []


@pytest.mark.parametrize(("age", "present"), [(899, True), (900, True), (901, False), (-1, False)])
async def test_presence_counts_within_its_time_to_live(world, age, present):
    await world.sql("delete from zone_presences")
    await world.see("olga", "bay", world.clock() - timedelta(seconds=age))
    outcome = await world.gate.submit(world.proposal(world.act(UnlockDoor, "bay-door")))
    assert isinstance(outcome, Pending) is present


async def test_low_hazard_wants_the_requesters_own_yes(world):
    asked = await world.gate.submit(world.proposal(world.act(SetScene, "floor-light", scene="dim")))
    assert isinstance(asked, Pending)
    assert asked.hazard is Hazard.LOW
    assert asked.needs == {Need.CONFIRMATION}
    refused = await world.gate.confirm(asked.event, world.users["emil"])
    assert isinstance(refused, Refused)
    assert refused.code == "not_requester"
    assert (await world.sign(asked.event, "emil")).code == "needs_confirmation"
    assert isinstance(await world.gate.confirm(asked.event, world.users["olga"]), Done)
    again = await world.gate.confirm(asked.event, world.users["olga"])
    assert again.code == "already_settled"
    assert len(world.driver.done) == 1


async def test_words_never_approve_a_high_hazard(world):
    event = await ask_for_the_door(world)
    outcome = await world.gate.confirm(event, world.users["olga"])
    assert isinstance(outcome, Refused)
    assert outcome.code == "needs_signature"


async def test_a_scene_in_a_high_zone_takes_the_zones_hazard(world):
    asked = await world.gate.submit(world.proposal(world.act(SetScene, "bay-light", scene="dim")))
    assert isinstance(asked, Pending)
    assert asked.hazard is Hazard.HIGH


async def test_untrusted_text_raises_a_light_to_a_confirmation_but_never_a_lock(world):
    light = world.proposal(world.act(SwitchLight, "floor-light", on=True), tainted=True)
    asked = await world.gate.submit(light)
    assert isinstance(asked, Pending)
    assert asked.hazard is Hazard.LOW
    lock = world.proposal(world.act(LockDoor, "bay-door"), tainted=True)
    assert isinstance(await world.gate.submit(lock), Done)


async def test_denied_by_a_person_or_withdrawn_it_never_runs(world):
    event = await ask_for_the_door(world)
    await world.sign(event, "emil")
    outcome = await world.gate.deny(event, world.users["sara"], "not today")
    assert isinstance(outcome, Refused)
    assert outcome.reason == "not today"
    assert isinstance(await world.sign(event, "sara"), Refused)
    other = await ask_for_the_door(world)
    assert (await world.gate.deny(other, world.users["olga"], "")).code == "withdrawn"
    assert world.driver.done == []


async def test_an_unrelated_operator_cannot_deny(world):
    await world.see("emil", "bay")
    asked = await world.gate.submit(world.proposal(world.act(UnlockDoor, "bay-door"), "emil"))
    outcome = await world.gate.deny(asked.event, world.users["olga"], "")
    assert outcome.code == "not_authorised"
    assert isinstance(await world.gate.standing(asked.event), Pending)


async def test_an_event_that_does_not_exist_is_refused_and_logged(world):
    ghost = EventId(uuid4())
    ring = world.keys["emil"]
    outcome = await world.gate.sign(
        ghost, ring.id, ring.sign(b"x" * 32), relayed_by=world.users["emil"].id
    )
    assert outcome.code == "unknown_event"
    assert (await world.gate.confirm(ghost, world.users["olga"])).code == "unknown_event"
    assert (await world.gate.deny(ghost, world.users["olga"], "")).code == "unknown_event"
    assert await world.log() == [("refused", "unknown_event")] * 3


async def test_the_same_proposal_key_never_acts_twice(world):
    key = uuid4()
    light = world.act(SwitchLight, "bay-light", on=True)
    outcomes = [await world.gate.submit(world.proposal(light, key=key)) for _ in range(3)]
    assert len(world.driver.done) == 1
    assert len({outcome.command for outcome in outcomes}) == 1
    door = uuid4()
    events = {
        (await world.gate.submit(world.proposal(world.act(UnlockDoor, "bay-door"), key=door))).event
        for _ in range(3)
    }
    assert len(events) == 1


async def test_a_repeated_proposal_of_something_done_is_not_refused_afterwards(world):
    key = uuid4()
    light = world.act(SwitchLight, "bay-light", on=True)
    await world.gate.submit(world.proposal(light, key=key))
    await world.sql("update devices set online_state = 'offline'")
    assert isinstance(await world.gate.submit(world.proposal(light, key=key)), Done)
    assert len(world.driver.done) == 1


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("update devices set online_state = 'offline'", "device_offline"),
        ("update devices set online_state = 'fault'", "device_fault"),
        ("update access_policies set active = false", "no_policy"),
        ("update devices set capabilities = '{\"intents\": []}'", "unsupported_intent"),
    ],
)
async def test_what_is_not_as_it_should_be_is_refused(world, change, code):
    await world.sql(change)
    outcome = await world.gate.submit(world.proposal(world.act(UnlockDoor, "bay-door")))
    assert isinstance(outcome, Refused)
    assert outcome.code == code
    assert world.driver.done == []
    assert (await world.log())[-1] == ("refused", code)


async def test_making_safe_works_on_a_device_that_seems_offline_and_without_policy(world):
    await world.sql("update devices set online_state = 'offline'")
    await world.sql("update access_policies set active = false")
    for action in (world.act(CutPower, "welder"), world.act(LockDoor, "bay-door")):
        assert isinstance(await world.gate.submit(world.proposal(action)), Done)


async def test_unknown_device_zone_action_and_missing_driver_are_refused(world):
    door = world.act(UnlockDoor, "bay-door")
    ghost = replace(door, device=uuid4())
    assert (await world.gate.submit(world.proposal(ghost))).code == "unknown_device"
    moved = replace(door, zone=world.zones["floor"])
    assert (await world.gate.submit(world.proposal(moved))).code == "wrong_zone"
    world.gate = world.new_gate(kinds=(SwitchLight,))
    assert (await world.gate.submit(world.proposal(door))).code == "no_driver"

    class Novel(Action):
        intent = "unlock"

    novel = Novel(device=door.device, zone=door.zone)
    assert (await world.gate.submit(world.proposal(novel))).code == "unknown_action"
    assert world.driver.done == []


async def test_limits_of_the_machine_are_kept_before_anybody_is_asked(world):
    hot = world.act(SetTemperature, "mk4", part=HeatedPart.NOZZLE, celsius=300)
    outcome = await world.gate.submit(world.proposal(hot))
    assert outcome.code == "beyond_device_limits"
    assert "290 °C" in outcome.reason


async def test_a_lost_answer_is_unknown_and_told_when_the_device_says_so(world):
    world.driver.answer = lambda _permit: NoAnswer()
    outcome = await world.gate.submit(world.proposal(world.act(SwitchLight, "bay-light", on=True)))
    assert isinstance(outcome, Unknown)
    assert await world.sql("select status, outcome, failure_code from device_commands") == [
        ("failed", "unknown", "ack_timeout")
    ]


async def test_a_lost_answer_is_done_when_the_state_shows_the_command(world):
    async def shows() -> None:
        await world.sql(
            "update devices set commanded = (select jsonb_agg(id::text) from device_commands)"
        )

    world.driver.before = shows
    world.driver.answer = lambda _permit: NoAnswer()
    outcome = await world.gate.submit(world.proposal(world.act(SwitchLight, "bay-light", on=True)))
    assert isinstance(outcome, Done)


async def test_a_device_that_refuses_is_failed_and_its_event_too(world):
    world.driver.answer = lambda _permit: Rejected(code="busy", detail="door is blocked")
    event = await ask_for_the_door(world)
    await world.sign(event, "emil")
    outcome = await world.sign(event, "sara")
    assert isinstance(outcome, Failed)
    assert await world.sql("select status, outcome from safety_events") == [("approved", "failed")]
    assert isinstance(await world.gate.standing(event), Failed)


async def test_sixteen_people_pressing_at_once_open_the_door_once(world):
    event = await ask_for_the_door(world)
    await world.sign(event, "emil")
    outcomes = await asyncio.gather(*(world.sign(event, "sara") for _ in range(16)))
    assert len(world.driver.done) == 1
    assert sum(isinstance(each, Done) for each in outcomes) >= 1


async def test_the_stored_action_runs_not_what_somebody_wrote_over_it(world):
    event = await ask_for_the_door(world)
    await world.sign(event, "emil")
    await world.sql("alter table safety_events disable trigger all")
    await world.sql("""update safety_events set action = '{"seconds": 60}'""")
    await world.sql("alter table safety_events enable trigger all")
    outcome = await world.sign(event, "sara")
    assert isinstance(outcome, Refused)
    assert outcome.code == "tampered"
    assert world.driver.done == []


async def test_what_is_signed_says_everything_that_matters(world):
    event = await ask_for_the_door(world)
    stored = await world.ledger.event(event)
    document = parse(stored.canonical)
    assert document["action"] == {
        "kind": "UnlockDoor",
        "intent": "unlock",
        "arguments": {"seconds": 10},
    }
    assert document["requester"]["handle"] == "olga"
    assert document["quorum"] == 2
    assert document["ppe"] == ["helmet"]
    assert document["device_state"] == {"locked": True}
    assert document["policy"]["version"] == 1
    assert canonical(document) == stored.canonical


async def test_gcode_is_high_and_signed_letter_by_letter(world):
    asked = await world.gate.submit(world.proposal(world.act(SendGcode, "mk4", gcode="M104 S200")))
    assert isinstance(asked, Pending)
    assert asked.hazard is Hazard.HIGH
    stored = await world.ledger.event(asked.event)
    assert parse(stored.canonical)["action"]["arguments"] == {"gcode": "M104 S200"}


async def test_after_a_crash_between_approval_and_claim_it_runs_once(world):
    event = await ask_for_the_door(world)
    await world.sign(event, "emil")

    class CrashError(Exception):
        pass

    async def killed(*_args):
        raise CrashError

    stored = await world.ledger.event(event)
    real = world.ledger.claim
    world.ledger.claim = killed
    with pytest.raises(CrashError):
        await world.sign(event, "sara")
    world.ledger.claim = real
    assert stored is not None
    assert world.driver.done == []
    world.gate = world.new_gate()
    await world.gate.recover()
    await world.gate.recover()
    assert len(world.driver.done) == 1
    assert isinstance(await world.gate.standing(event), Done)


async def test_after_a_crash_past_the_end_an_approved_event_never_runs(world):
    event = await ask_for_the_door(world)
    await world.sign(event, "emil")

    async def killed(*_args):
        raise KeyboardInterrupt

    real, world.ledger.claim = world.ledger.claim, killed
    with pytest.raises(KeyboardInterrupt):
        await world.sign(event, "sara")
    world.ledger.claim = real
    world.clock.pass_time(timedelta(seconds=301))
    world.gate = world.new_gate()
    await world.gate.recover()
    assert world.driver.done == []
    assert isinstance(await world.gate.standing(event), Refused)


async def test_a_command_found_after_its_deadline_is_not_sent(world):
    crashed = False

    async def die() -> None:
        nonlocal crashed
        crashed = True
        raise KeyboardInterrupt

    world.driver.before = die
    with pytest.raises(KeyboardInterrupt):
        await world.gate.submit(world.proposal(world.act(SwitchLight, "bay-light", on=True)))
    assert crashed
    world.driver.before = None
    world.clock.pass_time(timedelta(seconds=60))
    (outcome,) = await world.new_gate().recover()
    assert isinstance(outcome, Unknown)
    assert world.driver.done == []
