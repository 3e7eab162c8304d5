"""The validation rules of the data model, one by one."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from fakes.rows import HOUR, NOW, Rows
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

AnyRow = dict[str, Any]


# -- people and places ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", "   ", "x" * 201, None])
def test_a_user_has_a_display_name(rows: Rows, name: str | None) -> None:
    with rows.refused(error=psycopg.errors.IntegrityError):
        rows.user(display_name=name)


@pytest.mark.parametrize("roles", [[], ["owner"], ["operator", "owner"], ["operator", None], None])
def test_a_user_has_one_of_the_four_roles(rows: Rows, roles: list[str] | None) -> None:
    with rows.refused(error=psycopg.errors.IntegrityError):
        rows.user(roles=roles)


def test_an_offline_operator_needs_no_email(rows: Rows) -> None:
    assert rows.user()["email"] is None
    assert rows.user(email="ada@example.org")["email"] == "ada@example.org"
    with rows.refused("users_email"):
        rows.user(email="ada")


def test_a_handle_is_one_persons(rows: Rows) -> None:
    rows.user(handle="ada")
    with rows.refused("users_handle_key", psycopg.errors.UniqueViolation):
        rows.user(handle="ada")
    with rows.refused("slug_form"):
        rows.user(handle="Ada L")


def test_presence_is_not_from_the_future(rows: Rows) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=30)
    assert rows.presence(observed_at=soon)["observed_at"] == soon
    with rows.refused("zone_presences_not_from_the_future"):
        rows.presence(observed_at=datetime.now(UTC) + timedelta(seconds=90))


# -- policies ---------------------------------------------------------------------------------


@pytest.mark.parametrize("roles", [[], ["owner"]])
def test_a_policy_names_roles(rows: Rows, roles: list[str]) -> None:
    with rows.refused("access_policies_required_roles"):
        rows.policy(required_roles=roles)


@pytest.mark.parametrize("level", ["low", "medium", "high"])
def test_a_dangerous_zone_forces_dual_confirmation_and_presence(rows: Rows, level: str) -> None:
    zone = rows.zone(hazard_level=level)
    policy = rows.policy(zone_id=zone["id"])
    forced = level == "high"
    assert (policy["requires_dual_confirm"], policy["requires_presence"]) == (forced, forced)
    relaxed = rows.update(
        "access_policies", policy, requires_dual_confirm=False, requires_presence=False
    )
    assert (relaxed["requires_dual_confirm"], relaxed["requires_presence"]) == (forced, forced)


def test_raising_a_zone_raises_its_policies(rows: Rows) -> None:
    zone = rows.zone()
    policy = rows.policy(zone_id=zone["id"])
    elsewhere = rows.policy()
    rows.update("zones", zone, hazard_level="high")
    raised = rows.get("access_policies", policy)
    assert (raised["requires_dual_confirm"], raised["requires_presence"]) == (True, True)
    assert raised["version"] == policy["version"] + 1
    assert rows.get("access_policies", elsewhere) == elsewhere


def test_moving_a_policy_to_a_dangerous_zone_raises_it(rows: Rows) -> None:
    dangerous = rows.zone(hazard_level="high")
    moved = rows.update("access_policies", rows.policy(), zone_id=dangerous["id"])
    assert (moved["requires_dual_confirm"], moved["requires_presence"]) == (True, True)


def test_the_version_of_a_policy_rises_with_every_change_and_only_then(rows: Rows) -> None:
    policy = rows.policy(version=41)
    assert policy["version"] == 1
    assert rows.update("access_policies", policy, name="Policy")["version"] == 1
    changed = rows.update("access_policies", policy, required_roles=["safety"], version=1)
    assert changed["version"] == 2
    assert rows.update("access_policies", policy, version=99)["version"] == 2
    assert rows.update("access_policies", policy, presence_ttl=HOUR)["version"] == 3


def test_a_zone_has_one_active_policy(rows: Rows) -> None:
    policy = rows.policy()
    with rows.refused("access_policies_one_active", psycopg.errors.UniqueViolation):
        rows.policy(zone_id=policy["zone_id"])
    rows.update("access_policies", policy, active=False)
    assert rows.policy(zone_id=policy["zone_id"])["active"]


# -- devices ----------------------------------------------------------------------------------


def test_an_external_id_is_unique_within_its_integration(rows: Rows) -> None:
    rows.device(external_id="bay-lights")
    rows.device(external_id="bay-lights", integration="octoprint")
    with rows.refused("devices_external_id_unique", psycopg.errors.UniqueViolation):
        rows.device(external_id="bay-lights")


@pytest.mark.parametrize("name", ["", "a/b", "+", "a#", "a\nb", "x" * 201])
def test_an_external_id_is_one_level_of_a_topic(rows: Rows, name: str) -> None:
    with rows.refused("devices_external_id"):
        rows.device(external_id=name)


@pytest.mark.parametrize(
    "capabilities",
    [{}, {"intents": None}, {"intents": "switch"}, {"intents": [1]}, {"intents": ["a", ["b"]]}],
)
def test_capabilities_enumerate_intents(rows: Rows, capabilities: AnyRow) -> None:
    with rows.refused("devices_capabilities_intents"):
        rows.device(capabilities=capabilities)


def test_a_camera_may_have_no_intents(rows: Rows) -> None:
    camera = rows.device(kind="camera", capabilities={"intents": [], "lens": "wide"})
    assert camera["silent_after"] == timedelta(seconds=90)
    assert camera["online_state"] == "offline"


# -- telemetry --------------------------------------------------------------------------------


def _payload(octets: int) -> str:
    return "x" * (octets - 2)  # and two quotes


@pytest.mark.parametrize("octets", [2, 65_535, 65_536])
def test_telemetry_up_to_64_kb(rows: Rows, octets: int) -> None:
    made = rows.telemetry(payload=psycopg.types.json.Jsonb(_payload(octets)))
    assert len(made["payload"]) == octets - 2


@pytest.mark.parametrize("octets", [65_537, 1_000_000])
def test_telemetry_over_64_kb_is_refused(rows: Rows, octets: int) -> None:
    with rows.refused("telemetry_events_size"):
        rows.telemetry(payload=psycopg.types.json.Jsonb(_payload(octets)))


def test_the_size_is_counted_in_octets(rows: Rows) -> None:
    with rows.refused("telemetry_events_size"):
        rows.telemetry(payload=psycopg.types.json.Jsonb("é" * 40_000))


# -- conversations ----------------------------------------------------------------------------


def test_the_context_key_is_unique(rows: Rows) -> None:
    rows.conversation(context_key="desk")
    with rows.refused("conversation_sessions_context_key_key", psycopg.errors.UniqueViolation):
        rows.conversation(context_key="desk")


@pytest.mark.parametrize("state", [[], "text", 1, None])
def test_the_state_is_an_object(rows: Rows, state: Any) -> None:
    with rows.refused("json_map_form"):
        rows.conversation(state=psycopg.types.json.Jsonb(state))


def test_participants_are_people(rows: Rows) -> None:
    people = [rows.user()["id"], rows.user()["id"]]
    session = rows.conversation(active_participants=people)
    assert session["active_participants"] == people
    with rows.refused("conversation_sessions_participants", psycopg.errors.ForeignKeyViolation):
        rows.update("conversation_sessions", session, active_participants=[*people, uuid4()])


def test_a_client_key_is_used_once_by_each_person(rows: Rows) -> None:
    user = rows.user()["id"]
    rows.request(user_id=user, client_key="k")
    rows.request(client_key="k")
    rows.request(user_id=user)
    rows.request(user_id=user)
    with rows.refused("conversation_requests_once", psycopg.errors.UniqueViolation):
        rows.request(user_id=user, client_key="k")


def test_a_request_is_at_most_4000_characters(rows: Rows) -> None:
    assert len(rows.request(text="é" * 4_000)["text"]) == 4_000
    with rows.refused("conversation_requests_text_length"):
        rows.request(text="é" * 4_001)


def test_a_finished_request_stays_as_it_is(rows: Rows) -> None:
    done = rows.update("conversation_requests", rows.request(), status="finished", finished_at=NOW)
    with rows.refused("conversation_requests_closed"):
        rows.update("conversation_requests", done, result={"replies": []})


def test_messages_are_numbered_in_order(rows: Rows) -> None:
    session = rows.conversation()["id"]
    numbers = [rows.message(conversation_id=session)["seq"] for _ in range(3)]
    assert numbers == sorted(set(numbers))


# -- routing ----------------------------------------------------------------------------------


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(confidence=st.floats(allow_nan=True, allow_infinity=True))
def test_confidence_is_from_0_to_1(rows: Rows, confidence: float) -> None:
    if 0 <= confidence <= 1:
        assert rows.decision(confidence=confidence)["confidence"] == confidence
    else:
        with rows.refused("routing_decisions_confidence"):
            rows.decision(confidence=confidence)


def test_the_cost_is_recorded_even_when_zero(rows: Rows) -> None:
    assert rows.decision()["cost_estimate"] == 0
    with rows.refused(error=psycopg.errors.NotNullViolation):
        rows.decision(cost_estimate=None)
    for bad in (-0.01, float("nan"), float("inf")):
        with rows.refused("routing_decisions_cost"):
            rows.decision(cost_estimate=bad)


def test_a_completed_decision_has_its_latency(rows: Rows) -> None:
    decision = rows.decision()
    with rows.refused("routing_decisions_measured"):
        rows.update("routing_decisions", decision, completed_at=NOW, cached=True)
    done = rows.update(
        "routing_decisions", decision, completed_at=NOW, latency_ms=0, outcome="pending"
    )
    for change in (
        {"confidence": 0.1},
        {"selected_tier": "frontier"},
        {"latency_ms": 1},
        {"cost_estimate": 1},
        {"escalation_reason": "x"},
        {"completed_at": None},
    ):
        with rows.refused("routing_decisions_completed"):
            rows.update("routing_decisions", done, **change)
    settled = rows.update("routing_decisions", done, outcome="done")
    with rows.refused("routing_decisions_completed"):
        rows.update("routing_decisions", settled, outcome="failed")


@pytest.mark.parametrize(
    "change",
    [
        {"input_hash": "1" * 64},
        {"features_hash": "x"},
        {"threshold_version": "2"},
        {"channel": "cli"},
        {"forced": True},
        {"request_id": uuid4()},
        {"created_at": NOW},
    ],
)
def test_what_a_decision_was_about_cannot_change(rows: Rows, change: AnyRow) -> None:
    with rows.refused("routing_decisions_identity"):
        rows.update("routing_decisions", rows.decision(), **change)


def test_one_decision_per_request(rows: Rows) -> None:
    first = rows.decision()
    with rows.refused("routing_decisions_request_id_key", psycopg.errors.UniqueViolation):
        rows.decision(request_id=first["request_id"])


# -- making -----------------------------------------------------------------------------------


@pytest.mark.parametrize("prompt", ["", "  ", "x" * 20_001])
def test_a_cad_job_has_a_prompt(rows: Rows, prompt: str) -> None:
    with rows.refused("cad_jobs_prompt_length"):
        rows.cad_job(prompt=prompt)


def test_an_offline_job_completes_only_with_its_fallback(rows: Rows) -> None:
    job = rows.update("cad_jobs", rows.cad_job(policy_mode="offline"), status="running")
    with rows.refused("cad_jobs_offline_fallback"):
        rows.update("cad_jobs", job, status="completed", completed_at=NOW)
    done = rows.update(
        "cad_jobs", job, status="completed", completed_at=NOW, fallback_provider="cadquery"
    )
    assert done["fallback_provider"] == "cadquery"


@pytest.mark.parametrize("key", ["", "/etc/passwd", "../x", "a/../b", "a/..", "x" * 1025])
def test_keys_name_objects_of_the_store(rows: Rows, key: str) -> None:
    for make in (
        lambda: rows.artifact(artifact_key=key),
        lambda: rows.job(gcode_path=key),
        lambda: rows.print_event(snapshot_key=key),
    ):
        with rows.refused("object_key_form"):
            make()


def test_an_artifact_key_is_unique(rows: Rows) -> None:
    rows.artifact(artifact_key="cad/a..b.step")
    with rows.refused("cad_artifacts_artifact_key_key", psycopg.errors.UniqueViolation):
        rows.artifact(artifact_key="cad/a..b.step")


@pytest.mark.parametrize("missing", ["bounding_box", "material_hints", "generation_params"])
def test_an_artifact_describes_itself(rows: Rows, missing: str) -> None:
    every = {"bounding_box": [1, 2, 3], "material_hints": ["PLA"], "generation_params": {}}
    with rows.refused("cad_artifacts_metadata"):
        rows.artifact(metadata={key: value for key, value in every.items() if key != missing})


def test_a_job_has_its_printer_from_the_moment_it_starts(rows: Rows) -> None:
    waiting = rows.job(device_id=None)
    with rows.refused("fabrication_jobs_device"):
        rows.update("fabrication_jobs", waiting, status="printing", started_at=NOW)
    printer = rows.device(kind="printer")["id"]
    printing = rows.update(
        "fabrication_jobs", waiting, status="printing", started_at=NOW, device_id=printer
    )
    for change in ({"device_id": None}, {"gcode_path": "other.gcode"}, {"started_at": NOW + HOUR}):
        with rows.refused("fabrication_jobs_started"):
            rows.update("fabrication_jobs", printing, **change)


def test_a_job_that_never_started_can_be_dropped_without_a_printer(rows: Rows) -> None:
    waiting = rows.job(device_id=None)
    dropped = rows.update("fabrication_jobs", waiting, status="aborted", completed_at=NOW)
    assert (dropped["device_id"], dropped["started_at"]) == (None, None)


@pytest.mark.parametrize(
    ("constraint", "change"),
    [
        ("fabrication_jobs_started_at", {"status": "printing"}),
        ("fabrication_jobs_started_at", {"started_at": NOW}),
        ("fabrication_jobs_completed_at", {"completed_at": NOW}),
        ("fabrication_jobs_completed_at", {"status": "failed"}),
    ],
)
def test_times_of_a_job_fit_its_status(rows: Rows, constraint: str, change: AnyRow) -> None:
    with rows.refused(constraint):
        rows.update("fabrication_jobs", rows.job(), **change)


def test_a_job_ends_after_it_starts(rows: Rows) -> None:
    printing = rows.update("fabrication_jobs", rows.job(), status="printing", started_at=NOW)
    with rows.refused("fabrication_jobs_order"):
        rows.update("fabrication_jobs", printing, status="completed", completed_at=NOW - HOUR)


@pytest.mark.parametrize("progress", [-0.1, 1.1, float("nan")])
def test_progress_is_from_0_to_1(rows: Rows, progress: float) -> None:
    with rows.refused("fabrication_jobs_progress"):
        rows.job(progress=progress)


def test_hazardous_material_is_a_flag(rows: Rows) -> None:
    assert rows.job(metadata={"hazardous_material": True})["metadata"]["hazardous_material"]
    with rows.refused("fabrication_jobs_hazardous_material"):
        rows.job(metadata={"hazardous_material": "yes"})


@pytest.mark.parametrize("confidence", [-0.01, 1.01, float("nan")])
def test_a_print_event_has_a_confidence_from_0_to_1(rows: Rows, confidence: float) -> None:
    with rows.refused("print_monitor_events_confidence"):
        rows.print_event(confidence=confidence)


def test_a_print_event_needs_a_confidence(rows: Rows) -> None:
    with rows.refused(error=psycopg.errors.NotNullViolation):
        rows.print_event(confidence=None)


@pytest.mark.parametrize("kind", ["spaghetti_detected", "nozzle_clog"])
def test_a_failure_seen_has_its_picture(rows: Rows, kind: str) -> None:
    with rows.refused("print_monitor_events_snapshot"):
        rows.print_event(event_type=kind)
    assert rows.print_event(event_type=kind, snapshot_key="snap/1.jpg")["snapshot_key"]


@pytest.mark.parametrize("kind", ["first_layer_ok", "completed"])
def test_a_good_event_needs_no_picture(rows: Rows, kind: str) -> None:
    assert rows.print_event(event_type=kind)["snapshot_key"] is None


# -- notifications and access -----------------------------------------------------------------


@pytest.mark.parametrize(
    "metadata", [{}, {"attempts": -1}, {"attempts": 1.5}, {"attempts": "1"}, {"attempts": None}]
)
def test_a_notification_counts_its_attempts(rows: Rows, metadata: AnyRow) -> None:
    assert rows.notification()["metadata"] == {"attempts": 0}
    with rows.refused("notifications_attempts"):
        rows.notification(metadata=metadata)


def test_a_notification_can_be_tried_again(rows: Rows) -> None:
    failed = rows.update("notifications", rows.notification(), status="failed")
    again = rows.update(
        "notifications", failed, status="queued", metadata={"attempts": 1, "retry_in_s": 2}
    )
    assert rows.update("notifications", again, status="sent")["metadata"]["attempts"] == 1


@pytest.mark.parametrize("text", ["", "  ", "x" * 2_001])
def test_a_memory_is_up_to_2000_characters(rows: Rows, text: str) -> None:
    with rows.refused("memories_text_length"):
        rows.insert("memories", id=uuid4(), user_id=rows.user()["id"], text=text)


def test_only_hashes_of_tokens_are_kept(rows: Rows) -> None:
    token = {"id": uuid4(), "user_id": rows.user()["id"], "label": "cli"}
    with rows.refused("sha256_hex_form"):
        rows.insert("api_tokens", **token, token_sha256="kitty-secret")
    assert rows.insert("api_tokens", **token, token_sha256="a" * 64)["revoked_at"] is None
    with rows.refused("api_tokens_token_sha256_key", psycopg.errors.UniqueViolation):
        rows.insert("api_tokens", **token | {"id": uuid4()}, token_sha256="a" * 64)


def test_an_enrolment_link_works_once(rows: Rows) -> None:
    rows.insert(
        "enrolment_links",
        token_sha256="b" * 64,
        user_id=rows.user()["id"],
        created_at=NOW,
        expires_at=NOW + HOUR,
    )
    use = "update enrolment_links set used_at = %s"
    rows.connection.execute(use, (NOW,))
    with rows.refused("enrolment_links_once"):
        rows.connection.execute(use, (None,))
