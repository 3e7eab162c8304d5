"""What the saver leaves out, and what it must not."""

from typing import TypedDict
from uuid import uuid4

import pytest
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, interrupt

from infra.checkpoints import NEW, PooledSaver
from infra.db import StorePool

pytestmark = pytest.mark.anyio


class State(TypedDict, total=False):
    text: str


def graph(saver: PooledSaver, ran: list[str], *, dies: bool = False):
    async def first(state: State) -> State:
        ran.append("first")
        return {"text": "a"}

    async def second(state: State) -> State:
        ran.append("second")
        if dies and ran.count("second") == 1:
            raise RuntimeError("killed here")
        return {"text": state["text"] + interrupt("more?")}

    built = StateGraph(State)
    built.add_node("first", first)
    built.add_node("second", second)
    built.add_edge(START, "first")
    built.add_edge("first", "second")
    built.add_edge("second", END)
    return built.compile(checkpointer=saver)


def config(thread: str, *, new: bool):
    return {"configurable": {"thread_id": thread, NEW: new}}


@pytest.fixture
async def saver(pool: StorePool) -> PooledSaver:
    made = PooledSaver(pool)
    await made.setup()
    return made


async def test_nothing_is_kept_before_the_first_node_has_ended(pool: StorePool, saver: PooledSaver):
    thread, ran = str(uuid4()), []
    await graph(saver, ran).ainvoke({}, config(thread, new=True), durability="sync")
    async with pool.connection() as connection:
        rows = await connection.execute(
            "select (metadata ->> 'step')::int from checkpoints where thread_id = %s order by 1",
            (thread,),
        )
        assert await rows.fetchall() == [(1,)]
        blobs = await connection.execute("select count(*) from checkpoint_blobs")
        assert await blobs.fetchone() == (0,)


async def test_a_turn_goes_on_where_it_waits(saver: PooledSaver):
    thread, ran = str(uuid4()), []
    one = graph(saver, ran)
    await one.ainvoke({}, config(thread, new=True), durability="sync")
    other = graph(saver, ran)
    end = await other.ainvoke(Command(resume="b"), config(thread, new=False), durability="sync")
    assert end == {"text": "ab"}
    assert ran == ["first", "second", "second"]


async def test_a_turn_that_was_cut_off_goes_on_after_its_last_node(saver: PooledSaver):
    thread, ran = str(uuid4()), []
    with pytest.raises(RuntimeError, match="killed here"):
        await graph(saver, ran, dies=True).ainvoke({}, config(thread, new=True), durability="sync")
    state = await graph(saver, ran).aget_state(config(thread, new=False))
    assert state.next == ("second",)
    await graph(saver, ran).ainvoke(None, config(thread, new=False), durability="sync")
    assert ran == ["first", "second", "second"]
