"""What a call proposes keeps its key when it is made again after a part of it was done."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from safety.actions import Action, CutPower, LockDoor, PausePrint
from safety.entities import DeviceId, ZoneId
from tools.run import _named

ACTIONS = st.builds(
    lambda kind, number: kind(device=DeviceId(UUID(int=number)), zone=ZoneId(UUID(int=99))),
    st.sampled_from([CutPower, LockDoor, PausePrint]),
    st.integers(1, 5),
)


@given(st.lists(ACTIONS, unique=True), st.data())
def test_fewer_actions_keep_their_names(actions: list[Action], data: st.DataObject) -> None:
    left = [each for each in actions if data.draw(st.booleans())]
    before = {action: name for name, action in _named(actions)}
    assert {action: name for name, action in _named(left)} == {a: before[a] for a in left}
    assert len(set(before.values())) == len(actions)


@given(st.lists(ACTIONS))
def test_no_two_actions_share_a_name(actions: list[Action]) -> None:
    names = [name for name, _ in _named(actions)]
    assert len(set(names)) == len(names)
