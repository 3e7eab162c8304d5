"""The tools' ports against a real PostgreSQL."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from time import process_time
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from fakes.desk import make_user
from fakes.rows import HOUR, NOW, Row, Rows
from psycopg.types.json import Jsonb

from infra.db import StorePool
from infra.store.desk_approvals import PostgresApprovals, missing
from infra.store.desk_lab import PostgresLab
from infra.store.desk_memories import PostgresMemories
from infra.store.desk_printing import PostgresPrinting
from infra.store.desk_record import PostgresRecord
from safety.entities import (
    ConversationId,
    DeviceId,
    DeviceKind,
    EventId,
    OnlineState,
    RequestId,
    Role,
    User,
    UserId,
    ZoneId,
)
from safety.policy import Need
from tools.desk import RecordEntry

pytestmark = pytest.mark.anyio
MINUTE = timedelta(minutes=1)


@pytest.fixture
def rows(database: str) -> Iterator[Rows]:
    with psycopg.connect(database, autocommit=True) as connection:
        yield Rows(connection)


@pytest.fixture
def lab(pool: StorePool) -> PostgresLab:
    async def snapshot_at(device: UUID) -> datetime | None:
        return NOW if device.int % 2 else None

    return PostgresLab(pool, snapshot_at)


def person(row: Row) -> User:
    return User(
        id=UserId(row["id"]),
        display_name=row["display_name"],
        handle=row["handle"],
        roles=frozenset(map(Role, row["roles"])),
    )


# -- the lab ----------------------------------------------------------------------------------


async def test_a_device_is_told_with_its_zone_names_and_state(lab: PostgresLab, rows: Rows) -> None:
    zone = rows.zone(name="Farm", slug="farm", aliases=["hall"], hazard_level="medium")
    row = rows.device(
        name="Giga",
        external_id="giga",
        aliases=["big printer"],
        kind="printer",
        zone_id=zone["id"],
        capabilities={"intents": ["abort_print"], "nozzle_max_c": 300},
        online_state="fault",
        last_seen=NOW,
        state={"status": "printing"},
        state_at=NOW - MINUTE,
        fault="jam",
    )
    (view,) = await lab.devices()
    assert (view.device.name, view.aliases, view.fault) == ("Giga", ("big printer",), "jam")
    assert view.device.intents == {"abort_print"}
    assert view.device.online_state is OnlineState.FAULT
    assert (view.device.last_seen, view.state_at) == (NOW, NOW - MINUTE)
    assert view.state == {"status": "printing"}
    assert (view.zone.name, view.zone.slug, view.zone.hazard_level) == ("Farm", "farm", "medium")
    assert await lab.device(DeviceId(row["id"])) == view
    assert await lab.device(DeviceId(uuid4())) is None
    (place,) = await lab.zones()
    assert (place.zone, place.aliases) == (view.zone, ("hall",))


async def test_devices_are_narrowed_and_ordered(lab: PostgresLab, rows: Rows) -> None:
    north, south = rows.zone(name="North"), rows.zone(name="South")
    for zone, kind, name in (
        (south, "light", "A"),
        (north, "light", "C"),
        (north, "door", "B"),
        (north, "light", "B"),
    ):
        rows.device(zone_id=zone["id"], kind=kind, name=name)
    names = [(view.zone.name, view.device.name) for view in await lab.devices()]
    assert names == [("North", "B"), ("North", "B"), ("North", "C"), ("South", "A")]
    here = ZoneId(north["id"])
    lights = await lab.devices(kind=DeviceKind.LIGHT, zone=here)
    assert [view.device.name for view in lights] == ["B", "C"]
    assert await lab.devices(zone=ZoneId(uuid4())) == []


async def test_ten_thousand_devices_are_read_fast(lab: PostgresLab, rows: Rows) -> None:
    zone = rows.zone()["id"]
    rows.connection.execute(
        """insert into devices (id, external_id, name, kind, zone_id, capabilities, state)
           select gen_random_uuid(), 'd-' || n, 'Light ' || n, 'light', %s,
                  '{"intents": ["switch", "set_scene"], "scenes": ["work", "evening"]}',
                  jsonb_build_object('on', n %% 2 = 0, 'scene', null)
           from generate_series(1, 10000) n""",
        (zone,),
    )
    await lab.zones()
    start = process_time()
    views = await lab.devices()
    spent = process_time() - start
    assert len(views) == 10_000
    # Against plain reading of the same bytes, so that a slow machine does not matter.
    start = process_time()
    plain = rows.connection.execute("select * from devices").fetchall()
    reference = process_time() - start
    assert len(plain) == 10_000
    assert spent < 3 * reference


async def test_one_device_is_read_by_its_key(lab: PostgresLab, rows: Rows) -> None:
    row = rows.device()
    plan = rows.connection.execute(
        "explain (format json) select 1 from devices where id = %s", (row["id"],)
    ).fetchone()
    assert plan is not None
    found = await lab.device(DeviceId(row["id"]))
    assert found is not None
    assert found.device.external_id == row["external_id"]


async def test_the_picture_is_asked_of_whoever_keeps_it(lab: PostgresLab) -> None:
    assert await lab.snapshot_at(UUID(int=1)) == NOW
    assert await lab.snapshot_at(UUID(int=2)) is None


# -- who is where -----------------------------------------------------------------------------


async def who(lab: PostgresLab, zone: Row, now: datetime = NOW) -> list[str]:
    return [each.user.display_name for each in await lab.present(ZoneId(zone["id"]), now=now)]


async def test_presence_lasts_as_long_as_the_zone_says(lab: PostgresLab, rows: Rows) -> None:
    strict, plain = rows.zone(), rows.zone()
    rows.policy(zone_id=strict["id"], presence_ttl=timedelta(minutes=5))
    for zone in (strict, plain):
        for minutes in (0, 5, 6, 15, 16):
            user = rows.user(display_name=f"{minutes} min")
            rows.presence(
                zone_id=zone["id"], user_id=user["id"], observed_at=NOW - minutes * MINUTE
            )
    assert await who(lab, strict) == ["0 min", "5 min"]
    assert await who(lab, plain) == ["0 min", "5 min", "6 min", "15 min"]


async def test_a_sighting_counts_in_its_zone_until_another_one_there(
    lab: PostgresLab, rows: Rows
) -> None:
    here, there = rows.zone(), rows.zone()
    user = rows.user(display_name="Ada")["id"]

    def seen(zone: Row, minutes: int, status: str = "present") -> None:
        rows.presence(
            zone_id=zone["id"], user_id=user, status=status, observed_at=NOW - minutes * MINUTE
        )

    seen(here, 9)
    seen(there, 8)
    assert (await who(lab, here), await who(lab, there)) == (["Ada"], ["Ada"])
    seen(here, 6, "vacated")
    assert (await who(lab, here), await who(lab, there)) == ([], ["Ada"])
    seen(here, 5)
    assert await who(lab, here) == ["Ada"]
    assert await who(lab, here, now=NOW - 10 * MINUTE) == []


# -- jobs -------------------------------------------------------------------------------------


async def test_jobs_come_newest_first_with_what_they_are_for(pool: StorePool, rows: Rows) -> None:
    printing = PostgresPrinting(pool)
    plain = {"hazardous_material": False}
    rows.job(name="old", device_id=None, metadata=plain, created_at=NOW - HOUR)
    rows.job(
        name="new",
        device_id=None,
        metadata=plain | {"technology": "Laser", "printers": ["giga", "mk4"]},
        gcode_sha256="ab" * 32,
        material="PLA",
        estimated_seconds=60,
        created_at=NOW,
    )
    new, old = await printing.jobs()
    assert (new.name, new.technology, new.printers) == ("new", "laser", ("giga", "mk4"))
    assert (new.gcode_sha256, new.material, new.estimated_seconds) == ("ab" * 32, "PLA", 60)
    assert (old.technology, old.printers, old.gcode_sha256) == ("", (), "")
    assert [job.name for job in await printing.jobs(limit=1)] == ["new"]
    assert len(await printing.jobs(status="preparing")) == 2
    assert await printing.jobs(status="printing") == []


# -- approvals --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("needs", "signatures", "confirmed", "left"),
    [
        ({Need.CONFIRMATION}, 0, False, (Need.CONFIRMATION,)),
        ({Need.CONFIRMATION}, 0, True, ()),
        ({Need.SIGNATURE}, 0, False, (Need.SIGNATURE,)),
        ({Need.SIGNATURE}, 1, False, ()),
        ({Need.SIGNATURE, Need.SECOND_SIGNATURE}, 0, False, tuple(Need)[1:]),
        ({Need.SIGNATURE, Need.SECOND_SIGNATURE}, 1, False, (Need.SECOND_SIGNATURE,)),
        ({Need.SIGNATURE, Need.SECOND_SIGNATURE}, 2, False, ()),
        ({Need.SECOND_SIGNATURE}, 1, False, (Need.SECOND_SIGNATURE,)),
    ],
)
def test_what_is_missing_shrinks_with_every_signature(
    needs: set[Need], signatures: int, confirmed: bool, left: tuple[Need, ...]
) -> None:
    assert missing(frozenset(needs), signatures=signatures, confirmed=confirmed) == left


async def test_a_request_is_told_from_the_stored_action(pool: StorePool, rows: Rows) -> None:
    told: list[tuple[EventId, User]] = []

    async def withdraw(event: EventId, user: User) -> str | None:
        told.append((event, user))
        return "settled already"

    approvals = PostgresApprovals(pool, withdraw)
    zone = rows.zone(name="Welding bay")
    policy = rows.policy(zone_id=zone["id"])
    door = rows.device(name="Welding bay door", kind="door", zone_id=zone["id"])
    asker = rows.user(display_name="Olga")
    event = rows.event(
        initiated_by=asker["id"],
        device_id=door["id"],
        zone_id=zone["id"],
        policy_id=policy["id"],
        action={"seconds": 10},
        needs=["signature", "second_signature"],
    )
    later = rows.event(initiated_by=asker["id"], created_at=NOW + MINUTE, action_kind="Unheard")
    first, second = await approvals.pending()
    assert first.what == "unlock the Welding bay door for 10 seconds"
    assert (first.requested_by.display_name, first.hazard) == ("Olga", "high")
    assert first.needs == (
        "the signature of an authorised person",
        "the signature of a second person",
    )
    assert second.what == "do 'Unheard' on a device"
    signer = rows.user(display_name="Sam", roles=["safety"])
    rows.sign(event, signer)
    view = await approvals.get(EventId(event["id"]))
    assert view is not None
    assert (view.signed_by, view.needs) == (("Sam",), ("the signature of a second person",))
    lost = rows.sign(event, rows.user(display_name="Tom", roles=["safety"]))
    rows.connection.execute(
        "update public_keys set revoked_at = %s where id = %s", (NOW, lost["key_id"])
    )
    view = await approvals.get(EventId(event["id"]))
    assert view is not None
    assert view.signed_by == ("Sam",)
    rows.update(
        "safety_events",
        event,
        status="denied",
        reason_code="denied",
        reason="No.",
        resolved_at=NOW + MINUTE,
    )
    assert [each.event for each in await approvals.pending()] == [later["id"]]
    assert [each.event for each in await approvals.recent()] == [later["id"], event["id"]]
    assert [each.event for each in await approvals.recent(limit=1)] == [later["id"]]
    view = await approvals.get(EventId(event["id"]))
    assert view is not None
    assert (view.status, view.reason, view.needs) == ("denied", "No.", ())
    assert await approvals.get(EventId(uuid4())) is None
    user = person(asker)
    assert await approvals.withdraw(EventId(event["id"]), user) == "settled already"
    assert told == [(event["id"], user)]


# -- the record -------------------------------------------------------------------------------


async def told(pool: StorePool, about: str | None = None) -> list[RecordEntry]:
    window = {"since": NOW - HOUR, "until": NOW + HOUR}
    return list(await PostgresRecord(pool).entries(**window, about=about))


def log(rows: Rows, verdict: str, **over: Any) -> None:
    values = {"at": NOW, "verdict": verdict, "reason_code": "", "detail": Jsonb({})}
    values |= over
    columns = ", ".join(values)
    marks = ", ".join(f"%({name})s" for name in values)
    rows.connection.execute(f"insert into gate_log ({columns}) values ({marks})", values)


async def test_a_command_is_told_with_what_came_of_it(pool: StorePool, rows: Rows) -> None:
    lamp = rows.device(name="Bench lamp")
    olga = rows.user(display_name="Olga")
    common = {"device_id": lamp["id"], "requested_by": olga["id"], "deadline": NOW + HOUR}
    command = rows.command(**common)
    (entry,) = await told(pool)
    assert entry.text == "Olga: turn on the Bench lamp – under way, no answer yet."
    assert (entry.id, entry.kind) == (str(command["id"]), "command")
    assert (entry.device, entry.zone, entry.user) == ("Bench lamp", "Bay", "Olga")
    rows.update("device_commands", command, status="sent", sent_at=NOW)
    failed = {"status": "failed", "outcome": "unknown", "failure_code": "no_answer"}
    rows.update("device_commands", command, **failed, closed_at=NOW)
    (entry,) = await told(pool)
    assert entry.text == (
        "Olga: turn on the Bench lamp – sent, but no answer came;"
        " nobody knows whether it happened (no_answer)."
    )
    rows.update("device_commands", command, outcome="done", late_ack_at=NOW)
    (entry,) = await told(pool)
    assert entry.text == "Olga: turn on the Bench lamp – done."


async def test_the_gates_decisions_are_told(pool: StorePool, rows: Rows) -> None:
    zone = rows.zone(name="Welding bay")
    door = rows.device(name="Welding bay door", kind="door", zone_id=zone["id"])
    olga, sam = rows.user(display_name="Olga"), rows.user(display_name="Sam")
    event = rows.event(
        initiated_by=olga["id"], device_id=door["id"], zone_id=zone["id"], action={"seconds": 10}
    )
    about = {"event_id": event["id"], "device_id": door["id"], "action_kind": "UnlockDoor"}
    log(rows, "waits", **about, actor=olga["id"])
    log(rows, "signed", **about, actor=sam["id"], at=NOW + MINUTE)
    log(rows, "claimed", **about, actor=olga["id"], at=NOW + 2 * MINUTE)
    log(
        rows,
        "denied",
        **about,
        actor=sam["id"],
        at=NOW + 3 * MINUTE,
        detail=Jsonb({"reason": "Sam said no."}),
    )
    log(
        rows,
        "refused",
        action_kind="EnablePower",
        device_id=door["id"],
        actor=olga["id"],
        reason_code="no_presence",
        at=NOW + 4 * MINUTE,
    )
    log(rows, "refused", reason_code="unknown_event", at=NOW + 5 * MINUTE)
    entries = await told(pool)
    what = "unlock the Welding bay door for 10 seconds"
    assert [(each.kind, each.text) for each in entries] == [
        ("denial", "The request to do something unknown was refused. unknown_event"),
        ("denial", "The request to give power to the Welding bay door was refused. no_presence"),
        ("denial", f"The request to {what} was denied. Sam said no."),
        ("approval", f"Sam signed the request to {what}."),
        ("approval", f"Olga asked for approval to {what}."),
    ]
    assert {each.id for each in entries[2:]} == {str(event["id"])}
    assert all(each.id.startswith("gate-log-") for each in entries[:2])


async def test_prints_devices_and_escalations_are_told(pool: StorePool, rows: Rows) -> None:
    giga = rows.device(
        name="Giga", kind="printer", online_state="offline", last_seen=NOW - 2 * MINUTE
    )
    job = rows.job(name="hinge", device_id=giga["id"], metadata={"hazardous_material": False})
    rows.update("fabrication_jobs", job, status="printing", started_at=NOW - MINUTE)
    rows.update("fabrication_jobs", job, status="failed", completed_at=NOW, error="nozzle clogged")
    rows.print_event(
        fabrication_job_id=job["id"],
        event_type="nozzle_clog",
        confidence=0.87,
        snapshot_key="a.png",
        occurred_at=NOW - MINUTE / 2,
    )
    rows.decision(created_at=NOW - 3 * MINUTE)
    rows.decision(
        created_at=NOW - 4 * MINUTE, selected_tier="frontier", escalation_reason="not understood"
    )
    assert [(each.kind, each.text) for each in await told(pool)] == [
        ("print", "The print hinge on Giga failed: nozzle clogged."),
        ("print", "The print hinge on Giga looks as if the nozzle is clogged, 87 % sure."),
        ("print", "The print hinge on Giga started."),
        ("device", "Giga was heard for the last time; it is offline."),
        ("routing", "A request of nobody known went to the frontier tier: not understood."),
    ]


@pytest.mark.parametrize(
    ("about", "count"),
    [
        (None, 2),
        ("bench lamp", 1),
        ("WORKBENCH", 1),
        ("Olga", 1),
        ("Ada", 1),
        ("command", 2),
        ("100%", 0),
        ("_", 0),
        ("\\", 0),
    ],
)
async def test_the_record_is_narrowed_by_name_or_word(
    pool: StorePool, rows: Rows, about: str | None, count: int
) -> None:
    lamp = rows.device(name="Bench lamp", aliases=["workbench"])
    rows.command(device_id=lamp["id"], requested_by=rows.user(display_name="Olga")["id"])
    rows.command()
    assert len(await told(pool, about)) == count


async def test_the_record_keeps_to_its_window_and_limit(pool: StorePool, rows: Rows) -> None:
    device, user = rows.device()["id"], rows.user()["id"]
    for minutes in range(5):
        at = NOW + minutes * MINUTE
        rows.command(device_id=device, requested_by=user, created_at=at, deadline=at + HOUR)
    record = PostgresRecord(pool)
    window = {"since": NOW + MINUTE, "until": NOW + 3 * MINUTE, "about": None}
    assert [each.at for each in await record.entries(**window)] == [
        NOW + 3 * MINUTE,
        NOW + 2 * MINUTE,
        NOW + MINUTE,
    ]
    assert len(await record.entries(**window, limit=2)) == 2


async def test_the_decision_before_this_one_is_found(pool: StorePool, rows: Rows) -> None:
    record = PostgresRecord(pool)
    talk = rows.conversation()["id"]
    first, second, third = (
        rows.decision(
            conversation_id=talk, created_at=NOW + n * MINUTE, rule=f"rule {n}", cost_estimate=0.25
        )
        for n in range(3)
    )
    before = RequestId(second["request_id"])
    found = await record.decision(request=None, conversation=ConversationId(talk), before=before)
    assert found is not None
    assert (found.id, found.rule, found.cost_estimate) == (first["id"], "rule 0", 0.25)
    for by in (third["id"], third["request_id"]):
        found = await record.decision(request=by, conversation=None, before=before)
        assert found is not None
        assert found.id == third["id"]
    assert await record.decision(request=uuid4(), conversation=None, before=None) is None
    assert await record.decision(request=None, conversation=None, before=before) is None
    found = await record.decision(
        request=None, conversation=ConversationId(talk), before=RequestId(first["request_id"])
    )
    assert found is None


# -- notes ------------------------------------------------------------------------------------


async def test_notes_belong_to_one_person(pool: StorePool, rows: Rows) -> None:
    memories = PostgresMemories(pool, uuid4)
    ada, bo = person(rows.user()), person(rows.user(display_name="Bo"))
    key = await memories.add(ada, "The key is in drawer 3", now=NOW)
    await memories.add(ada, "50% infill is enough", now=NOW + MINUTE)
    other = await memories.add(bo, "The key is mine", now=NOW)
    assert (await memories.add(ada, key.text, now=NOW + HOUR)).id == key.id
    texts = [each.text for each in await memories.search(ada, None)]
    assert texts == ["50% infill is enough", "The key is in drawer 3"]
    assert await memories.search(ada, " KEY ") == [key]
    assert [each.text for each in await memories.search(ada, "50%")] == ["50% infill is enough"]
    assert await memories.search(ada, "5_%") == []
    assert len(await memories.search(ada, None, limit=1)) == 1
    assert await memories.search(make_user("nobody"), None) == []
    assert await memories.remove(ada, [key.id, other.id, uuid4()]) == 1
    assert await memories.search(bo, "key") == [other]
    assert await memories.search(ada, "key") == []
