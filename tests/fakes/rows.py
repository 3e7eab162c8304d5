"""Valid rows of every table, each made in one line; what a test cares about is overridden."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)

Row = dict[str, Any]


def _plain(value: Any) -> Any:
    return Jsonb(value) if isinstance(value, Mapping) else value


class Rows:
    """Inserts, changes and reads rows over one connection."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection

    # -- any table --------------------------------------------------------------------------

    def insert(self, table: str, /, **values: Any) -> Row:
        statement = sql.SQL("insert into {} ({}) values ({}) returning *").format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, values)),
            sql.SQL(", ").join(map(sql.Placeholder, values)),
        )
        return self._one(statement, {name: _plain(value) for name, value in values.items()})

    def update(self, table: str, row: Row, /, **values: Any) -> Row:
        changes = [
            sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder(name))
            for name in values
        ]
        statement = sql.SQL("update {} set {} where id = {} returning *").format(
            sql.Identifier(table), sql.SQL(", ").join(changes), sql.Placeholder("_id")
        )
        plain = {name: _plain(value) for name, value in values.items()}
        return self._one(statement, {**plain, "_id": row["id"]})

    def delete(self, table: str, row: Row, /) -> None:
        self.connection.execute(
            sql.SQL("delete from {} where id = %s").format(sql.Identifier(table)), (row["id"],)
        )

    def get(self, table: str, row: Row, /) -> Row:
        statement = sql.SQL("select * from {} where id = %(id)s").format(sql.Identifier(table))
        return self._one(statement, {"id": row["id"]})

    @contextmanager
    def refused(
        self,
        constraint: str | None = None,
        error: type[psycopg.Error] = psycopg.errors.CheckViolation,
    ) -> Iterator[None]:
        """Expect the database to refuse what follows, by that constraint; undo the rest of it."""
        with pytest.raises(error) as caught, self.connection.transaction():
            yield
        if constraint is not None:
            assert caught.value.diag.constraint_name == constraint

    def _one(self, statement: sql.Composed, values: Row) -> Row:
        with self.connection.cursor(row_factory=dict_row) as cursor:
            row = cursor.execute(statement, values).fetchone()
        assert row is not None
        return row

    # -- people and places ------------------------------------------------------------------

    def user(self, **over: Any) -> Row:
        number = uuid4()
        values = {"id": number, "display_name": "Ada", "handle": f"u{number.hex}"}
        return self.insert("users", **(values | {"roles": ["operator"]} | over))

    def zone(self, **over: Any) -> Row:
        number = uuid4()
        values = {"id": number, "slug": f"z{number.hex}", "name": "Bay", "hazard_level": "low"}
        return self.insert("zones", **(values | over))

    def presence(self, **over: Any) -> Row:
        values = {"id": uuid4(), "source": "unifi", "status": "present", "observed_at": NOW}
        values["zone_id"] = over.get("zone_id") or self.zone()["id"]
        values["user_id"] = over.get("user_id") or self.user()["id"]
        return self.insert("zone_presences", **(values | over))

    def policy(self, **over: Any) -> Row:
        values: Row = {"id": uuid4(), "name": "Policy", "required_roles": ["operator", "safety"]}
        values["zone_id"] = over.get("zone_id") or self.zone()["id"]
        return self.insert("access_policies", **(values | over))

    def device(self, **over: Any) -> Row:
        number = uuid4()
        values: Row = {
            "id": number,
            "external_id": f"d-{number.hex}",
            "name": "Light",
            "kind": "light",
            "capabilities": {"intents": ["switch", "unlock"]},
        }
        values["zone_id"] = over.get("zone_id") or self.zone()["id"]
        return self.insert("devices", **(values | over))

    # -- conversations ----------------------------------------------------------------------

    def conversation(self, **over: Any) -> Row:
        values = {"id": uuid4(), "context_key": uuid4().hex, "last_message_at": NOW}
        values["owner_id"] = over.get("owner_id") or self.user()["id"]
        return self.insert("conversation_sessions", **(values | over))

    def request(self, **over: Any) -> Row:
        values = {"id": uuid4(), "channel": "web", "text": "lights on", "correlation_id": "c"}
        values["conversation_id"] = over.get("conversation_id") or self.conversation()["id"]
        values["user_id"] = over.get("user_id") or self.user()["id"]
        return self.insert("conversation_requests", **(values | over))

    def message(self, **over: Any) -> Row:
        request = self.request() if "request_id" not in over else {"id": over["request_id"]}
        values = {"id": uuid4(), "role": "user", "text": "lights on", "request_id": request["id"]}
        values["conversation_id"] = over.get("conversation_id") or request["conversation_id"]
        return self.insert("conversation_messages", **(values | over))

    def decision(self, **over: Any) -> Row:
        values: Row = {
            "id": uuid4(),
            "request_id": uuid4(),
            "input_hash": "0" * 64,
            "selected_tier": "local",
            "confidence": 0.9,
        }
        return self.insert("routing_decisions", **(values | over))

    # -- making -----------------------------------------------------------------------------

    def cad_job(self, **over: Any) -> Row:
        values = {"id": uuid4(), "prompt": "a bracket", "policy_mode": "online"}
        return self.insert("cad_jobs", **(values | over))

    def artifact(self, **over: Any) -> Row:
        values: Row = {
            "id": uuid4(),
            "provider": "cadquery",
            "artifact_key": f"cad/{uuid4()}.step",
            "artifact_type": "step",
            "metadata": {"bounding_box": [], "material_hints": [], "generation_params": {}},
        }
        values["cad_job_id"] = over.get("cad_job_id") or self.cad_job()["id"]
        return self.insert("cad_artifacts", **(values | over))

    def job(self, **over: Any) -> Row:
        values = {"id": uuid4(), "name": "bracket", "gcode_path": "jobs/bracket.gcode"}
        values["requested_by"] = over.get("requested_by") or self.user()["id"]
        if "device_id" not in over:
            values["device_id"] = self.device(kind="printer")["id"]
        return self.insert("fabrication_jobs", **(values | over))

    def print_event(self, **over: Any) -> Row:
        values: Row = {
            "id": uuid4(),
            "event_type": "first_layer_ok",
            "confidence": 0.5,
            "occurred_at": NOW,
        }
        values["fabrication_job_id"] = over.get("fabrication_job_id") or self.job()["id"]
        return self.insert("print_monitor_events", **(values | over))

    # -- safety -----------------------------------------------------------------------------

    def key(self, **over: Any) -> Row:
        number = uuid4().hex
        values = {"id": f"SHA256:{number}", "algorithm": "ed25519", "label": "desk"}
        values["user_id"] = over.get("user_id") or self.user()["id"]
        return self.insert("public_keys", **(values | {"spki": os.urandom(44)} | over))

    def event(self, **over: Any) -> Row:
        canonical = os.urandom(16)
        values: Row = {
            "id": uuid4(),
            "event_type": "unlock",
            "action": {"kind": "UnlockDoor", "arguments": {"seconds": 10}},
            "action_kind": "UnlockDoor",
            "canonical": canonical,
            "digest": hashlib.sha256(canonical).hexdigest(),
            "hazard": "high",
            "nonce": "n",
            "created_at": NOW,
            "not_before": NOW,
            "expires_at": NOW + HOUR,
            "proposal_key": uuid4(),
            "request_id": uuid4(),
        }
        values["initiated_by"] = over.get("initiated_by") or self.user()["id"]
        if "policy_id" not in over:
            values["policy_id"] = self.policy()["id"]
        return self.insert("safety_events", **(values | over))

    def sign(self, event: Row, user: Row | None = None, **over: Any) -> Row:
        values: Row = {"event_id": event["id"], "signature": b"s", "algorithm": "ed25519"}
        values["user_id"] = (user or self.user())["id"]
        values["key_id"] = over.get("key_id") or self.key(user_id=values["user_id"])["id"]
        return self.insert("safety_signatures", **(values | {"signed_at": NOW} | over))

    def approve(self, event: Row, **over: Any) -> Row:
        """Approve an event that two fresh people sign."""
        self.sign(event)
        last = self.sign(event)
        values = {"status": "approved", "approved_by": last["user_id"], "signature": "key"}
        return self.update("safety_events", event, **(values | over))

    def claim(self, event: Row, command: UUID) -> Row:
        return self.update(
            "safety_events", event, consumed_at=NOW + HOUR / 2, consumed_by_command=command
        )

    # -- commands, telemetry, notifications -------------------------------------------------

    def command(self, **over: Any) -> Row:
        values: Row = {
            "id": uuid4(),
            "intent": "switch",
            "payload": {"on": True},
            "action_kind": "SwitchLight",
            "hazard": "none",
            "created_at": NOW,
            "deadline": NOW + HOUR,
            "proposal_key": uuid4(),
        }
        values["device_id"] = over.get("device_id") or self.device()["id"]
        values["requested_by"] = over.get("requested_by") or self.user()["id"]
        return self.insert("device_commands", **(values | over))

    def hazardous_command(self, event: Row, **over: Any) -> Row:
        values = {
            "safety_event_id": event["id"],
            "proposal_key": event["proposal_key"],
            "hazard": event["hazard"],
            "intent": "unlock",
        }
        return self.command(**(values | over))

    def telemetry(self, **over: Any) -> Row:
        values: Row = {"id": uuid4(), "topic": "t", "payload": {"v": 1}, "recorded_at": NOW}
        values["device_id"] = over.get("device_id") or self.device()["id"]
        return self.insert("telemetry_events", **(values | over))

    def notification(self, **over: Any) -> Row:
        values: Row = {"id": uuid4(), "channel": "push", "recipient": "ada", "payload": {}}
        return self.insert("notifications", **(values | over))
