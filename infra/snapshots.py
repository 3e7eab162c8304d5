"""The newest picture of each camera, in memory."""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from infra.wire import MAX_SNAPSHOT
from safety.entities import DeviceId

_KEPT: Final = 256
"""Cameras whose picture is kept; the one that has been silent longest goes first."""
_MAGIC: Final = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One picture."""

    image: bytes = field(repr=False)
    media_type: str
    """`image/png` or `image/jpeg`."""
    taken_at: datetime
    """When it reached us; for one kept by the broker, when the camera was last heard."""
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture as it came."""

    external_id: str
    image: bytes = field(repr=False)
    media_type: str
    fresh: bool
    """False if the broker had kept it from earlier."""


def media_type_of(image: bytes) -> str | None:
    """Return the picture's media type by its first bytes; None if it is too large or no picture."""
    if len(image) > MAX_SNAPSHOT:
        return None
    return next((media for magic, media in _MAGIC if image.startswith(magic)), None)


class SnapshotShelf:
    """Keeps the newest picture of each camera."""

    def __init__(self) -> None:
        self._kept: OrderedDict[DeviceId, Snapshot] = OrderedDict()

    def put(self, device: DeviceId, image: bytes, *, media_type: str, taken_at: datetime) -> None:
        """Keep a picture in place of the camera's last one."""
        self._kept[device] = Snapshot(
            image=image,
            media_type=media_type,
            taken_at=taken_at,
            sha256=hashlib.sha256(image).hexdigest(),
        )
        self._kept.move_to_end(device)
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)

    def get(self, device: DeviceId) -> Snapshot | None:
        """Return the camera's newest picture."""
        return self._kept.get(device)
