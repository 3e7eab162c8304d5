"""The names of people's things, as a snapshot that the grammar matches against."""

from dataclasses import dataclass

from safety.entities import DeviceKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """One thing with everything people call it."""

    id: str
    """Id as text, passed on as the tool's argument."""
    kind: str
    """A DeviceKind value, or `zone`, `job`, `user`."""
    name: str
    aliases: tuple[str, ...] = ()
    zone: str = ""
    """Id of the zone it stands in; empty where that has no meaning."""
    intents: frozenset[str] = frozenset()
    """What the device can be told; empty for other things."""
    values: tuple[str, ...] = ()
    """Names that belong to it, for example a light's scenes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """All names at one moment; `version` changes when any of them does."""

    version: str
    entries: tuple[Name, ...] = ()

    def of_kind(self, *kinds: str | DeviceKind) -> tuple[Name, ...]:
        """Return the entries of these kinds."""
        wanted = {str(kind) for kind in kinds}
        return tuple(entry for entry in self.entries if entry.kind in wanted)
