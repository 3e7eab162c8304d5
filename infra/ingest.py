"""What devices say, into the store.

Messages are taken in batches and acknowledged to the broker only after the commit; if the store
is away they are offered again when it is back.  A message that is malformed, or from a device
nobody registered, is counted and dropped without touching its neighbours.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeVar

import psycopg
import structlog

from infra.db import StorePool, StoreUnavailableError
from infra.ingest_messages import (
    read_picture,
    read_presence,
    read_sender,
    read_state,
    read_telemetry,
)
from infra.ingest_states import Report, save_states
from infra.ingest_store import (
    Connection,
    Presence,
    StoredDevice,
    Telemetry,
    copy_telemetry,
    find_devices,
    insert_presence,
    insert_telemetry,
    mark_seen,
    mark_silent,
)
from infra.mqtt import Bus, Message, NotNowError
from infra.snapshots import Picture, Snapshot, SnapshotShelf
from infra.wire import WireError, device_topic
from safety.entities import DeviceId, DeviceKind, JobId

_FUTURE: Final = timedelta(seconds=60)
"""How far a badge reader's clock may be ahead."""
_SOON: Final = timedelta(milliseconds=20)
_BATCH: Final = timedelta(milliseconds=100)
_LOGGED: Final = 1_000
"""Unknown devices that get a line in the log of their own."""
_BAD_ROW: Final = (psycopg.DataError, psycopg.IntegrityError, psycopg.InternalError)
_log = structlog.get_logger("kitty.ingest")

T = TypeVar("T")
DeviceListener = Callable[[DeviceId], None]
JobListener = Callable[[JobId], None]


@dataclass(slots=True, kw_only=True)
class IngestCounters:
    """What was taken in, and what was not."""

    states: int = 0
    telemetry: int = 0
    presences: int = 0
    snapshots: int = 0
    batches: int = 0
    refused: int = 0
    """Malformed, too large, or not storable."""
    unknown_device: int = 0
    unknown_presence: int = 0
    """From a person or zone nobody registered."""
    future_presence: int = 0
    impossible_jobs: int = 0
    """Printers' reports that contradict what the job went through."""
    gone_silent: int = 0


class Ingest:
    """Takes in what devices, cameras and badge readers report.  Make it before entering the bus."""

    def __init__(self, *, bus: Bus, pool: StorePool, now: Callable[[], datetime]) -> None:
        self._pool = pool
        self._now = now
        self._shelf = SnapshotShelf()
        self._silenced: set[DeviceId] = set()
        self._strangers: set[str] = set()
        self._device_listeners: list[DeviceListener] = []
        self._job_listeners: list[JobListener] = []
        self.counters = IngestCounters()
        bus.subscribe_batches(device_topic("+", "state"), self._states, size=200, wait=_SOON)
        bus.subscribe_batches(
            device_topic("+", "telemetry"), self._telemetry, size=500, wait=_BATCH
        )
        bus.subscribe_batches(device_topic("+", "ack"), self._acks, size=500, wait=_BATCH)
        bus.subscribe_batches(device_topic("+", "snapshot"), self._snapshots, size=8, wait=_SOON)
        bus.subscribe_batches("kitty/presence/+", self._presences, size=100, wait=_SOON)

    def on_device_change(self, listener: DeviceListener) -> None:
        """Call the listener after a device's state, fault or reachability has changed."""
        self._device_listeners.append(listener)

    def on_job_change(self, listener: JobListener) -> None:
        """Call the listener after a print job has moved on."""
        self._job_listeners.append(listener)

    def snapshot(self, device: DeviceId) -> Snapshot | None:
        """Return a camera's newest picture."""
        return self._shelf.get(device)

    async def sweep(self, now: datetime) -> None:
        """Mark devices offline that have been silent for longer than they may."""
        async with self._pool.connection() as connection:
            silent = await mark_silent(connection, now)
        self._silenced.update(silent)
        self.counters.gone_silent += len(silent)
        for device in silent:
            _log.warning("device_silent", device_id=str(device))
        self._changed(silent, ())

    # -- one handler for each kind of message

    async def _states(self, messages: Sequence[Message]) -> None:
        await self._all_or_each(self._decoded(messages, read_state), self._save_states)

    async def _save_states(self, reports: Sequence[Report]) -> None:
        async with self._pool.connection() as connection, connection.transaction():
            saved = await save_states(connection, reports, now=self._now())
        self.counters.states += saved.taken
        self.counters.impossible_jobs += saved.impossible
        self._stranger(saved.unknown)
        self._silenced -= saved.heard
        self._changed(saved.changed, saved.jobs)

    async def _telemetry(self, messages: Sequence[Message]) -> None:
        await self._all_or_each(self._decoded(messages, read_telemetry), self._save_telemetry)

    async def _save_telemetry(self, rows: Sequence[Telemetry]) -> None:
        async with self._pool.connection() as connection, connection.transaction():
            devices = await find_devices(connection, [row.external_id for row in rows])
            known = [(devices[r.external_id].id, r) for r in rows if r.external_id in devices]
            if len(known) == 1:
                await insert_telemetry(connection, *known[0])
            elif known:
                await copy_telemetry(connection, known)
            revived = await self._heard(connection, devices)
        self.counters.telemetry += len(known)
        self.counters.batches += 1
        self._stranger(r.external_id for r in rows if r.external_id not in devices)
        self._back(revived)

    async def _acks(self, messages: Sequence[Message]) -> None:
        """Take an answer as a sign of life; what it says is the command link's business."""
        await self._all_or_each(self._decoded(messages, read_sender), self._save_senders)

    async def _save_senders(self, names: Sequence[str]) -> None:
        async with self._pool.connection() as connection, connection.transaction():
            revived = await self._heard(connection, await find_devices(connection, names))
        self._back(revived)

    async def _presences(self, messages: Sequence[Message]) -> None:
        sightings = self._decoded(messages, read_presence)
        latest = self._now() + _FUTURE
        timely = [sighting for sighting in sightings if sighting.observed_at <= latest]
        self.counters.future_presence += len(sightings) - len(timely)
        await self._all_or_each(timely, self._save_presences)

    async def _save_presences(self, sightings: Sequence[Presence]) -> None:
        async with self._pool.connection() as connection, connection.transaction():
            known = [await insert_presence(connection, sighting) for sighting in sightings]
        self.counters.presences += sum(known)
        self.counters.unknown_presence += len(known) - sum(known)

    async def _snapshots(self, messages: Sequence[Message]) -> None:
        await self._all_or_each(self._decoded(messages, read_picture), self._save_pictures)

    async def _save_pictures(self, pictures: Sequence[Picture]) -> None:
        async with self._pool.connection() as connection, connection.transaction():
            devices = await find_devices(connection, [each.external_id for each in pictures])
        for picture in pictures:
            device = devices.get(picture.external_id)
            if device is None or device.kind != DeviceKind.CAMERA:
                self._stranger([picture.external_id])
                continue
            # Kept from earlier: it cannot be newer than the camera's last sign of life.
            taken_at = self._now() if picture.fresh else device.last_seen
            if taken_at is not None:
                self._shelf.put(
                    device.id, picture.image, media_type=picture.media_type, taken_at=taken_at
                )
                self.counters.snapshots += 1
                self._changed([device.id], ())

    # -- what they share

    def _decoded(self, messages: Sequence[Message], read: Callable[[Message], T]) -> list[T]:
        items: list[T] = []
        for message in messages:
            try:
                items.append(read(message))
            except WireError as error:
                self.counters.refused += 1
                _log.warning(
                    "message_refused",
                    topic=message.topic[:200],
                    code=error.code,
                    reason=str(error)[:200],
                )
        return items

    async def _all_or_each(
        self, items: Sequence[T], write: Callable[[Sequence[T]], Awaitable[None]]
    ) -> None:
        """Write the batch; if the store refuses it, halve it until the culprits are found."""
        if not items:
            return
        try:
            await write(items)
        except (StoreUnavailableError, psycopg.OperationalError) as error:
            raise NotNowError(str(error)) from error
        except _BAD_ROW as error:
            if len(items) == 1:
                self.counters.refused += 1
                _log.warning("message_not_storable", reason=str(error)[:200])
                return
            middle = len(items) // 2
            await self._all_or_each(items[:middle], write)
            await self._all_or_each(items[middle:], write)

    async def _heard(
        self, connection: Connection, devices: Mapping[str, StoredDevice]
    ) -> list[DeviceId]:
        seen = [device.id for device in devices.values()]
        revived = [device for device in seen if device in self._silenced]
        if seen:
            await mark_seen(connection, seen, revived=revived, now=self._now())
        return revived

    def _back(self, revived: Sequence[DeviceId]) -> None:
        self._silenced.difference_update(revived)
        self._changed(revived, ())

    def _stranger(self, names: Iterable[str]) -> None:
        for name in names:
            self.counters.unknown_device += 1
            if name not in self._strangers and len(self._strangers) < _LOGGED:
                self._strangers.add(name)
                _log.warning("device_unknown", device=name)

    def _changed(self, devices: Sequence[DeviceId], jobs: Sequence[JobId]) -> None:
        for device in devices:
            for on_device in self._device_listeners:
                on_device(device)
        for job in dict.fromkeys(jobs):
            for on_job in self._job_listeners:
                on_job(job)
