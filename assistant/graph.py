"""One turn as a LangGraph: understand, route, act, respond, wait for approval, report.

    understand -> route -> act -> respond -+-> (end)
                                           +-> wait -> report -> (end, or wait again)

Every node can be killed and run again: decisions, commands, events and messages have ids that
follow from the request's, and their tables take each id once.  The graph holds only the ids of
SafetyEvents; what was asked, approved and done is the ledger's, and `wait` reads it there.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypedDict
from uuid import UUID, uuid5

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command, interrupt

from assistant.act import Actor
from assistant.codec import (
    decision_json,
    dump_reading,
    load_reading,
    turn_json,
    worst,
)
from assistant.gathered import Gathered
from assistant.respond import compose
from assistant.turn import Event, Finished, Routed, Utterance
from assistant.understanding.dialogue import Dialogue
from assistant.understanding.names import Names
from assistant.understanding.reading import Reading, Unknown
from assistant.words import settled_words
from infra.store.conversations import Closing, Conversations, Message
from infra.store.routing_log import RoutingLog
from routing.decision import RoutingDecision, Tier
from routing.router import COST, Choice, Features, Thresholds, choose
from safety.entities import EventId
from safety.gate import Gate
from safety.records import Outcome, Pending

MODEL: Final = "grammar/1"
"""What understands in the local tier."""


class State(TypedDict, total=False):
    """What the checkpoint keeps of a turn: small, and text only.

    Text lies in the checkpoint's own row; anything else would cost a row of its own each time.
    """

    reading: str
    """JSON."""
    dialogue: str
    """JSON: what the conversation remembered when the turn began."""
    decision: str
    """JSON."""
    unavailable: str
    gathered: str
    """JSON."""
    events: str
    """SafetyEvents that still wait, separated by spaces."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turning:
    """What the nodes are given for one turn."""

    utterance: Utterance
    input_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the graph is made of."""

    read: Callable[[str, Names, Dialogue, datetime], Reading]
    after: Callable[..., Dialogue]
    load: Callable[[Mapping[str, Any]], Dialogue]
    dump: Callable[[Dialogue], Mapping[str, Any]]
    names: Callable[[], Names]
    actor: Actor
    gate: Gate
    conversations: Conversations
    routing: RoutingLog
    thresholds: Thresholds
    tiers: tuple[Tier, ...]
    now: Callable[[], datetime]
    told: Callable[[Message, Mapping[str, Any]], None]
    """Called after a later message was stored, to tell whoever is looking."""
    decided: Callable[[RoutingDecision], None]
    closed: Callable[[Utterance, Mapping[str, Any], Mapping[str, Any], int], None]
    """Called once when a turn is stored: utterance, body, state, latency in ms."""


Compiled = CompiledStateGraph[State, Turning, State, State]


def build(parts: Parts, checkpointer: BaseCheckpointSaver[Any]) -> Compiled:
    """Compile the graph."""
    nodes = Nodes(parts)
    graph: StateGraph[State, Turning, State, State] = StateGraph(State, context_schema=Turning)
    graph.add_node("understand", nodes.understand)
    graph.add_node("route", nodes.route)
    graph.add_node("act", nodes.act)
    graph.add_node("respond", nodes.respond)
    graph.add_node("wait", nodes.wait, destinations=("wait", "report"))
    graph.add_node("report", nodes.report)
    graph.add_edge(START, "understand")
    graph.add_edge("understand", "route")
    graph.add_edge("route", "act")
    graph.add_edge("act", "respond")
    graph.add_conditional_edges("respond", _waits, {"wait": "wait", "end": END})
    graph.add_conditional_edges("report", _waits, {"wait": "wait", "end": END})
    return graph.compile(checkpointer=checkpointer)


async def _waits(state: State) -> str:
    # Async, or LangGraph hands it to a thread of its own at every turn.
    return "wait" if state.get("events") else "end"


class Nodes:
    """The steps of a turn."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def understand(self, state: State, runtime: Runtime[Turning]) -> State:  # noqa: ARG002
        """Read the words against the live names and what was said before."""
        utterance = runtime.context.utterance
        stored = await self._parts.conversations.state(utterance.conversation)
        reading = self._parts.read(
            utterance.text, self._parts.names(), self._parts.load(stored), utterance.at
        )
        return {"reading": _text(dump_reading(reading)), "dialogue": _text(stored)}

    async def route(self, state: State, runtime: Runtime[Turning]) -> State:
        """Choose the tier and store the decision before anything else happens."""
        parts, utterance = self._parts, runtime.context.utterance
        reading = load_reading(json.loads(state["reading"]))
        features = Features(
            confidence=getattr(reading, "confidence", 1.0),
            understood=not isinstance(reading, Unknown),
            rule=getattr(reading, "rule", type(reading).__name__.lower()),
            forced=utterance.force_tier,
            configured=parts.tiers,
        )
        choice = choose(features, parts.thresholds)
        decision = _decision(runtime.context, features, choice, parts.thresholds, parts.now())
        await parts.routing.write(decision)
        parts.decided(decision)
        _emit(runtime, Routed(decision=decision))
        return {
            "decision": _text(decision_json(decision)),
            "unavailable": choice.unavailable.value if choice.unavailable else "",
        }

    async def act(self, state: State, runtime: Runtime[Turning]) -> State:
        """Call the tools; what they propose goes through the gate."""
        reading = load_reading(json.loads(state["reading"]))
        gathered = await self._parts.actor.act(
            reading, runtime.context.utterance, lambda event: _emit(runtime, event)
        )
        return {"gathered": _text(gathered.as_json()), "events": " ".join(gathered.events)}

    async def respond(self, state: State, runtime: Runtime[Turning]) -> State:
        """Put it into words and store the answer, the state and the decision's end at once."""
        parts, utterance = self._parts, runtime.context.utterance
        gathered = Gathered.from_json(json.loads(state["gathered"]))
        reading = load_reading(json.loads(state["reading"]))
        turn = compose(
            utterance, reading, gathered, json.loads(state["decision"]), state["unavailable"]
        )
        now = parts.now()
        latency = max(0, round((now - utterance.at).total_seconds() * 1000))
        dialogue = parts.after(
            parts.load(json.loads(state["dialogue"])),
            gathered.reading or reading,
            now,
            event=gathered.confirm,
        )
        body = turn_json(turn)
        body["routing"] = dict(body["routing"]) | {"latency_ms": latency}
        closing = Closing(
            request=utterance.request,
            conversation=utterance.conversation,
            result=body,
            reply=Message(
                id=uuid5(utterance.request, "reply"),
                conversation=utterance.conversation,
                request=utterance.request,
                role="assistant",
                text="\n".join(said.text for said in turn.said),
                spoken=" ".join(said.spoken or said.text for said in turn.said),
                meta={
                    key: body[key]
                    for key in ("calls", "pending_hazard", "question", "artifacts")
                    if body[key]
                },
                created_at=now,
            ),
            state=parts.dump(dialogue),
            outcome=worst(turn.calls),
            latency_ms=latency,
            at=now,
        )
        if await parts.conversations.close(closing):
            parts.closed(utterance, body, closing.state, latency)
        else:
            # A turn that was killed here before: what was stored then is the answer.
            earlier = await parts.conversations.request(utterance.request)
            body = dict(earlier.result or body) if earlier is not None else body
        for said in turn.said:
            _emit(runtime, said)
        _emit(runtime, Finished(body=body))
        return {}

    async def wait(self, state: State) -> Command[str]:
        """Stand still until the ledger says that something waiting has ended."""
        standing = [await self._standing(each) for each in state["events"].split()]
        if all(isinstance(outcome, Pending) for outcome in standing):
            interrupt(state["events"])
            return Command(goto="wait")
        return Command(goto="report")

    async def report(self, state: State, runtime: Runtime[Turning]) -> State:
        """Tell the conversation how what was waiting ended: what the receipt shows, no more."""
        still = []
        for each in state["events"].split():
            outcome = await self._standing(each)
            if isinstance(outcome, Pending):
                still.append(each)
                continue
            await self._tell(UUID(each), outcome, runtime.context.utterance, state)
        return {"events": " ".join(still)}

    async def _standing(self, event: str) -> Outcome:
        return await self._parts.gate.standing(EventId(UUID(event)))

    async def _tell(
        self, event: UUID, outcome: Outcome, utterance: Utterance, state: State
    ) -> None:
        parts = self._parts
        act = next(
            each
            for each in Gathered.from_json(json.loads(state["gathered"])).waiting
            if each.event == str(event)
        )
        text = settled_words(act.action, outcome, act.device)
        message = Message(
            id=uuid5(event, "outcome"),
            conversation=utterance.conversation,
            request=utterance.request,
            role="assistant",
            text=text,
            meta={"event_id": str(event), "outcome": type(outcome).__name__.lower()},
            created_at=parts.now(),
        )
        if await parts.conversations.report(message, type(outcome).__name__.lower(), None):
            parts.told(message, message.meta)


def _decision(
    turning: Turning, features: Features, choice: Choice, thresholds: Thresholds, now: datetime
) -> RoutingDecision:
    utterance = turning.utterance
    return RoutingDecision(
        id=uuid5(utterance.request, "decision"),
        conversation=utterance.conversation,
        request=utterance.request,
        input_hash=turning.input_hash,
        selected_tier=choice.tier,
        confidence=features.confidence,
        cost_estimate=COST[choice.tier],
        escalation_reason=choice.reason,
        performed_by=utterance.speaker.id,
        created_at=now,
        features_hash=features.digest,
        threshold_version=thresholds.version,
        model=MODEL,
        rule=features.rule,
        channel=utterance.channel,
        forced=utterance.force_tier is not None,
    )


def _text(value: Mapping[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _emit(runtime: Runtime[Turning], event: Event) -> None:
    runtime.stream_writer(event)
