"""What devices there are and how they stand."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from safety.entities import DeviceKind, OnlineState, PresenceSource
from tools import resolve
from tools.desk import Desk, DeviceView, Sighting
from tools.fields import Entity
from tools.phrases import ON_SCREEN, ago, capped, clock, count, either, sentence, the
from tools.spec import Answer, Artifact, tool
from tools.views import brief, device_data, iso, status_sentence, subject, zone_data

FAMILY = "devices"
_SPOKEN_AT_MOST = 3
_SOURCES = {
    PresenceSource.UNIFI: "a badge reader",
    PresenceSource.MANUAL: "somebody's word",
    PresenceSource.OVERRIDE: "an override",
}


@tool(FAMILY)
async def list_devices(
    desk: Desk,
    kind: DeviceKind | None = None,
    zone: Entity | None = None,
    state: OnlineState | None = None,
) -> Answer:
    """List the devices and how they stand; of one kind, in one zone or in one state if given."""
    place = None if zone is None else (await resolve.zone_of(desk, zone)).zone
    views = await desk.lab.devices(kind=kind, zone=None if place is None else place.id)
    where = "" if place is None else f" in {the(place.name)}"
    if state is None:
        return _listing(views, _summary(views, where, kind), desk.now)
    standing = [view for view in views if _stands(view) is state]
    return _listing(standing, _how_many(standing, views, where, kind, state), desk.now)


@tool(FAMILY)
async def device_status(
    desk: Desk, device: Entity | None = None, zone: Entity | None = None
) -> Answer:
    """Say how a device stands, or everything in a zone, or what needs attention anywhere."""
    if device is not None:
        place = None if zone is None else (await resolve.zone_of(desk, zone)).zone
        view = await resolve.device(
            desk, device, argument="device", zone=None if place is None else place.id
        )
        return Answer(
            text=status_sentence(view, desk.now),
            data={"devices": [device_data(view)]},
            citations=(str(view.device.id),),
        )
    if zone is not None:
        inside = (await resolve.zone_of(desk, zone)).zone
        views = await desk.lab.devices(zone=inside.id)
        return _listing(views, _summary(views, f" in {the(inside.name)}", None), desk.now)
    views = await desk.lab.devices()
    troubled = [view for view in views if _troubled(view)]
    text = f"{_summary(views, '', None)}\n{capped(brief(view, desk.now) for view in troubled)}"
    return Answer(
        text=text.strip(),
        spoken=_aloud(_summary(views, "", None), troubled, desk.now),
        data={"devices": [device_data(view) for view in views]},
    )


@tool(FAMILY)
async def who_is_in(desk: Desk, zone: Entity) -> Answer:
    """Say who was last seen in a zone, when, and who or what says so."""
    place = (await resolve.zone_of(desk, zone)).zone
    seen = await desk.lab.present(place.id, now=desk.now)
    data = {
        "zone": zone_data(place),
        "people": [
            {
                "user_id": str(each.user.id),
                "display_name": each.user.display_name,
                "source": each.source.value,
                "observed_at": iso(each.observed_at),
            }
            for each in seen
        ],
    }
    if not seen:
        text = f"Nobody was seen in {the(place.name)} lately. That does not prove it is empty."
        return Answer(text=text, data=data)
    names = either([each.user.display_name for each in seen], "and")
    lines = [_sighting(each, desk.now) for each in seen]
    return Answer(
        text=f"{count(len(seen), 'person', 'people')} last seen in {the(place.name)}:\n"
        + capped(lines),
        spoken=f"Last seen in {the(place.name)}: {names}.",
        data=data,
    )


@tool(FAMILY)
async def show_camera(desk: Desk, target: Entity) -> Answer:
    """Show a camera's newest picture, or those of all cameras in a zone, and how old they are."""
    lines, pictures, data = [], [], []
    for view in await resolve.group(desk, target, DeviceKind.CAMERA):
        taken = await desk.lab.snapshot_at(view.device.id)
        lines.append(_picture(view, taken, desk.now))
        data.append({**device_data(view), "snapshot_at": iso(taken)})
        if taken is not None:
            url = f"/api/devices/{view.device.id}/snapshot"
            pictures.append(Artifact(title=view.device.name, url=url, media_type="image/*"))
    return Answer(text=capped(lines), data={"cameras": data}, artifacts=tuple(pictures))


def _picture(view: DeviceView, taken: datetime | None, now: datetime) -> str:
    name = subject(view)
    offline = view.device.online_state is OnlineState.OFFLINE
    note = " The camera is offline now." if offline else ""
    if taken is None:
        return f"{name} has not sent a picture yet.{note}"
    return f"{name}: picture of {clock(taken, now)}, taken {ago(taken, now)}.{note}"


def _sighting(each: Sighting, now: datetime) -> str:
    source = _SOURCES[each.source]
    return f"{each.user.display_name}: seen {ago(each.observed_at, now)}, says {source}"


def _stands(view: DeviceView) -> OnlineState:
    """Return how a device stands; one that can be reached but reports a fault has a fault."""
    online = view.device.online_state
    return OnlineState.FAULT if online is OnlineState.ONLINE and view.fault else online


def _how_many(
    standing: Sequence[DeviceView],
    views: Sequence[DeviceView],
    where: str,
    kind: DeviceKind | None,
    state: OnlineState,
) -> str:
    if not views:
        return _summary(views, where, kind)
    noun, plural = ("device", "devices") if kind is None else _names(kind)
    how = "with a fault" if state is OnlineState.FAULT else state.value
    if standing:
        return f"{count(len(standing), noun, plural)} {how}{where}."
    return f"No {noun} is {'in fault' if state is OnlineState.FAULT else how}{where}."


def _names(kind: DeviceKind) -> tuple[str, str]:
    return resolve.NOUNS[kind], resolve.PLURALS[kind]


def _troubled(view: DeviceView) -> bool:
    return (
        view.device.online_state is not OnlineState.ONLINE
        or bool(view.fault)
        or view.state.get("smoke") is True
    )


def _summary(views: Sequence[DeviceView], where: str, kind: DeviceKind | None) -> str:
    if not views:
        what = "devices" if kind is None else resolve.PLURALS[kind]
        return f"There are no {what}{where}."
    kinds = Counter(view.device.kind for view in views)
    parts = [
        count(kinds[each], resolve.NOUNS[each], resolve.PLURALS[each])
        for each in DeviceKind
        if each in kinds
    ]
    offline = sum(view.device.online_state is OnlineState.OFFLINE for view in views)
    faults = sum(
        view.device.online_state is OnlineState.FAULT or bool(view.fault) for view in views
    )
    trouble = [f"{offline} offline"] * bool(offline) + [f"{faults} with a fault"] * bool(faults)
    state = either(trouble, "and") if trouble else "all online"
    return sentence(f"{either(parts, 'and')}{where}: {state}.")


def _listing(views: Sequence[DeviceView], summary: str, now: datetime) -> Answer:
    return Answer(
        text="\n".join([summary, capped(brief(view, now) for view in views)]).strip(),
        spoken=_aloud(summary, views, now),
        data={"devices": [device_data(view) for view in views]},
    )


def _aloud(summary: str, views: Sequence[DeviceView], now: datetime) -> str:
    if len(views) > _SPOKEN_AT_MOST:
        return f"{summary} {ON_SCREEN}"
    return " ".join([summary, *(status_sentence(view, now) for view in views)])


LOOK = (list_devices, device_status, who_is_in, show_camera)
