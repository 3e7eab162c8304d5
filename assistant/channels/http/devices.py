"""Devices and zones over REST.  Telling a device something is a tool call like any other."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from assistant.access import Problem
from assistant.channels.http.people import Caller
from assistant.channels.http.tools import call_tool
from assistant.services import Services
from tools.desk import DeviceView

TOOLS: Mapping[str, tuple[str, str]] = {
    "switch": ("switch_light", "target"),
    "set_scene": ("set_scene", "zone"),
    "lock": ("lock_door", "door"),
    "unlock": ("unlock_door", "door"),
    "cut_power": ("cut_power", "device"),
    "enable_power": ("enable_power", "device"),
    "start_print": ("start_print", "printer"),
    "pause_print": ("pause_print", "printer"),
    "resume_print": ("resume_print", "printer"),
    "abort_print": ("abort_print", "printer"),
    "set_temperature": ("set_temperature", "printer"),
    "send_gcode": ("send_gcode", "printer"),
}
"""Which tool an intent of the device route is, and the name of its device argument."""


class CommandBody(BaseModel):
    """What a device is to be told."""

    model_config = ConfigDict(extra="forbid")
    intent: str = Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")
    payload: dict[str, Any] = Field(default_factory=dict)


def router(services: Services) -> APIRouter:
    """Build the routes."""
    routes = APIRouter()

    @routes.get("/api/devices", tags=["devices"], summary="All devices as they stand")
    async def devices(_user: Caller) -> dict[str, Any]:
        return {
            "items": [device_json(each) for each in await services.lab.devices()],
            "next_cursor": None,
        }

    @routes.get("/api/zones", tags=["devices"], summary="All zones")
    async def zones(_user: Caller) -> dict[str, Any]:
        return {
            "items": [
                {
                    "id": str(each.zone.id),
                    "slug": each.zone.slug,
                    "name": each.zone.name,
                    "hazard_level": each.zone.hazard_level.value,
                    "requires_ppe": each.zone.requires_ppe,
                    "unifi_door_ids": list(each.zone.unifi_door_ids),
                    "aliases": list(each.aliases),
                }
                for each in await services.lab.zones()
            ],
            "next_cursor": None,
        }

    @routes.get("/api/devices/{device}", tags=["devices"], summary="One device")
    async def device(device: str, _user: Caller) -> dict[str, Any]:
        return device_json(await _find(services, device))

    @routes.get("/api/devices/{device}/snapshot", tags=["devices"], summary="Newest picture")
    async def snapshot(device: str, _user: Caller) -> Response:
        view = await _find(services, device)
        picture = services.snapshot(view.device.id)
        if picture is None:
            raise Problem(404, "no_picture", f"{view.device.name} has sent no picture yet.")
        return Response(
            picture.image,
            media_type=picture.media_type,
            headers={"cache-control": "no-store", "last-modified-at": picture.taken_at.isoformat()},
        )

    @routes.post("/api/devices/{device}/command", tags=["devices"], summary="Tell a device")
    async def command(
        device: str, body: CommandBody, request: Request, user: Caller
    ) -> JSONResponse:
        view = await _find(services, device)
        if body.intent not in TOOLS or body.intent not in view.device.intents:
            raise Problem(
                422, "unsupported_intent", f"{view.device.name} cannot be told {body.intent!r}."
            )
        tool, argument = TOOLS[body.intent]
        if argument in body.payload:
            raise Problem(422, "bad_arguments", f"The payload may not name the {argument}.")
        target = view.zone.id if argument == "zone" else view.device.id
        return await call_tool(
            services, request, user, tool, {**body.payload, argument: str(target)}
        )

    return routes


async def _find(services: Services, device: str) -> DeviceView:
    for view in await services.lab.devices():
        if device in {str(view.device.id), view.device.external_id}:
            return view
    raise Problem(404, "unknown_device", "There is no such device. See GET /api/devices.")


def device_json(view: DeviceView) -> dict[str, Any]:
    """Return a device with the seed's fields and its state."""
    device = view.device
    return {
        "id": str(device.id),
        "external_id": device.external_id,
        "name": device.name,
        "aliases": list(view.aliases),
        "kind": device.kind.value,
        "zone_id": str(device.zone),
        "zone": view.zone.name,
        "capabilities": dict(device.capabilities),
        "online_state": device.online_state.value,
        "last_seen": None if device.last_seen is None else device.last_seen.isoformat(),
        "fault": view.fault,
        "state": dict(view.state),
        "state_at": None if view.state_at is None else view.state_at.isoformat(),
    }
