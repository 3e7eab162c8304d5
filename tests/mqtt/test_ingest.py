"""From a device's message over a real broker to a row in a real database."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from fakes.rows import Row, Rows

from infra import clock
from infra.db import StorePool
from infra.ingest import Ingest
from infra.mqtt import Bus
from tests.mqtt.conftest import WITHIN, Changes, Opener, settings_for

pytestmark = pytest.mark.anyio
PNG = b"\x89PNG\r\n\x1a\n" + b"picture"
WILL = {"v": 1, "online": False, "fault": None, "at": None, "state": {}, "commands": []}


class Lab:
    """A store, a broker, an ingest and somebody who speaks for all devices."""

    def __init__(self, rows: Rows, pool: StorePool, opener: Opener, changes: Changes) -> None:
        self.rows = rows
        self.pool = pool
        self.opener = opener
        self.changes = changes
        self.ahead = timedelta()
        self.told: list[UUID] = []
        self.jobs: list[UUID] = []
        self.voice = opener.device("voice")
        self.bus = opener.kitty()
        self.ingest = self.ingest_on(self.bus)

    def ingest_on(self, bus: Bus) -> Ingest:
        ingest = Ingest(bus=bus, pool=self.pool, now=self.now)
        ingest.on_device_change(self.told.append)
        ingest.on_job_change(self.jobs.append)
        return ingest

    def now(self) -> datetime:
        return clock.now() + self.ahead

    def device(self, external_id: str, kind: str = "light", **more: Any) -> Row:
        return self.rows.device(external_id=external_id, kind=kind, **more)

    async def say(self, device: str, leaf: str, *, retain: bool = False, **fields: Any) -> None:
        body = {"v": 1, "at": self.now().isoformat()} | fields
        await self.voice.publish(
            f"kitty/devices/{device}/{leaf}", json.dumps(body).encode(), retain=retain
        )

    async def state(self, device: str, /, *, retain: bool = False, **state: Any) -> None:
        await self.say(device, "state", retain=retain, online=True, state=state, fault=None)

    async def until(self, row: Row, **wanted: Any) -> Row:
        """Wait until the device's row has these values."""

        def so() -> bool:
            now = self.rows.get("devices", row)
            return all(now[name] == value for name, value in wanted.items())

        await self.changes.until(so)
        return self.rows.get("devices", row)

    async def until_job(self, row: Row, **wanted: Any) -> Row:
        def so() -> bool:
            now = self.rows.get("fabrication_jobs", row)
            return all(now[name] == value for name, value in wanted.items())

        await self.changes.until(so)
        return self.rows.get("fabrication_jobs", row)

    def count(self, table: str) -> int:
        found = self.rows.connection.execute(f"select count(*) from {table}").fetchone()
        return found[0]


@pytest.fixture
async def lab(
    pool: StorePool, database: str, opener: Opener, changes: Changes
) -> AsyncIterator[Lab]:
    with psycopg.connect(database, autocommit=True) as connection:
        made = Lab(Rows(connection), pool, opener, changes)
        await opener.open(made.voice)
        await opener.open(made.bus)
        yield made
        assert made.bus.failures == 0


async def test_a_state_reaches_its_row_and_the_listeners(lab: Lab) -> None:
    lamp = lab.device("lamp")
    done = str(uuid4())
    await lab.say("lamp", "state", online=True, fault=None, state={"on": True}, commands=[done])
    row = await lab.until(lamp, online_state="online", state={"on": True}, commanded=[done])
    assert abs(row["last_seen"] - lab.now()) < timedelta(seconds=10)
    assert row["state_at"] <= row["last_seen"]
    await lab.changes.until(lambda: lab.told == [lamp["id"]])
    await lab.state("lamp", on=True)
    await lab.state("lamp", on=False)
    await lab.until(lamp, state={"on": False})
    await lab.changes.until(lambda: len(lab.told) == 2)


async def test_a_fault_is_shown(lab: Lab) -> None:
    lamp = lab.device("lamp")
    await lab.say("lamp", "state", online=True, fault="lamp broken", state={"on": False})
    await lab.until(lamp, online_state="fault", fault="lamp broken")
    await lab.state("lamp", on=False)
    await lab.until(lamp, online_state="online", fault=None)


async def test_a_last_will_says_offline_and_keeps_what_was(lab: Lab) -> None:
    lamp = lab.device("lamp")
    bulb = Bus(settings_for(lab.opener.broker, "bulb", login=lab.opener.broker.devices))
    bulb._connection._client.will_set(
        "kitty/devices/lamp/state", json.dumps(WILL), qos=1, retain=True
    )
    await lab.opener.open(bulb)
    await lab.state("lamp", on=True)
    await lab.until(lamp, online_state="online")
    before = lab.rows.get("devices", lamp)
    bulb._connection.cut()
    after = await lab.until(lamp, online_state="offline")
    assert after["state"] == {"on": True}
    assert after["last_seen"] == before["last_seen"]
    assert await bulb.ready(WITHIN)


async def test_silence_says_offline_and_a_sign_of_life_online(lab: Lab) -> None:
    lamp = lab.device("lamp", silent_after=timedelta(seconds=30))
    await lab.state("lamp", on=True)
    await lab.until(lamp, online_state="online")
    await lab.ingest.sweep(lab.now() + timedelta(seconds=25))
    assert lab.rows.get("devices", lamp)["online_state"] == "online"
    lab.told.clear()
    lab.ahead = timedelta(seconds=35)
    await lab.ingest.sweep(lab.now())
    assert lab.rows.get("devices", lamp)["online_state"] == "offline"
    assert lab.told == [lamp["id"]]
    await lab.say("lamp", "telemetry", values={"watts": 4})
    await lab.until(lamp, online_state="online")
    await lab.changes.until(lambda: lab.told == [lamp["id"]] * 2)


async def test_a_sign_of_life_does_not_undo_a_last_will(lab: Lab) -> None:
    lamp = lab.device("lamp")
    await lab.state("lamp", on=True)
    await lab.until(lamp, online_state="online")
    await lab.voice.publish("kitty/devices/lamp/state", json.dumps(WILL).encode())
    await lab.until(lamp, online_state="offline")
    await lab.say("lamp", "telemetry", values={})
    await lab.changes.until(lambda: lab.ingest.counters.telemetry == 1)
    assert lab.rows.get("devices", lamp)["online_state"] == "offline"


async def test_a_repetition_from_before_changes_nothing(lab: Lab) -> None:
    lamp = lab.device("lamp")
    earlier = (lab.now() - timedelta(seconds=5)).isoformat()
    await lab.state("lamp", on=True)
    await lab.until(lamp, state={"on": True})
    await lab.say("lamp", "state", at=earlier, online=True, state={"on": False})
    await lab.changes.until(lambda: lab.ingest.counters.states == 2)
    assert lab.rows.get("devices", lamp)["state"] == {"on": True}


async def test_a_clock_that_runs_ahead_does_not_block_what_follows(lab: Lab) -> None:
    lamp = lab.device("lamp")
    tomorrow = (lab.now() + timedelta(days=1)).isoformat()
    await lab.say("lamp", "state", at=tomorrow, online=True, state={"on": True})
    row = await lab.until(lamp, state={"on": True})
    assert row["state_at"] <= lab.now()
    await lab.state("lamp", on=False)
    await lab.until(lamp, state={"on": False})


async def test_two_thousand_measurements_in_batches(lab: Lab) -> None:
    for number in range(20):
        lab.device(f"s{number}", "sensor")
    at = lab.now().isoformat()

    async def measure(number: int) -> None:
        await lab.say(f"s{number % 20}", "telemetry", at=at, values={"n": number})

    for start in range(0, 2000, 200):
        await asyncio.gather(*(measure(number) for number in range(start, start + 200)))
    await lab.changes.until(lambda: lab.ingest.counters.telemetry == 2000)
    assert lab.count("telemetry_events") == 2000
    assert lab.ingest.counters.batches <= 60


async def test_the_same_measurement_twice_is_one_row(lab: Lab) -> None:
    lab.device("s", "sensor")
    at = lab.now().isoformat()
    for _ in range(3):
        for number in range(10):
            await lab.say("s", "telemetry", at=at, values={"n": number})
    await lab.changes.until(lambda: lab.ingest.counters.telemetry >= 30)
    assert lab.count("telemetry_events") == 10


async def test_one_bad_measurement_spoils_nothing(lab: Lab) -> None:
    lab.device("s", "sensor")
    topic = "kitty/devices/s/telemetry"
    at = lab.now().isoformat()
    # Small on the wire, over 64 KB as the database writes it (and refuses it).
    swollen = {"v": 1, "at": at, "values": {"n": [int("1" + "0" * 300)] * 300}}
    small = json.dumps(swollen).replace("1" + "0" * 300, "1e300")
    await asyncio.gather(
        lab.say("s", "telemetry", values={"n": 1}),
        lab.voice.publish(topic, small.encode()),
        lab.voice.publish(topic, b'{"v":1,"at":"%s","values":{"n":NaN}}' % at.encode()),
        lab.voice.publish(topic, b'{"v":1,"v":1}'),
        lab.voice.publish(topic, b"\x00\xff"),
        lab.say("s", "telemetry", values={"n": 2}),
    )
    await lab.changes.until(
        lambda: (lab.ingest.counters.telemetry, lab.ingest.counters.refused) == (2, 4)
    )
    assert lab.count("telemetry_events") == 2


async def test_65_537_bytes_are_refused(lab: Lab) -> None:
    lab.device("s", "sensor")
    head = b'{"v":1,"at":"%s","values":{"n":"' % lab.now().isoformat().encode()
    await lab.voice.publish(
        "kitty/devices/s/telemetry", head + b"x" * (65_537 - len(head) - 3) + b'"}}'
    )
    await lab.changes.until(lambda: lab.ingest.counters.refused == 1)
    assert lab.count("telemetry_events") == 0


async def test_strangers_are_counted_and_dropped(lab: Lab) -> None:
    lamp = lab.device("lamp")
    for _ in range(3):
        await lab.state("ghost", on=True)
        await lab.say("ghost", "telemetry", values={})
    await lab.state("lamp", on=True)
    await lab.until(lamp, online_state="online")
    await lab.changes.until(lambda: lab.ingest.counters.unknown_device == 6)
    assert lab.ingest._strangers == {"ghost"}
    assert lab.count("telemetry_events") == 0


async def test_the_store_may_go_away_in_the_middle_of_a_write(lab: Lab) -> None:
    lab.device("s", "sensor")
    stuck = "from pg_locks where relation = 'telemetry_events'::regclass and not granted"

    def writing() -> bool:
        found = lab.rows.connection.execute(f"select count(*) {stuck}").fetchone()
        return found[0] == 1

    for number in range(3):
        with lab.rows.connection.transaction():
            lab.rows.connection.execute("lock table telemetry_events in exclusive mode")
            await lab.say("s", "telemetry", values={"n": number})
            await lab.changes.until(writing)
            lab.rows.connection.execute(f"select pg_terminate_backend(pid) {stuck}")
            await lab.changes.until(lambda: not writing())
    await lab.changes.until(lambda: lab.count("telemetry_events") == 3)


async def test_what_was_not_committed_comes_again(lab: Lab) -> None:
    """The process ends while the commit waits: the next one gets the measurement."""
    lab.device("s", "sensor")
    first = lab.opener.kitty("other", close_within=timedelta())
    doomed = lab.ingest_on(first)
    await lab.bus.__aexit__(None, None, None)
    with lab.rows.connection.transaction():
        lab.rows.connection.execute("lock table telemetry_events in exclusive mode")
        async with first:
            assert await first.ready(WITHIN)
            await lab.say("s", "telemetry", values={"n": 1})
            await lab.changes.until(lambda: first.counters.received == 1 and first.backlog == 0)
    assert doomed.counters.telemetry == 0
    second = lab.opener.kitty("other")
    survivor = lab.ingest_on(second)
    await lab.opener.open(second)
    await lab.changes.until(lambda: survivor.counters.telemetry == 1)
    assert lab.count("telemetry_events") == 1


async def test_presence_is_recorded_once(lab: Lab) -> None:
    zone = lab.rows.zone(slug="welding-bay")
    ada = lab.rows.user(handle="ada")
    seen = {"v": 1, "user": "ada", "status": "present", "source": "unifi"}
    at = {"observed_at": lab.now().isoformat()}
    future = {"observed_at": (lab.now() + timedelta(seconds=70)).isoformat()}
    for topic, more in (
        ("welding-bay", at),
        ("welding-bay", at),
        ("nowhere", at),
        ("welding-bay", at | {"user": "bob"}),
        ("welding-bay", future),
        ("welding-bay", at | {"status": "dancing"}),
    ):
        await lab.voice.publish(f"kitty/presence/{topic}", json.dumps(seen | more).encode())
    counters = lab.ingest.counters
    await lab.changes.until(lambda: counters.presences == 2 and counters.refused == 1)
    assert (counters.unknown_presence, counters.future_presence) == (2, 1)
    found = lab.rows.connection.execute(
        "select zone_id, user_id, source, status from zone_presences"
    ).fetchall()
    assert found == [(zone["id"], ada["id"], "unifi", "present")]


async def test_the_newest_picture_is_kept(lab: Lab) -> None:
    camera = lab.device("cam", "camera")
    lab.device("lamp")
    pictures = lab.ingest.counters
    assert lab.ingest.snapshot(camera["id"]) is None
    topic = "kitty/devices/cam/snapshot"
    await lab.voice.publish(topic, PNG, retain=True)
    await lab.voice.publish(topic, PNG + b"2", retain=True)
    await lab.voice.publish(topic, b"GIF89a")
    await lab.voice.publish("kitty/devices/lamp/snapshot", PNG)
    await lab.changes.until(lambda: pictures.snapshots == 2 and pictures.refused == 1)
    kept = lab.ingest.snapshot(camera["id"])
    assert kept is not None
    assert (kept.image, kept.media_type) == (PNG + b"2", "image/png")
    assert abs(kept.taken_at - lab.now()) < timedelta(seconds=10)
    assert lab.told.count(camera["id"]) == 2


async def test_a_picture_over_a_megabyte_is_refused(lab: Lab) -> None:
    camera = lab.device("cam", "camera")
    lab.voice._connection._client.publish(
        "kitty/devices/cam/snapshot", PNG + b"x" * 1_048_576, qos=1
    )
    await lab.changes.until(lambda: lab.ingest.counters.refused == 1)
    assert lab.ingest.snapshot(camera["id"]) is None


def printing(job: Row, status: str, progress: float) -> dict[str, Any]:
    return {"status": status, "job_id": str(job["id"]), "progress": progress}


def waiting_job(lab: Lab) -> Row:
    return lab.rows.job(device_id=None)


async def test_a_print_goes_through_its_stages(lab: Lab) -> None:
    mk4 = lab.device("mk4", "printer")
    job = waiting_job(lab)
    await lab.state("mk4", **printing(job, "printing", 0.1))
    row = await lab.until_job(job, status="printing", device_id=mk4["id"])
    assert row["started_at"] is not None
    assert row["progress"] == pytest.approx(0.1)
    await lab.state("mk4", **printing(job, "paused", 0.4))
    await lab.until_job(job, status="paused")
    await lab.state("mk4", **printing(job, "printing", 0.7))
    await lab.until_job(job, status="printing")
    await lab.state("mk4", **printing(job, "complete", 1))
    row = await lab.until_job(job, status="completed", progress=1)
    assert row["completed_at"] >= row["started_at"]
    await lab.state("mk4", status="idle", job_id=None, progress=0)
    await lab.until(mk4, state={"status": "idle", "job_id": None, "progress": 0})
    assert lab.rows.get("fabrication_jobs", job)["status"] == "completed"
    assert set(lab.jobs) == {job["id"]}
    assert lab.ingest.counters.impossible_jobs == 0


async def test_an_error_fails_the_job_with_its_reason(lab: Lab) -> None:
    lab.device("mk4", "printer")
    job = waiting_job(lab)
    await lab.state("mk4", **printing(job, "printing", 0.1))
    await lab.state("mk4", **printing(job, "error", 0.2), error="nozzle clogged")
    await lab.until_job(job, status="failed", error="nozzle clogged")


async def test_idle_before_the_end_is_an_abort(lab: Lab) -> None:
    lab.device("mk4", "printer")
    job = waiting_job(lab)
    await lab.state("mk4", **printing(job, "printing", 0.25))
    await lab.until_job(job, status="printing")
    await lab.state("mk4", status="idle", job_id=None, progress=0)
    row = await lab.until_job(job, status="aborted")
    assert row["progress"] == pytest.approx(0.25)


async def test_a_job_that_ended_while_we_were_away_is_caught_up(lab: Lab) -> None:
    mk4 = lab.device("mk4", "printer")
    job = waiting_job(lab)
    await lab.state("mk4", **printing(job, "complete", 1))
    await lab.until_job(job, status="completed", device_id=mk4["id"])


async def test_impossible_reports_change_nothing(lab: Lab) -> None:
    lab.device("mk4", "printer")
    other = lab.device("giga", "printer")
    job = waiting_job(lab)
    await lab.state("mk4", **printing(job, "printing", 0.5))
    await lab.until_job(job, status="printing")
    await lab.state("giga", **printing(job, "complete", 1))
    await lab.until(other, online_state="online")
    await lab.state("mk4", **printing(job, "error", 0.5))
    await lab.until_job(job, status="failed")
    await lab.state("mk4", **printing(job, "printing", 0.6))
    await lab.state("mk4", **printing(job, "printing", 0.7))
    await lab.changes.until(lambda: lab.ingest.counters.impossible_jobs == 2)
    assert lab.rows.get("fabrication_jobs", job)["status"] == "failed"
