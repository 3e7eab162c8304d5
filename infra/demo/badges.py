"""Badge readers: who is in which zone, as people go on their rounds."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from infra.demo.device import Wire
from infra.demo.plan import Person, Zone
from infra.demo.wire import encode, stamp

ROUND_SECONDS: Final = 60.0
SECOND_ROUND_SECONDS: Final = 5.0
"""After a connection has come up."""
EVERYWHERE: Final = "operator"
"""A person with this role alone walks through every zone."""
STATUSES: Final = frozenset({"present", "vacated", "unknown"})


def rounds(people: Sequence[Person], zones: Sequence[Zone]) -> Mapping[str, set[str]]:
    """Return who walks through each zone (handles by slug).

    Operators go everywhere; others where the zone's policy asks for one of their roles.
    """
    return {
        zone.slug: {
            person.handle
            for person in people
            if person.roles == {EVERYWHERE} or (person.roles - {EVERYWHERE}) & zone.required_roles
        }
        for zone in zones
    }


class Badges:
    """The badge readers of all zones."""

    def __init__(self, *, people: Mapping[str, set[str]], now: Callable[[], datetime]) -> None:
        """`people` are the handles of those who walk through each zone."""
        self._people = people
        self._now = now
        self._wires: dict[str, Wire] = {}

    def attach(self, zone: str, wire: Wire) -> None:
        """Give a zone's reader the wire it speaks on."""
        self._wires[zone] = wire

    def walk(self, zone: str) -> None:
        """Say who is in a zone."""
        for handle in sorted(self._people[zone]):
            self._say(zone, handle, "present")

    def on_order(self, order: Mapping[str, Any]) -> None:
        """Let somebody come or go: `{"user": ..., "zone": ..., "status": ...}`."""
        zone, user, status = (order.get(name) for name in ("zone", "user", "status"))
        if not isinstance(zone, str) or not isinstance(user, str) or status not in STATUSES:
            return
        if zone not in self._people:
            return
        if status == "present":
            self._people[zone].add(user)
        else:
            self._people[zone].discard(user)
        self._say(zone, user, status)

    def _say(self, zone: str, user: str, status: str) -> None:
        message = {
            "v": 1,
            "user": user,
            "status": status,
            "source": "unifi",
            "observed_at": stamp(self._now()),
        }
        self._wires[zone].publish(f"kitty/presence/{zone}", encode(message))
