"""What can be done to lights, doors and power.  Each tool only says what should happen."""

from collections.abc import Sequence

from safety.actions import CutPower, EnablePower, LockDoor, SetScene, SwitchLight, UnlockDoor
from safety.entities import DeviceKind
from tools import resolve
from tools.desk import Desk, DeviceView
from tools.fields import Entity, OnOff, Scene, Seconds
from tools.matching import MAX_CHOICES
from tools.phrases import either, short, the
from tools.spec import Choice, ToolError, tool

FAMILY = "devices"


@tool(FAMILY)
async def switch_light(desk: Desk, target: Entity, on: OnOff) -> Sequence[SwitchLight]:
    """Turn a light on or off; a zone means all the lights in it, and nothing else."""
    lights = await resolve.group(desk, target, DeviceKind.LIGHT)
    return [SwitchLight(device=view.device.id, zone=view.zone.id, on=on) for view in lights]


@tool(FAMILY)
async def set_scene(desk: Desk, zone: Entity, scene: Scene) -> Sequence[SetScene]:
    """Put the lights of a zone into one of their named scenes."""
    place = (await resolve.zone_of(desk, zone)).zone
    lights = await desk.lab.devices(kind=DeviceKind.LIGHT, zone=place.id)
    known = sorted({name for view in lights for name in _scenes(view)})
    if not known:
        raise ToolError("no_scenes", f"The lights in {the(place.name)} have no scenes.")
    name = _scene(scene, known, place.name)
    return [
        SetScene(device=view.device.id, zone=view.zone.id, scene=name)
        for view in lights
        if name in _scenes(view)
    ]


@tool(FAMILY)
async def lock_door(desk: Desk, door: Entity) -> LockDoor:
    """Lock a door, at once."""
    view = await resolve.device(desk, door, DeviceKind.DOOR, argument="door")
    return LockDoor(device=view.device.id, zone=view.zone.id)


@tool(FAMILY)
async def unlock_door(desk: Desk, door: Entity, seconds: Seconds = 10) -> UnlockDoor:
    """Ask for a door to be unlocked for some seconds; people have to sign for it."""
    view = await resolve.device(desk, door, DeviceKind.DOOR, argument="door")
    return UnlockDoor(device=view.device.id, zone=view.zone.id, seconds=seconds)


@tool(FAMILY)
async def cut_power(desk: Desk, device: Entity) -> CutPower:
    """Cut the power of a machine, at once."""
    view = await resolve.device(desk, device, DeviceKind.POWER, argument="device")
    return CutPower(device=view.device.id, zone=view.zone.id)


@tool(FAMILY)
async def enable_power(desk: Desk, device: Entity) -> EnablePower:
    """Ask for a machine to be given power; people have to sign for it."""
    view = await resolve.device(desk, device, DeviceKind.POWER, argument="device")
    return EnablePower(device=view.device.id, zone=view.zone.id)


def _scenes(view: DeviceView) -> tuple[str, ...]:
    if "set_scene" not in view.device.intents:
        return ()
    return tuple(str(each) for each in view.device.capabilities.get("scenes", ()))


def _scene(wanted: str, known: Sequence[str], zone: str) -> str:
    for name in known:
        if name.casefold() == wanted.strip().casefold():
            return name
    raise ToolError(
        "unknown_scene",
        f"There is no scene {short(wanted)!r} in {the(zone)}. There is {either(known)}.",
        choices=[Choice(id=name, label=name) for name in known[:MAX_CHOICES]],
        argument="scene",
    )


ACT = (switch_light, set_scene, lock_door, unlock_door, cut_power, enable_power)
