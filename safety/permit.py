"""Leave to carry out one action, once.  Only the gate can build one."""

from collections.abc import Awaitable, Callable
from dataclasses import InitVar, dataclass
from datetime import datetime
from typing import Any, Generic, NoReturn, Protocol, SupportsIndex, TypeVar, final

from safety.actions import Action
from safety.entities import CommandId, Device, EventId
from safety.envelope import Envelope
from safety.records import Receipt

A = TypeVar("A", bound=Action)
A_co = TypeVar("A_co", bound=Action, covariant=True)
A_contra = TypeVar("A_contra", bound=Action, contravariant=True)


@final
class _Seal:
    """Held by the gate alone."""


_SEAL = _Seal()


@final
@dataclass(frozen=True, slots=True)
class Permit(Generic[A_co]):
    """What a driver is handed: the approved action and how long it may be carried out.

    Building one without the gate's seal is an error for the type checkers and at run time.
    """

    action: A_co
    device: Device
    command: CommandId
    event: EventId | None
    issued_at: datetime
    deadline: datetime
    correlation: str
    envelope: Envelope | None
    """The people's signatures over it, for the check at the edge; None if it needed none."""
    seal: InitVar[_Seal]

    def __post_init__(self, seal: _Seal) -> None:
        if seal is not _SEAL:
            raise TypeError("only the gate issues permits")

    def __reduce_ex__(self, protocol: SupportsIndex, /) -> NoReturn:
        raise TypeError("a permit is neither copied nor stored")

    def __setstate__(self, state: object) -> NoReturn:
        raise TypeError("a permit is neither copied nor stored")


class Driver(Protocol[A_contra]):
    """Carries out one kind of action.

    `before_send` must be awaited once, right before the command can first reach the wire:
    from then on a lost answer means "unknown", not "failed".  When the command must not be
    sent (any more) it raises: nothing is sent then, and the driver lets the error pass.
    """

    async def __call__(
        self, permit: Permit[A_contra], /, *, before_send: Callable[[], Awaitable[None]]
    ) -> Receipt: ...


class Drivers:
    """Which driver carries out which kind of action."""

    def __init__(self) -> None:
        self._by_kind: dict[type[Action], Driver[Any]] = {}

    def add(self, kind: type[A], driver: Driver[A]) -> None:
        """Let `driver` carry out actions of exactly this kind; twice is an error."""
        if kind in self._by_kind:
            raise ValueError(f"{kind.__name__} already has a driver")
        self._by_kind[kind] = driver

    def find(self, action: A) -> Driver[A] | None:
        """Return the driver for this very kind of action."""
        return self._by_kind.get(type(action))
