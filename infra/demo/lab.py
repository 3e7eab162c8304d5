"""The lab as data: people, zones, devices and jobs.  Keys and hashes are added by `prepare`."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

Table = Mapping[str, Any]

PEOPLE: Final[Sequence[Table]] = (
    {"handle": "operator", "display_name": "Olga Operator", "roles": ["operator"]},
    {"handle": "engineer", "display_name": "Emil Engineer", "roles": ["engineer", "operator"]},
    {"handle": "safety", "display_name": "Sara Safety", "roles": ["safety"]},
    {"handle": "admin", "display_name": "Ada Admin", "roles": ["admin"]},
)


def _zone(slug: str, name: str, aliases: Sequence[str], hazard: str, **policy: Any) -> Table:
    ppe = policy.pop("ppe", [])
    strict = hazard == "high"
    return {
        "slug": slug,
        "name": name,
        "aliases": list(aliases),
        "hazard_level": hazard,
        "requires_ppe": bool(ppe),
        "unifi_door_ids": [],
        "policy": {
            "name": name,
            "required_roles": ["engineer", "safety"] + ([] if strict else ["operator"]),
            "requires_dual_confirm": strict,
            "requires_presence": strict,
            "presence_ttl_seconds": 900,
            "pqe_checks": {"items": list(ppe)},
        },
    }


ZONES: Final[Sequence[Table]] = (
    _zone("main-floor", "Main floor", ["floor", "main hall", "shop floor"], "low"),
    _zone("print-farm", "Print farm", ["printer room", "print room", "printing room"], "medium"),
    _zone(
        "welding-bay",
        "Welding bay",
        ["the bay", "welding area", "weld bay"],
        "high",
        ppe=["welding helmet", "gloves"],
    ),
    _zone(
        "laser-room",
        "Laser room",
        ["laser lab", "laser area"],
        "high",
        ppe=["laser goggles"],
    ),
    _zone("store-room", "Store room", ["storeroom", "storage", "stock room"], "low"),
)

SCENES: Final = ["bright", "dim", "night", "video"]
PRINTING: Final = ["start_print", "pause_print", "resume_print", "abort_print"]
HEATING: Final = ["set_temperature", "send_gcode"]


def _device(
    external_id: str, name: str, kind: str, zone: str, *aliases: str, **capabilities: Any
) -> Table:
    return {
        "external_id": external_id,
        "name": name,
        "aliases": list(aliases),
        "kind": kind,
        "zone": zone,
        "silent_after_seconds": 60,
        "capabilities": capabilities,
    }


def _light(external_id: str, name: str, zone: str, *aliases: str) -> Table:
    intents = ["switch", "set_scene"]
    return _device(external_id, name, "light", zone, *aliases, intents=intents, scenes=SCENES)


def _door(external_id: str, name: str, zone: str, *aliases: str) -> Table:
    return _device(external_id, name, "door", zone, *aliases, intents=["lock", "unlock"])


def _power(external_id: str, name: str, zone: str, watts: int, *aliases: str) -> Table:
    intents = ["cut_power", "enable_power"]
    return _device(external_id, name, "power", zone, *aliases, intents=intents, rated_watts=watts)


DEVICES: Final[Sequence[Table]] = (
    _light("main-floor-ceiling", "Main floor ceiling lights", "main-floor", "ceiling lights"),
    _light("main-floor-bench", "Bench lights", "main-floor", "workbench lights", "bench light"),
    _light("print-farm-lights", "Print farm lights", "print-farm", "printer room lights"),
    _light("welding-bay-lights", "Welding bay lights", "welding-bay", "bay lights"),
    _light("laser-room-lights", "Laser room lights", "laser-room", "laser lights"),
    _light("store-room-lights", "Store room lights", "store-room", "storage lights"),
    _door("welding-bay-door", "Welding bay door", "welding-bay", "bay door"),
    _door("laser-room-door", "Laser room door", "laser-room", "laser door"),
    _door("store-room-door", "Store room door", "store-room", "storage door", "storeroom door"),
    _power("laser-cutter", "Laser cutter", "laser-room", 2_400, "laser", "cutter"),
    _power("welder", "Welder", "welding-bay", 6_000, "welding machine"),
    _power("cnc-spindle", "CNC spindle", "main-floor", 2_200, "spindle", "mill"),
    _power("compressor", "Compressor", "store-room", 1_500, "air compressor"),
    _device(
        "bamboo",
        "Bamboo",
        "printer",
        "print-farm",
        *("bambu", "bamboo printer", "bambu lab", "h2d", "h two d"),
        intents=PRINTING + HEATING,
        build_volume_mm=[250, 250, 250],
        nozzle_max_c=350,
        bed_max_c=120,
        technologies=["fdm"],
        materials=["PLA", "PETG", "ABS", "ASA", "PC", "PA-CF"],
    ),
    _device(
        "giga",
        "Giga",
        "printer",
        "print-farm",
        *("the big printer", "big printer", "orangestorm", "orange storm", "elegoo"),
        intents=PRINTING + HEATING,
        build_volume_mm=[800, 800, 1000],
        nozzle_max_c=300,
        bed_max_c=100,
        technologies=["fdm"],
        materials=["PLA", "PETG"],
    ),
    _device(
        "snapmaker",
        "Snapmaker",
        "printer",
        "print-farm",
        *("snap maker", "cnc machine", "engraver"),
        intents=PRINTING,
        build_volume_mm=[320, 350, 330],
        technologies=["cnc", "laser"],
        materials=["plywood", "acrylic", "aluminium"],
    ),
    _device(
        "mk4",
        "MK4",
        "printer",
        "print-farm",
        *("prusa", "mark four", "mk four", "m k four", "prusa mk4"),
        intents=PRINTING + HEATING,
        build_volume_mm=[250, 210, 220],
        nozzle_max_c=290,
        bed_max_c=120,
        technologies=["fdm"],
        materials=["PLA", "PETG", "ASA", "PC"],
    ),
    *(
        _device(
            f"{zone['slug']}-camera", f"{zone['name']} camera", "camera", zone["slug"], intents=[]
        )
        for zone in ZONES
    ),
    *(
        _device(
            f"{zone['slug']}-sensor",
            f"{zone['name']} sensor",
            "sensor",
            zone["slug"],
            f"{zone['name'].lower()} smoke detector",
            f"{zone['name'].lower()} thermometer",
            intents=[],
            measures=["temperature_c", "smoke_ppm"],
        )
        for zone in ZONES
    ),
)


def _job(name: str, minutes: int, material: str, heat: tuple[int, int], *printers: str) -> Table:
    return {
        "name": name,
        "minutes": minutes,
        "material": material,
        "nozzle_c": heat[0],
        "bed_c": heat[1],
        "printers": list(printers),
    }


JOBS: Final[Sequence[Table]] = (
    _job("calibration cube", 25, "PLA", (215, 60), "mk4", "bamboo"),
    _job("cable clips", 15, "PLA", (215, 60), "mk4", "bamboo", "giga"),
    _job("gearbox bracket", 90, "PETG", (245, 80), "bamboo", "mk4"),
    _job("drone frame", 150, "PC", (275, 110), "bamboo"),
    _job("enclosure panel", 360, "PLA", (220, 60), "giga"),
    _job("workshop sign", 40, "plywood", (0, 0), "snapmaker"),
)
"""`minutes` is about right; the seed moves it by some per cent."""
