"""People's keys: made here, kept here, public halves enrolled there."""

import base64
import stat
from pathlib import Path

import pytest
from cli.scripted import Kitt, Scripted, error

from assistant.cli import keyfiles

ME = {"id": "u1", "handle": "admin", "display_name": "Ada", "roles": ["admin"]}
OLGA = {"id": "u2", "handle": "operator", "display_name": "Olga", "roles": ["operator"]}


@pytest.fixture
def people(script: Scripted) -> None:
    script.on("GET", "/api/me", ME)
    script.on("GET", "/api/users", {"items": [ME, OLGA], "next_cursor": None})


def mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


@pytest.mark.parametrize("algorithm", ["ed25519", "p256"])
def test_new_keys_are_private(local: Kitt, home: Path, algorithm: str) -> None:
    file = home / "somewhere" / "mine.pem"
    ran = local("keys", "new", "--out", str(file), "--algorithm", algorithm, "--no-passphrase")
    assert ran.code == 0, ran.err
    assert (mode(file), mode(file.parent)) == (0o600, 0o700)
    own = keyfiles.public(keyfiles.unlock(file, file.read_bytes(), None))
    assert own == keyfiles.load_public(file.with_suffix(".pub"))
    assert own.algorithm == algorithm
    assert own.id in ran.out
    secret = "".join(file.read_text().splitlines()[1:-1])
    assert secret not in ran.out.replace("\n", "")


def test_new_keys_are_encrypted_and_go_where_approve_looks(local: Kitt, home: Path) -> None:
    words = home / "words"
    words.write_text("correct horse\n")
    assert local("keys", "new", "--passphrase-file", str(words)).code == 0
    file = keyfiles.default_key()
    assert file == home / ".config/kitty/key.pem"
    assert keyfiles.is_encrypted(file.read_bytes())
    keyfiles.unlock(file, file.read_bytes(), "correct horse")


def test_new_never_overwrites(local: Kitt, home: Path) -> None:
    file = home / "mine.pem"
    file.write_text("precious")
    ran = local("keys", "new", "--out", str(file), "--no-passphrase")
    assert (ran.code, file.read_text()) == (4, "precious")
    assert "exists already" in ran.err


def test_short_passphrases_and_strange_algorithms(local: Kitt, home: Path) -> None:
    words = home / "words"
    words.write_text("short\n")
    assert "at least 8" in local("keys", "new", "--passphrase-file", str(words)).err
    assert local("keys", "new", "--algorithm", "rsa", "--no-passphrase").code == 64
    assert not (home / ".config").exists()


@pytest.mark.usefixtures("people")
def test_enroll_sends_the_public_half(kitt: Kitt, script: Scripted, home: Path) -> None:
    private = home / "mine.pem"
    public = keyfiles.save(keyfiles.make("p256"), private, None)
    script.on("POST", "/api/users/u2/keys", {"id": "SHA256:x"}, 201)
    ran = kitt("keys", "enroll", "operator", str(public), "--label", "workbench")
    assert ran.code == 0, ran.err
    sent = script.last("POST", "/api/users/u2/keys").body
    own = keyfiles.load_public(public)
    assert sent == {"label": "workbench", "spki": base64.b64encode(own.spki).decode()}
    ran = kitt("keys", "enroll", "operator", str(private))
    assert ran.code == 64
    assert "keep it to yourself" in ran.err
    assert "nobody called" in kitt("keys", "enroll", "ghost", str(public)).err


@pytest.mark.usefixtures("people")
def test_list_and_revoke(kitt: Kitt, script: Scripted) -> None:
    key = {"id": "SHA256:a/b+c", "algorithm": "ed25519", "label": "desk", "revoked_at": None}
    script.on("GET", "/api/users/u1/keys", {"items": []})
    script.on("GET", "/api/users/u2/keys", {"items": [key]})
    ran = kitt("keys", "list")
    assert "SHA256:a/b+c" in ran.out
    assert "operator" in ran.out
    assert "No keys" in kitt("keys", "list", "admin").out
    script.on("DELETE", "/api/keys/SHA256%3Aa%2Fb%2Bc", {})
    assert kitt("keys", "revoke", "SHA256:a/b+c").code == 0


@pytest.mark.usefixtures("people")
def test_users(kitt: Kitt, script: Scripted, home: Path) -> None:
    ran = kitt("users", "list")
    assert "Olga" in ran.out
    script.on("POST", "/api/users", {"id": "u3"}, 201)
    assert kitt("users", "add", "eve", "engineer", "operator", "--name", "Eve").code == 0
    assert script.last("POST", "/api/users").body == {
        "handle": "eve", "display_name": "Eve", "roles": ["engineer", "operator"],
    }  # fmt: skip
    assert kitt("users", "add", "eve", "king").code == 64
    script.on("PATCH", "/api/users/u2", {})
    assert kitt("users", "roles", "operator", "safety").code == 0
    assert script.last("PATCH", "/api/users/u2").body == {"roles": ["safety"]}
    assert kitt("users", "disable", "operator").code == 0
    assert script.last("PATCH", "/api/users/u2").body == {"disabled": True}
    script.on("POST", "/api/users/u2/tokens", {"token": "only-once"}, 201)
    ran = kitt("users", "token", "operator", "--label", "desk")
    file = home / "operator.token"
    assert (ran.code, file.read_text(), mode(file)) == (0, "only-once\n", 0o600)
    assert "only-once" not in ran.out
    script.on("GET", "/api/users", error(403, "forbidden", "Only administrators may do that."))
    assert kitt("users", "list").code == 6
