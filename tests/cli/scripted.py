"""A KITTY server that says what a test tells it to, over a real socket."""

import base64
import json
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from safety.actions import Action, UnlockDoor
from safety.canonical import canonical, digest, event_document
from safety.entities import (
    AccessPolicy,
    Device,
    DeviceId,
    DeviceKind,
    EventId,
    Hazard,
    HazardLevel,
    PolicyId,
    Role,
    User,
    UserId,
    Zone,
    ZoneId,
)

TOKEN = "a-token-for-tests"
EVENT = "3f2a1b7c-0000-4000-8000-000000000001"
CONVERSATION = "c0000000-0000-4000-8000-000000000001"


@dataclass
class Ran:
    """What one run of `kitt` left behind."""

    code: int
    out: str
    err: str


Kitt = Callable[..., Ran]


@dataclass
class Asked:
    method: str
    path: str
    query: dict[str, str]
    body: Any
    authorization: str | None


@dataclass
class Answer:
    body: Any = None
    status: int = 200
    stream: "Iterable[bytes] | None" = None


def sse(name: str, data: dict[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


def error(status: int, code: str, message: str) -> Answer:
    envelope = {"code": code, "message": message, "retryable": False, "correlation_id": "x"}
    return Answer(envelope, status)


def live(queue: "Queue[bytes | None]") -> Iterator[bytes]:
    """Stream what is put into the queue, until None."""
    yield b": hello\n\n"
    while (piece := queue.get()) is not None:
        yield piece


@dataclass
class Scripted:
    url: str = ""
    answers: dict[tuple[str, str], Answer] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def on(self, method: str, path: str, body: Any = None, status: int = 200) -> None:
        self.answers[method, path] = body if isinstance(body, Answer) else Answer(body, status)

    def last(self, method: str, path: str) -> Asked:
        return [each for each in self.asked if (each.method, each.path) == (method, path)][-1]


@contextmanager
def running() -> Iterator[Scripted]:
    script = Scripted()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _do(self) -> None:
            parts = urlsplit(self.path)
            size = int(self.headers.get("Content-Length") or 0)
            query = {name: each[0] for name, each in parse_qs(parts.query).items()}
            body = json.loads(self.rfile.read(size)) if size else None
            bearer = self.headers.get("Authorization")
            script.asked.append(Asked(self.command, parts.path, query, body, bearer))
            answer = script.answers.get((self.command, parts.path))
            if bearer != f"Bearer {TOKEN}":
                answer = error(401, "unauthenticated", "This token is not known.")
            self._send(answer or error(404, "not_found", "There is no such thing."))

        def _send(self, answer: Answer) -> None:
            self.send_response(answer.status)
            if answer.stream is None:
                content = json.dumps(answer.body).encode()
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
                return
            self.close_connection = True
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            with suppress(ConnectionError):  # the client may leave first
                for piece in answer.stream:
                    self.wfile.write(piece)
                    self.wfile.flush()

        def log_message(self, *_: object) -> None:
            pass

        do_GET = do_POST = do_PATCH = do_DELETE = _do  # noqa: N815  # http.server finds its methods by name

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    script.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield script
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


def document(
    action: Action | None = None, *, name: str = "Welding bay door", asker: str = "Olga Operator"
) -> dict[str, Any]:
    """Return what is signed, made by the product's own code."""
    zone = Zone(
        id=ZoneId(UUID(int=1)), slug="welding-bay", name="Welding bay",
        hazard_level=HazardLevel.HIGH, requires_ppe=True,
    )  # fmt: skip
    device = Device(
        id=DeviceId(UUID(int=2)), external_id="welding-bay-door", name=name,
        kind=DeviceKind.DOOR, zone=zone.id,
    )  # fmt: skip
    policy = AccessPolicy(
        id=PolicyId(UUID(int=3)), name="welding", zone=zone.id, requires_presence=True,
        required_roles=frozenset({Role.SAFETY, Role.ENGINEER}),
        pqe_checks={"items": ["welding helmet"]},
    )  # fmt: skip
    now = datetime.now(UTC)
    return event_document(
        event=EventId(UUID(EVENT)),
        action=action or UnlockDoor(device=device.id, zone=zone.id, seconds=10),
        device=device,
        zone=zone,
        policy=policy,
        requester=User(
            id=UserId(UUID(int=4)), display_name=asker, handle="operator",
            roles=frozenset({Role.OPERATOR}),
        ),
        hazard=Hazard.HIGH,
        quorum=2,
        state={"locked": True},
        evidence={},
        nonce="n" * 22,
        not_before=now - timedelta(seconds=1),
        expires_at=now + timedelta(minutes=5),
        tainted=False,
    )  # fmt: skip


def event_of(body: bytes, **changed: Any) -> dict[str, Any]:
    """Return GET /api/safety/events/{id} about these bytes."""
    return {
        "id": EVENT,
        "status": "pending",
        "what": "unlock the welding bay door for 10 s",
        "hazard": "high",
        "needs": ["a signature of an engineer or safety officer"],
        "signed_by": [],
        "requested_by": "operator",
        "created_at": "2026-01-01T00:00:00+00:00",
        "expires_at": (datetime.now(UTC) + timedelta(minutes=5)).isoformat(),
        "outcome": None,
        "reason": None,
        "canonical": base64.b64encode(body).decode(),
        "digest": digest(body).hex(),
    } | changed


def offer(script: Scripted, body: bytes | None = None, **changed: Any) -> bytes:
    """Let one event wait for approval; return the bytes to sign."""
    body = canonical(document()) if body is None else body
    event = event_of(body, **changed)
    script.on("GET", "/api/safety/events", {"items": [event], "next_cursor": None})
    script.on("GET", f"/api/safety/events/{EVENT}", event)
    return body


def answer_of(text: str = "The lights are on.", **changed: Any) -> dict[str, Any]:
    """Return an answer of POST /api/query."""
    return {
        "conversation_id": CONVERSATION,
        "request_id": "d0000000-0000-4000-8000-000000000001",
        "replies": [{"role": "assistant", "text": text, "spoken": text}],
        "calls": [],
        "routing": {"selected_tier": "local", "confidence": 0.99},
        "pending_hazard": None,
        "question": None,
        "artifacts": [],
        "citations": [],
    } | changed


def waiting(prompt: str = "Unlock the welding bay door for 10 s") -> dict[str, Any]:
    return {
        "safety_event_id": EVENT,
        "prompt": prompt,
        "needs": ["a signature of an engineer or safety officer"],
        "approve_url": f"/approve/{EVENT}",
        "expires_at": (datetime.now(UTC) + timedelta(minutes=5)).isoformat(),
        "hazard": "high",
    }
