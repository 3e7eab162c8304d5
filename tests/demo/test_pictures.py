"""What cameras show: PNG files that a person can tell apart."""

import struct
import zlib
from datetime import UTC, datetime, timedelta

import pytest

from infra.demo.cameras import Eye
from infra.demo.picture import Canvas
from infra.demo.scenery import HEIGHT, WIDTH, Thing, View, draw

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
BIGGEST = 60 * 1024


def rows(png: bytes) -> tuple[list[bytes], bytes]:
    """Return the lines of colour numbers and the palette; every checksum must be right."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    chunks, at = {}, 8
    while at < len(png):
        (size,) = struct.unpack_from(">I", png, at)
        kind, body = png[at + 4 : at + 8], png[at + 8 : at + 8 + size]
        assert struct.unpack_from(">I", png, at + 8 + size) == (zlib.crc32(kind + body),)
        chunks[kind] = body
        at += 12 + size
    width, height = struct.unpack_from(">II", chunks[b"IHDR"])
    pixels = zlib.decompress(chunks[b"IDAT"])
    assert len(pixels) == (width + 1) * height
    lines = [pixels[y * (width + 1) + 1 : (y + 1) * (width + 1)] for y in range(height)]
    return lines, chunks[b"PLTE"]


def brightness(png: bytes) -> float:
    lines, palette = rows(png)
    shades = [sum(palette[3 * n : 3 * n + 3]) / 3 for n in range(len(palette) // 3)]
    return sum(shades[pixel] for line in lines for pixel in line) / (WIDTH * HEIGHT)


def lamp(scene: str | None, *, on: bool = True) -> Thing:
    return Thing(name="Lights", kind="light", state={"on": on, "scene": scene})


def test_one_sees_whether_the_lights_are_on() -> None:
    shots = [
        draw(View(zone="Welding bay", things=(each,)), NOW)
        for each in (lamp(None, on=False), lamp("night"), lamp("dim"), lamp("bright"))
    ]
    seen = [brightness(shot) for shot in shots]
    assert seen == sorted(seen)
    assert seen[-1] > 4 * seen[0]
    assert all(len(shot) < BIGGEST for shot in shots)


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("door", {"locked": True}, {"locked": False}),
        ("power", {"on": True}, {"on": False}),
        ("printer", {"status": "idle"}, {"status": "error"}),
        (
            "printer",
            {"status": "printing", "progress": 0.1},
            {"status": "printing", "progress": 0.6},
        ),
        ("printer", {}, {"status": "idle"}),
    ],
)
def test_one_sees_how_things_stand(kind: str, one: dict, other: dict) -> None:
    first, second = (
        draw(View(zone="Hall", things=(Thing(name="It", kind=kind, state=state),)), NOW)
        for state in (one, other)
    )
    assert rows(first) != rows(second)


def test_a_crowded_zone_still_fits_in_a_message() -> None:
    things = tuple(
        Thing(name=f"Printer number {n}", kind="printer", state={"status": "idle"})
        for n in range(40)
    )
    assert len(draw(View(zone="Z" * 200, things=things), NOW)) < BIGGEST


def test_what_lies_outside_the_picture_is_cut_off() -> None:
    canvas = Canvas(width=4, height=3)
    canvas.box(-5, -5, 50, 2, (1, 2, 3))
    canvas.box(9, 0, 12, 1, (9, 9, 9))
    canvas.box(0, 2, 4, 99, (4, 5, 6))
    lines, palette = rows(canvas.png())
    assert lines == [b"\0\0\0\0", b"\0\0\0\0", b"\1\1\1\1"]
    assert palette.startswith(bytes([1, 2, 3, 4, 5, 6]))


class Film:
    def __init__(self) -> None:
        self.shots: list[bytes] = []

    def publish(self, topic, payload, *, retain=False, wait=False, on_sent=None) -> None:
        assert topic == "kitty/devices/cam/snapshot"
        assert retain
        self.shots.append(payload)


def test_a_picture_is_published_on_change_at_most_every_five_seconds_and_every_minute() -> None:
    film, eye = Film(), Eye(camera="cam", zone="Hall", things={"lamp": lamp(None, on=False)})

    def look(second: int) -> int:
        eye.look(NOW + timedelta(seconds=second), film)
        return len(film.shots)

    assert [look(0), look(1), look(20)] == [1, 1, 1]
    eye.saw("lamp", {"on": True, "scene": None})
    assert look(21) == 2
    eye.saw("lamp", {"on": False, "scene": None})
    assert [look(22), look(25), look(26)] == [2, 2, 3]
    eye.saw("lamp in another zone", {"on": True})
    assert [look(40), look(85), look(86)] == [3, 3, 4]
    eye.forget()
    assert look(87) == 5
