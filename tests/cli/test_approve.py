"""A person signs exactly what they were shown, or nothing."""

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from cli.scripted import EVENT, Kitt, Scripted, document, error, event_of, offer
from hypothesis import given
from hypothesis import strategies as st

from assistant.cli import card, keyfiles
from assistant.cli.events import short_ids
from assistant.cli.words import escaped, quoted
from safety.actions import KINDS, HeatedPart, SendGcode, SetTemperature
from safety.canonical import canonical, digest
from safety.entities import DeviceId, PublicKey, UserId, ZoneId
from safety.signatures import verify

APPROVE = f"/api/safety/events/{EVENT}/approve"
NOW = datetime.now(UTC)


def key_file(home: Path, algorithm: str = "ed25519", passphrase: str | None = None) -> Path:
    file = home / f"{algorithm}.pem"
    keyfiles.save(keyfiles.make(algorithm), file, passphrase)
    return file


def signed(script: Scripted) -> bool:
    return any(each.path.endswith("/approve") for each in script.asked)


@pytest.mark.parametrize("algorithm", ["ed25519", "p256"])
def test_signs_exactly_the_digest(kitt: Kitt, script: Scripted, home: Path, algorithm: str) -> None:
    body = offer(script)
    script.on("POST", APPROVE, {"status": "pending", "outcome": None, "needs": ["one more"]}, 202)
    file = key_file(home, algorithm)
    ran = kitt("approve", "3f2a", "--key", str(file), "--yes")
    assert ran.code == 2, ran.err
    sent = script.last("POST", APPROVE).body
    own = keyfiles.load_public(file.with_suffix(".pub"))
    assert sent["key_id"] == own.id
    public = PublicKey(
        id=own.id, user=UserId(UUID(int=4)), algorithm=algorithm, spki=own.spki, label="x"
    )  # fmt: skip
    assert verify(public, base64.b64decode(sent["signature"]), digest(body))
    assert "one more" in ran.out


@pytest.mark.parametrize(
    ("outcome", "code"), [("done", 0), ("refused", 3), ("failed", 4), ("unknown", 4)]
)
def test_the_code_says_what_came_of_it(
    kitt: Kitt, script: Scripted, home: Path, outcome: str, code: int
) -> None:
    offer(script)
    script.on("POST", APPROVE, {"status": "approved", "outcome": outcome, "needs": []})
    assert kitt("approve", "--key", str(key_file(home)), "--yes").code == code


def test_shows_the_card_and_asks(kitt: Kitt, script: Scripted, home: Path) -> None:
    offer(script, what="turn on a harmless light", hazard="low")
    ran = kitt("approve", EVENT, "--key", str(key_file(home)), typed="no\n")
    assert ran.code == 3
    assert not signed(script)
    for shown in (
        "UNLOCK the door for 10 seconds", '"Welding bay door"', '"Welding bay"',
        '"Olga Operator" ("operator")', "high; 2 signatures", '"welding helmet"', "locked", EVENT,
    ):  # fmt: skip
        assert shown in ran.out
    assert "harmless" not in ran.out, "the server's own words are not what is signed"


@pytest.mark.parametrize("typed", ["", "y\n", "yes please\n", "\n", "YES\n"])
def test_only_a_whole_yes_signs(kitt: Kitt, script: Scripted, home: Path, typed: str) -> None:
    offer(script)
    script.on("POST", APPROVE, {"outcome": "done"})
    kitt("approve", "--key", str(key_file(home)), typed=typed)
    assert signed(script) == (typed.strip().lower() == "yes")


def changed(**fields: Any) -> bytes:
    return canonical(document() | fields)


NOT_TO_BE_SIGNED = {
    "not canonical": json.dumps(document(), indent=1).encode(),
    "not JSON": b"unlock everything",
    "another event": changed(id="3f2a1b7c-0000-4000-8000-00000000beef"),
    "expired": changed(expires_at=(NOW - timedelta(minutes=1)).isoformat()),
    "not yet": changed(not_before=(NOW + timedelta(hours=1)).isoformat()),
    "unknown action": changed(action={"kind": "Explode", "intent": "boom", "arguments": {}}),
    "two-faced action": changed(action={"kind": "LockDoor", "intent": "unlock", "arguments": {}}),
    "hidden argument": changed(
        action={"kind": "LockDoor", "intent": "lock", "arguments": {"and_then": "unlock"}}
    ),
    "unknown field": changed(also={"device": "laser"}),
    "another format": changed(format="somebody.else/1"),
    "too long": changed(nonce="n" * 70_000),
}


@pytest.mark.parametrize("body", NOT_TO_BE_SIGNED.values(), ids=NOT_TO_BE_SIGNED.keys())
def test_refuses_before_signing(kitt: Kitt, script: Scripted, home: Path, body: bytes) -> None:
    offer(script, body)
    ran = kitt("approve", EVENT, "--key", str(key_file(home)), "--yes")
    assert (ran.code, signed(script)) == (3, False)
    assert "nothing was signed" in ran.err


def test_refuses_bytes_that_do_not_have_the_digest(
    kitt: Kitt, script: Scripted, home: Path
) -> None:
    other = changed(quorum=1)
    offer(script, canonical=base64.b64encode(other).decode())
    ran = kitt("approve", EVENT, "--key", str(key_file(home)), "--yes")
    assert (ran.code, signed(script)) == (3, False)
    assert "digest" in ran.err


@given(position=st.integers(0, 10_000), flip=st.integers(1, 255))
def test_no_changed_byte_passes(position: int, flip: int) -> None:
    body = bytearray(canonical(document()))
    expected = digest(bytes(body)).hex()
    body[position % len(body)] ^= flip
    with pytest.raises(card.CardError):
        card.read(bytes(body), digest=expected, asked_for=EVENT, now=datetime.now(UTC))


def test_hostile_names_stay_inside_their_quotes(kitt: Kitt, script: Scripted, home: Path) -> None:
    name = 'light"\r\x1b[2K\u202erood [bold]x[/bold]\nAction  Lock the door'
    offer(script, canonical(document(name=name)))
    ran = kitt("approve", EVENT, "--key", str(key_file(home)), typed="no\n")
    assert not set(ran.out) & set("\x1b\r\u202e")
    assert r'"light\"\r\x1b[2K\u202erood [bold]x[/bold]\nAction  Lock the door"' in ran.out
    assert sum(line.startswith("Action") for line in ran.out.splitlines()) == 1


@given(st.text())
def test_escaped_text_cannot_leave_its_line(text: str) -> None:
    assert escaped(text).isprintable()
    inside = quoted(text)[1:-1].replace("\\\\", "").replace('\\"', "")
    assert '"' not in inside


def test_gcode_is_shown_line_by_line(kitt: Kitt, script: Scripted, home: Path) -> None:
    device, zone, file = DeviceId(UUID(int=2)), ZoneId(UUID(int=1)), str(key_file(home))
    shown = document(SendGcode(device=device, zone=zone, gcode="G28\nM104 S300"))
    shown["action"]["arguments"]["gcode"] += "\x07"  # no gate writes this, but a server may lie
    offer(script, canonical(shown))
    ran = kitt("approve", EVENT, "--key", file, typed="no\n")
    lines = [line.strip() for line in ran.out.splitlines()]
    assert r'"M104 S300\x07"' in lines
    heat = SetTemperature(device=device, zone=zone, part=HeatedPart.NOZZLE, celsius=250)
    offer(script, canonical(document(heat)))
    ran = kitt("approve", EVENT, "--key", file, typed="no\n")
    assert "HEAT the nozzle to 250 °C" in ran.out


def test_every_kind_of_action_has_its_words() -> None:
    assert {kind.__name__ for kind in KINDS} == set(card._SENTENCES)


def test_encrypted_keys_need_their_passphrase(kitt: Kitt, script: Scripted, home: Path) -> None:
    offer(script)
    script.on("POST", APPROVE, {"status": "approved", "outcome": "done"})
    file = key_file(home, passphrase="correct horse")
    words = home / "passphrase"
    words.write_text("wrong horse\n")
    given = ("--key", str(file), "--passphrase-file", str(words), "--yes")
    ran = kitt("approve", EVENT, *given)
    assert (ran.code, signed(script)) == (4, False)
    assert "horse" not in ran.out + ran.err
    words.write_text("correct horse\n")
    assert kitt("approve", EVENT, *given).code == 0


def test_warns_about_a_key_that_others_can_read(kitt: Kitt, script: Scripted, home: Path) -> None:
    offer(script)
    file = key_file(home)
    file.chmod(0o644)
    assert "chmod 600" in kitt("approve", EVENT, "--key", str(file), typed="no\n").err


def test_what_is_settled_is_not_signed(kitt: Kitt, script: Scripted, home: Path) -> None:
    offer(script, status="denied", reason="not today")
    ran = kitt("approve", EVENT, "--key", str(key_file(home)), "--yes")
    assert (ran.code, signed(script)) == (3, False)
    assert "denied: not today" in ran.err


def test_the_servers_refusal_is_told(kitt: Kitt, script: Scripted, home: Path) -> None:
    offer(script)
    script.on("POST", APPROVE, error(409, "already_signed", "You have signed this already."))
    ran = kitt("approve", EVENT, "--key", str(key_file(home)), "--yes")
    assert ran.code == 3
    assert "You have signed this already." in ran.err


def test_several_are_listed_and_last_is_the_newest(
    kitt: Kitt, script: Scripted, home: Path
) -> None:
    body = offer(script)
    other = "11111111-0000-4000-8000-000000000001"
    events = [
        event_of(body, id=other, created_at="2025-01-01T00:00:00+00:00", what="heat the nozzle"),
        event_of(body),
    ]
    script.on("GET", "/api/safety/events", {"items": events, "next_cursor": None})
    file = str(key_file(home))
    ran = kitt("approve", "--key", file, "--yes")
    assert (ran.code, signed(script)) == (64, False)
    assert "heat the nozzle" in ran.err
    assert kitt("approve", "ffff", "--key", file, "--yes").code == 4
    script.on("POST", APPROVE, {"outcome": "done"})
    assert kitt("approve", "last", "--key", file, "--yes").code == 0


@given(st.lists(st.uuids().map(str), max_size=5, unique=True), st.integers(0, 30))
def test_short_ids_tell_ids_apart(found: list[str], alike: int) -> None:
    ids = [EVENT[:alike] + each[alike:] for each in found]
    short = short_ids(ids)
    assert len(set(short)) == len(set(ids))
    assert all(whole.startswith(each) for whole, each in zip(ids, short, strict=True))


def test_deny(kitt: Kitt, script: Scripted) -> None:
    offer(script)
    script.on("POST", f"/api/safety/events/{EVENT}/deny", {"status": "denied"})
    assert kitt("deny", "3f2a", "--reason", "nobody is there").code == 0
    sent = script.last("POST", f"/api/safety/events/{EVENT}/deny")
    assert sent.body == {"reason": "nobody is there"}
    assert kitt("deny", "3f2a").code == 64


def test_approvals_lists_what_waits(kitt: Kitt, script: Scripted) -> None:
    offer(script, signed_by=["engineer"])
    ran = kitt("approvals")
    for shown in (EVENT[:8], "unlock the welding bay door", "engineer", "safety officer", "left"):
        assert shown in ran.out
    script.on("GET", "/api/safety/events", {"items": [], "next_cursor": None})
    assert "Nothing waits" in kitt("approvals").out
