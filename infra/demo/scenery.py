"""What a camera sees: a zone with its lamps, doors and machines, as a picture."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from infra.demo.picture import WIDTH_PER_LETTER, Canvas, Colour, dimmed

WIDTH: Final = 640
HEIGHT: Final = 360
FLOOR_Y: Final = 240
DARK: Final = 0.12
"""How much one sees when all lights are off."""
SCENE_LIGHT: Final = {"bright": 1.0, "video": 0.9, "dim": 0.45, "night": 0.25}

WALL: Final = (168, 178, 190)
FLOOR: Final = (128, 122, 112)
METAL: Final = (92, 100, 112)
WOOD: Final = (120, 84, 56)
BLACK: Final = (12, 14, 18)
WHITE: Final = (240, 242, 245)
GREY: Final = (120, 126, 134)
GREEN: Final = (64, 200, 110)
RED: Final = (226, 72, 66)
AMBER: Final = (246, 190, 70)
LAMP: Final = (255, 240, 190)


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """One device in the picture."""

    name: str
    kind: str
    state: Mapping[str, Any]
    """As docs/mqtt.md lists it; empty while nothing is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Everything that decides how the picture looks, but for the clock."""

    zone: str
    things: tuple[Thing, ...]

    @property
    def light(self) -> float:
        """How bright the zone is, 0 to 1."""
        lamps = [lamp(thing) for thing in self.things if thing.kind == "light"]
        return max([DARK, *lamps])

    @property
    def visible(self) -> tuple[object, ...]:
        """What the picture depends on; two views that share it look the same."""
        return tuple((caption(thing), lamp(thing)) for thing in self.things)


def lamp(thing: Thing) -> float:
    """Return how bright a light is, 0 to 1."""
    if thing.state.get("on") is not True:
        return 0.0
    return SCENE_LIGHT.get(str(thing.state.get("scene")), 0.85)


def caption(thing: Thing) -> tuple[str, Colour]:
    """Return a thing's state in a word or two, with the colour of its lamp."""
    state = thing.state
    if not state:
        return "no signal", GREY
    match thing.kind:
        case "door":
            return ("locked", RED) if state.get("locked") else ("unlocked", GREEN)
        case "printer" if state.get("status") in {"printing", "paused"}:
            percent = round(100 * float(state.get("progress") or 0))
            return f"{state['status']} {percent}%", AMBER
        case "printer":
            status = str(state.get("status"))
            return status, RED if status == "error" else GREEN
        case _:
            return ("on", GREEN) if state.get("on") else ("off", GREY)


def draw(view: View, at: datetime) -> bytes:
    """Return the picture as PNG."""
    canvas = Canvas(width=WIDTH, height=HEIGHT)
    canvas.box(0, 0, WIDTH, FLOOR_Y, dimmed(WALL, view.light))
    canvas.box(0, FLOOR_Y, WIDTH, HEIGHT, dimmed(FLOOR, view.light))
    for y in range(FLOOR_Y + 24, HEIGHT, 32):
        canvas.box(0, y, WIDTH, y + 2, dimmed(FLOOR, view.light * 0.8))
    lights = [thing for thing in view.things if thing.kind == "light"]
    for place, thing in enumerate(lights):
        _draw_lamp(canvas, thing, left=WIDTH * (2 * place + 1) // (2 * len(lights)) - 70)
    others = [thing for thing in view.things if thing.kind != "light"]
    for place, thing in enumerate(others):
        room = WIDTH // len(others)
        _draw_thing(canvas, thing, left=place * room, room=room, light=view.light)
    canvas.box(0, 0, WIDTH, 30, BLACK)
    canvas.text(10, 8, view.zone, WHITE)
    stamp = f"{at:%Y-%m-%d %H:%M:%S} UTC"
    canvas.text(WIDTH - 10 - len(stamp) * WIDTH_PER_LETTER * 2, 8, stamp, WHITE)
    return canvas.png()


def _draw_lamp(canvas: Canvas, thing: Thing, *, left: int) -> None:
    light = lamp(thing)
    for step in range(8 if light else 0):
        glow = dimmed(LAMP, min(1.0, light * (1.0 - step * 0.045)))
        canvas.box(left - step * 5, 62 + step * 6, left + 140 + step * 5, 68 + step * 6, glow)
    canvas.box(left + 66, 30, left + 74, 48, BLACK)
    canvas.box(left, 48, left + 140, 62, dimmed(LAMP, light) if light else METAL)


def _draw_thing(canvas: Canvas, thing: Thing, *, left: int, room: int, light: float) -> None:
    middle = left + room // 2
    words, colour = caption(thing)
    match thing.kind:
        case "door":
            canvas.box(middle - 40, 118, middle + 40, FLOOR_Y + 10, dimmed(METAL, light))
            canvas.box(middle - 33, 125, middle + 33, FLOOR_Y + 10, dimmed(WOOD, light))
            canvas.box(middle + 16, 184, middle + 28, 196, colour)
        case "printer":
            _draw_printer(canvas, thing, middle=middle, light=light)
            canvas.box(middle + 34, 150, middle + 46, 162, colour)
        case _:
            canvas.box(middle - 42, 168, middle + 42, FLOOR_Y + 30, dimmed(METAL, light))
            canvas.box(middle - 8, 180, middle + 8, 196, colour)
    fits = room // (WIDTH_PER_LETTER * 2) - 1
    for line, (text, shade) in enumerate(((thing.name, WHITE), (words, colour))):
        written = text[:fits]
        start = middle - len(written) * WIDTH_PER_LETTER
        top = 296 + line * 24
        canvas.box(start - 4, top - 4, start + len(written) * 12 + 2, top + 18, BLACK)
        canvas.text(start, top, written, shade)


def _draw_printer(canvas: Canvas, thing: Thing, *, middle: int, light: float) -> None:
    canvas.box(middle - 52, 144, middle + 52, FLOOR_Y + 30, dimmed(METAL, light))
    canvas.box(middle - 42, 166, middle + 42, FLOOR_Y + 16, dimmed(BLACK, light))
    progress = float(thing.state.get("progress") or 0)
    grown = round(60 * progress)
    canvas.box(middle - 22, FLOOR_Y + 12 - grown, middle + 22, FLOOR_Y + 12, AMBER)
    canvas.box(middle - 42, FLOOR_Y + 20, middle + 42, FLOOR_Y + 26, BLACK)
    canvas.box(middle - 42, FLOOR_Y + 20, middle - 42 + round(84 * progress), FLOOR_Y + 26, GREEN)
