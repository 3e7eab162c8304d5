"""A realistic lab for reading sentences against."""

from datetime import UTC, datetime
from uuid import NAMESPACE_DNS, uuid5

from assistant.understanding.names import Name, Names

NOW = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)
INTENTS = {
    "light": frozenset({"switch", "set_scene"}),
    "door": frozenset({"lock", "unlock"}),
    "power": frozenset({"cut_power", "enable_power"}),
    "printer": frozenset(
        [
            "start_print",
            "pause_print",
            "resume_print",
            "abort_print",
            "set_temperature",
            "send_gcode",
        ]
    ),
}
SCENES = ("bright", "dim", "work", "cleaning", "night shift")


def uid(key: str) -> str:
    return str(uuid5(NAMESPACE_DNS, f"lab.{key}"))


def _thing(key: str, kind: str, name: str, zone: str = "", *aliases: str) -> Name:
    return Name(
        id=uid(key),
        kind=kind,
        name=name,
        aliases=aliases,
        zone=uid(zone) if zone else "",
        intents=INTENTS.get(kind, frozenset()),
        values=SCENES if kind == "light" else (),
    )


THINGS = {
    "main-floor": ("zone", "Main floor", "", "the floor", "shop floor", "workshop"),
    "print-farm": ("zone", "Print farm", "", "printer room", "farm"),
    "welding-bay": ("zone", "Welding bay", "", "the bay", "bay"),
    "laser-room": ("zone", "Laser room", "", "laser lab"),
    "store-room": ("zone", "Store room", "", "storage", "stock room"),
    "main-lights": ("light", "Main floor lights", "main-floor"),
    "farm-lights": ("light", "Print farm lights", "print-farm"),
    "bay-strip-1": ("light", "Bay strip 1", "welding-bay"),
    "bay-strip-2": ("light", "Bay strip 2", "welding-bay"),
    "laser-lights": ("light", "Laser room ceiling", "laser-room"),
    "store-lights": ("light", "Store room bulb", "store-room"),
    "bay-door": ("door", "Welding bay door", "welding-bay", "roller door"),
    "laser-door": ("door", "Laser room door", "laser-room"),
    "store-door": ("door", "Store room door", "store-room"),
    "laser-cutter": ("power", "Laser cutter", "laser-room", "laser", "Epilog"),
    "welder": ("power", "Welder", "welding-bay", "TIG welder", "welding machine"),
    "spindle": ("power", "CNC spindle", "main-floor", "CNC", "spindle", "mill"),
    "compressor": ("power", "Compressor", "main-floor", "air compressor"),
    "bamboo": ("printer", "Bamboo", "print-farm", "bambu", "H2D"),
    "giga": ("printer", "Giga", "print-farm", "the big printer", "OrangeStorm"),
    "snapmaker": ("printer", "Snapmaker", "print-farm", "snap"),
    "mk4": ("printer", "MK4", "print-farm", "prusa", "the small printer"),
    "main-cam": ("camera", "Main floor camera", "main-floor"),
    "farm-cam": ("camera", "Print farm camera", "print-farm"),
    "bay-cam": ("camera", "Welding bay camera", "welding-bay"),
    "laser-cam": ("camera", "Laser room camera", "laser-room"),
    "store-cam": ("camera", "Store room camera", "store-room"),
    "bay-sensor": ("sensor", "Welding bay sensor", "welding-bay", "welding bay smoke detector"),
    "laser-sensor": ("sensor", "Laser room sensor", "laser-room"),
    "cube": ("job", "Calibration cube", ""),
    "bracket": ("job", "Hinge bracket", ""),
    "gear": ("job", "Gear 40 teeth", "", "gear"),
    "bob": ("user", "Bob", ""),
    "ada": ("user", "Ada Lovelace", "", "Ada"),
}
NAMES = Names(
    version="lab-1",
    entries=tuple(
        _thing(key, kind, name, zone, *aliases)
        for key, (kind, name, zone, *aliases) in THINGS.items()
    ),
)
KEYS = {uid(key): key for key in THINGS}


def shown(arguments):
    """Return arguments with ids written as the lab's keys."""
    return {name: KEYS.get(value, value) for name, value in arguments.items()}


def many_names(count: int) -> Names:
    """Return the lab with `count` names in all."""
    zones = [_thing(f"hall-{n}", "zone", f"Hall {n}") for n in range(40)]
    lights = [
        _thing(f"lamp-{n}", "light", f"{WORDS[n % len(WORDS)]} lamp {n}", f"hall-{n % 40}")
        for n in range(count - len(zones) - len(NAMES.entries))
    ]
    return Names(version=f"lab-{count}", entries=(*NAMES.entries, *zones, *lights))


WORDS = [
    "Aisle",
    "Bench",
    "Ceiling",
    "Corner",
    "Desk",
    "Entry",
    "Gallery",
    "North",
    "Rack",
    "South",
]
