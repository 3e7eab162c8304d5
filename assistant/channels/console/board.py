"""The live board on the page."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from assistant.channels.console import tiles
from assistant.channels.console.parts import BoardElement
from assistant.channels.console.visit import Visit
from assistant.feed import News
from safety.entities import DeviceId
from tools.desk import DeviceView

ONE_BY_ONE: Final = 4
"""Changed devices that are read one by one; more are read together."""

Say = Callable[[str], Awaitable[None]]


class Board:
    """Zones and devices; a tap says a sentence, so that it is gated and recorded like any other."""

    def __init__(self, visit: Visit, say: Say) -> None:
        self._visit = visit
        self._say = say
        self._shown: dict[str, Mapping[str, Any]] = {}
        self._element: BoardElement | None = None

    async def build(self, devices: Sequence[DeviceView]) -> None:
        """Show all zones."""
        services, now = self._visit.services, self._visit.services.now()
        zones = [
            tiles.zone_json(zone, devices, self._picture_at, now)
            for zone in await services.lab.zones()
        ]
        self._shown = {tile["id"]: tile for zone in zones for tile in zone["tiles"]}
        self._element = BoardElement(
            zones=zones, now=now, on_tap=self._tapped, on_safe=self._made_safe
        )
        self._element.classes("k-fill")

    async def on_device(self, news: Sequence[News]) -> None:
        """Read the changed devices again and send the tiles that look different."""
        changed = {str(each.body.get("id")) for each in news} & self._shown.keys()
        everything = any(each.missed for each in news)
        views = await self._read(set(self._shown) if everything else changed)
        now = self._visit.services.now()
        fresh = [tiles.tile_json(view, self._picture_at, now) for view in views]
        different = [tile for tile in fresh if not _same(tile, self._shown.get(tile["id"]))]
        if different and self._element is not None:
            self._shown |= {tile["id"]: tile for tile in different}
            self._element.put(different)

    async def _read(self, wanted: set[str]) -> Sequence[DeviceView]:
        lab = self._visit.services.lab
        if len(wanted) > ONE_BY_ONE:
            return [view for view in await lab.devices() if str(view.device.id) in wanted]
        found = [await lab.device(DeviceId(UUID(each))) for each in sorted(wanted)]
        return [view for view in found if view is not None]

    def _picture_at(self, device: DeviceId) -> Any:
        snapshot = self._visit.services.snapshot(device)
        return None if snapshot is None else snapshot.taken_at

    async def _tapped(self, arguments: Mapping[str, Any]) -> None:
        view = await self._named(arguments)
        if view is not None and self._shown[str(view.device.id)]["tap"]:
            await self._say(tiles.toggle_sentence(view))

    async def _made_safe(self, arguments: Mapping[str, Any]) -> None:
        view = await self._named(arguments)
        sentence = None if view is None else tiles.safe_sentence(view)
        if sentence is not None:
            await self._say(sentence)

    async def _named(self, arguments: Mapping[str, Any]) -> DeviceView | None:
        wanted = str(arguments.get("id"))
        if wanted not in self._shown:
            return None
        return await self._visit.services.lab.device(DeviceId(UUID(wanted)))


def _same(tile: Mapping[str, Any], before: Mapping[str, Any] | None) -> bool:
    """Tell whether two tiles look the same; an end that moves by under 30 s does not count."""
    if before is None:
        return False
    if tile["ends_at"] and before["ends_at"]:
        moved = abs(tiles.moment(tile["ends_at"]) - tiles.moment(before["ends_at"]))
        return {**tile, "ends_at": None} == {**before, "ends_at": None} and moved < tiles.SLIGHT
    return dict(tile) == dict(before)
