"""Tools and devices called by programs."""

import pytest
from fakes.envelopes import envelope

from tools.catalog import build_catalog

pytestmark = pytest.mark.anyio
TOOLS = {tool.name: tool for tool in build_catalog()}
READS = ("list_devices", "list_printers", "list_approvals", "print_progress")


async def call(door, tool, arguments=None, person="olga"):
    return await door.of(person).post(f"/api/tools/{tool}", json=arguments or {})


async def test_the_catalogue_is_the_declarations(door):
    answer = (await door.of("olga").get("/api/tools")).json()
    assert answer["next_cursor"] is None
    assert {each["name"] for each in answer["items"]} == set(TOOLS)
    for each in answer["items"]:
        tool = TOOLS[each["name"]]
        assert each == {
            "name": tool.name,
            "family": tool.family,
            "description": tool.summary,
            "hazard": tool.hazard.word,
            "arguments": tool.schema,
        }


@pytest.mark.parametrize("name", READS)
async def test_a_tool_that_reads_answers(door, name):
    answer = await call(door, name)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["outcome"] == "answered"
    assert body["result"]["text"]
    assert body["correlation_id"] == answer.headers["x-correlation-id"]


async def test_a_tool_that_acts_has_a_receipt_and_a_routing_decision(door):
    answer = (await call(door, "switch_light", {"target": "floor light", "on": True})).json()
    assert answer["outcome"] == "done"
    assert answer["receipt"]["command_id"] == door.devices.commands[-1]["command_id"]
    logged = (await door.of("olga").get("/api/routing/logs", params={"limit": 1})).json()["items"][
        0
    ]
    assert (logged["rule"], logged["outcome"], logged["model"]) == (
        "tool:switch_light",
        "done",
        "direct",
    )
    assert logged["completed_at"] is not None


async def test_a_hazardous_tool_is_accepted_and_waits(door):
    answer = await call(door, "unlock_door", {"door": "bay door"})
    assert answer.status_code == 202
    body = answer.json()
    assert body["outcome"] == "pending"
    assert body["needs"]
    event = (await door.of("olga").get(f"/api/safety/events/{body['event_id']}")).json()
    assert event["status"] == "pending"
    assert event["correlation_id"] == answer.headers["x-correlation-id"]


async def test_what_may_not_be_is_403(door):
    answer = await call(door, "unlock_door", {"door": "bay door"}, "anna")
    body = envelope(answer, 403, answer.json()["code"])
    assert body["outcome"] == "refused"
    assert body["reason"] == body["message"]


async def test_unknown_tools_devices_and_zones_are_404(door):
    envelope(await call(door, "make_coffee"), 404, "unknown_tool")
    envelope(
        await call(door, "switch_light", {"target": "the moon", "on": True}), 404, "unknown_device"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"target": "floor light"},
        {"target": "floor light", "on": "maybe"},
        {"target": 7, "on": True},
        {"target": "floor light", "on": True, "brightness": 3},
        {"target": "x" * 4_001, "on": True},
        {"target": {"a": 1}, "on": True},
    ],
)
async def test_arguments_that_do_not_fit_are_422(door, arguments):
    before = len(door.devices.commands)
    body = envelope(await call(door, "switch_light", arguments), 422, "bad_arguments")
    assert "switch_light" in body["message"]
    assert len(door.devices.commands) == before


@pytest.mark.parametrize("name", sorted(TOOLS))
async def test_every_tool_refuses_an_argument_that_it_does_not_have(door, name):
    before = len(door.devices.commands)
    envelope(await call(door, name, {"no_such_argument": 1}), 422, "bad_arguments")
    assert len(door.devices.commands) == before


async def test_devices_and_zones_are_listed_with_their_fields(door):
    devices = (await door.of("olga").get("/api/devices")).json()["items"]
    assert {each["external_id"] for each in devices} == set(door.devices.kinds)
    assert devices[0].keys() == {
        "id", "external_id", "name", "aliases", "kind", "zone_id", "zone", "capabilities",
        "online_state", "last_seen", "fault", "state", "state_at",
    }  # fmt: skip
    zones = (await door.of("olga").get("/api/zones")).json()["items"]
    assert {each["id"] for each in zones} >= {each["zone_id"] for each in devices}
    for path in (devices[0]["id"], devices[0]["external_id"]):
        one = (await door.of("olga").get(f"/api/devices/{path}")).json()
        assert one["id"] == devices[0]["id"]


async def test_a_device_is_told_something(door):
    client = door.of("olga")
    on = await client.post(
        "/api/devices/floor-light/command", json={"intent": "switch", "payload": {"on": False}}
    )
    assert (on.status_code, on.json()["outcome"]) == (200, "done")
    waits = await client.post("/api/devices/bay-door/command", json={"intent": "unlock"})
    assert (waits.status_code, waits.json()["outcome"]) == (202, "pending")


@pytest.mark.parametrize(
    ("device", "body", "status", "code"),
    [
        ("nowhere", {"intent": "switch"}, 404, "unknown_device"),
        ("floor-light", {"intent": "explode"}, 422, "unsupported_intent"),
        ("floor-light", {"intent": "lock"}, 422, "unsupported_intent"),
        ("floor-light", {"intent": "Switch!"}, 422, "bad_request"),
        ("floor-light", {"intent": "switch", "payload": {}}, 422, "bad_arguments"),
        ("floor-light", {"intent": "switch", "payload": []}, 422, "bad_request"),
        (
            "floor-light",
            {"intent": "switch", "payload": {"on": True, "target": "x"}},
            422,
            "bad_arguments",
        ),
        (
            "floor-light",
            {"intent": "switch", "payload": {"on": True}, "safetySignature": "x"},
            422,
            "bad_request",
        ),
    ],
)
async def test_a_device_cannot_be_told_that(door, device, body, status, code):
    before = len(door.devices.commands)
    envelope(await door.of("olga").post(f"/api/devices/{device}/command", json=body), status, code)
    assert len(door.devices.commands) == before


async def test_a_picture_is_given_as_it_came(door):
    client = door.of("olga")
    envelope(await client.get("/api/devices/floor-light/snapshot"), 404, "no_picture")
    envelope(await client.get("/api/devices/nowhere/snapshot"), 404, "unknown_device")
    image = b"\x89PNG\r\n\x1a\n" + b"0" * 100
    door.devices.snapshot("bay-camera", image)

    async def arrived():
        answer = await client.get("/api/devices/bay-camera/snapshot")
        return answer if answer.status_code == 200 else None

    answer = await door.until(arrived)
    assert answer.content == image
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["cache-control"] == "no-store"
