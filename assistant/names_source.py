"""The live names of people's things, kept ready for the grammar."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from assistant.understanding.names import Name, Names
from safety.entities import User
from tools.desk import DeviceView, Lab, Printing, PrintJob, ZoneView

MAX_JOBS: Final = 500
"""Prepared jobs whose names can be spoken."""


class NamesSource:
    """Reads all names when their fingerprint in the store has changed."""

    def __init__(
        self,
        *,
        lab: Lab,
        printing: Printing,
        people: Callable[[], Awaitable[Sequence[User]]],
        fingerprint: Callable[[], Awaitable[str]],
    ) -> None:
        self._lab = lab
        self._people = people
        self._printing = printing
        self._fingerprint = fingerprint
        self._names = Names(version="")
        self._called: dict[str, str] = {}

    def current(self) -> Names:
        """Return the names as last read."""
        return self._names

    def name_of(self, identity: str) -> str:
        """Return what people call the thing with this id; the id itself if nobody does."""
        return self._called.get(identity, identity)

    async def refresh(self) -> bool:
        """Read the names again if any of them changed; tell whether they did."""
        version = await self._fingerprint()
        if version == self._names.version:
            return False
        zones = [_zone(each) for each in await self._lab.zones()]
        devices = [_device(each) for each in await self._lab.devices()]
        jobs = _newest_of_each_name(await self._printing.jobs(limit=MAX_JOBS))
        people = [_person(each) for each in await self._people()]
        entries = (*zones, *devices, *jobs, *people)
        self._called = {entry.id: entry.name for entry in entries}
        self._names = Names(version=version, entries=entries)
        return True


def _zone(view: ZoneView) -> Name:
    return Name(id=str(view.zone.id), kind="zone", name=view.zone.name, aliases=tuple(view.aliases))


def _device(view: DeviceView) -> Name:
    device = view.device
    return Name(
        id=str(device.id),
        kind=device.kind.value,
        name=device.name,
        aliases=tuple(view.aliases),
        zone=str(device.zone),
        intents=device.intents,
        values=tuple(str(each) for each in device.capabilities.get("scenes", ())),
    )


def _person(user: User) -> Name:
    first = user.display_name.split()[0]
    return Name(id=str(user.id), kind="user", name=user.display_name, aliases=(first, user.handle))


def _newest_of_each_name(jobs: Sequence[PrintJob]) -> list[Name]:
    """Name each job once: one that is ready to print before one that has been printed."""
    chosen: dict[str, PrintJob] = {}
    for job in sorted(jobs, key=lambda each: each.status != "preparing"):
        chosen.setdefault(job.name.casefold(), job)
    return [_job(job) for job in chosen.values()]


def _job(job: PrintJob) -> Name:
    return Name(id=str(job.id), kind="job", name=job.name)
