"""What a lab file must not contradict: names used twice, and names of nothing."""

from collections.abc import Iterable, Iterator

from infra.lab_parts import Lab, LabDevice, LabPerson, LabZone
from safety.entities import DeviceKind
from safety.signatures import key_id


def contradictions(lab: Lab) -> Iterator[str]:
    """Return a sentence for each contradiction, starting with its path."""
    yield from _twice("handle", _paths("people", "handle", (p.handle for p in lab.people)))
    yield from _twice("token", _inner(lab, "token_sha256"))
    yield from _twice("key", _inner(lab, "keys"))
    yield from _twice("slug", _paths("zones", "slug", (z.slug for z in lab.zones)))
    ids = (device.external_id for device in lab.devices)
    yield from _twice("external_id", _paths("devices", "external_id", ids))
    yield from _twice("name", _paths("jobs", "name", (_folded(job.name) for job in lab.jobs)))
    yield from _twice("name or alias", _names("zones", lab.zones))
    for kind in DeviceKind:
        yield from _twice("name or alias", _names("devices", lab.devices, kind))
    yield from _dangling(lab)


def _paths(part: str, key: str, values: Iterable[str]) -> Iterator[tuple[str, str]]:
    for at, value in enumerate(values):
        yield f"{part}[{at}].{key}", value


def _inner(lab: Lab, key: str) -> Iterator[tuple[str, str]]:
    for at, person in enumerate(lab.people):
        ids = person.token_sha256 if key == "token_sha256" else _key_ids(person)
        yield from ((f"people[{at}].{key}[{index}]", value) for index, value in enumerate(ids))


def _key_ids(person: LabPerson) -> list[str]:
    return [key_id(each.spki) for each in person.keys]


def _names(
    part: str, named: Iterable[LabZone | LabDevice], kind: DeviceKind | None = None
) -> Iterator[tuple[str, str]]:
    for at, each in enumerate(named):
        if kind is not None and isinstance(each, LabDevice) and each.kind is not kind:
            continue
        yield f"{part}[{at}].name", _folded(each.name)
        for index, alias in enumerate(each.aliases):
            yield f"{part}[{at}].aliases[{index}]", _folded(alias)


def _folded(name: str) -> str:
    return " ".join(name.casefold().split())


def _twice(what: str, values: Iterable[tuple[str, str]]) -> Iterator[str]:
    first: dict[str, str] = {}
    for path, value in values:
        if value in first:
            yield f"{path}: the {what} {value!r} is already used by {first[value]}"
        else:
            first[value] = path


def _dangling(lab: Lab) -> Iterator[str]:
    zones = {zone.slug for zone in lab.zones}
    for at, device in enumerate(lab.devices):
        if device.zone not in zones:
            yield f"devices[{at}].zone: there is no zone {device.zone!r} in the file"
    handles = {person.handle for person in lab.people}
    printers = {each.external_id for each in lab.devices if each.kind is DeviceKind.PRINTER}
    for at, job in enumerate(lab.jobs):
        for index, printer in enumerate(job.printers):
            if printer not in printers:
                yield f"jobs[{at}].printers[{index}]: there is no printer {printer!r} in the file"
        if job.requested_by is not None and job.requested_by not in handles:
            yield f"jobs[{at}].requested_by: there is no person {job.requested_by!r} in the file"
        if not handles:
            yield f"jobs[{at}]: a job needs somebody who asked for it; add people to the file"
