"""`kitt policy`: what it shows, what it sends, and with which code it leaves."""

import json
from pathlib import Path
from typing import Any

import pytest
from cli.scripted import TOKEN, Kitt, Scripted, error
from people.labs import LAB

BAY = {
    "zone": {
        "id": "z1", "slug": "welding-bay", "name": "Welding bay", "hazard_level": "high",
        "requires_ppe": True,
    },
    "policy": {
        "id": "p1", "name": "Welding bay", "version": 7, "required_roles": ["engineer", "safety"],
        "requires_dual_confirm": True, "quorum": 2, "requires_presence": True,
        "presence_ttl_seconds": 900.0, "ppe": ["welding helmet", "gloves"],
        "time_zone": "Europe/Berlin",
        "time_windows": [{"days": ["mon", "tue"], "from": "07:00", "to": "19:00"}],
        "max_requests": {"count": 10, "seconds": 3600.0}, "max_pending": 5, "taint": "refuse",
    },
}  # fmt: skip
YARD = {
    "zone": {
        "id": "z2", "slug": "yard", "name": "Yard", "hazard_level": "low", "requires_ppe": False,
    },
    "policy": None,
}  # fmt: skip


def item(verdict: str = "waits", **changed: Any) -> dict[str, Any]:
    return {
        "tool": "unlock_door",
        "what": "unlock the welding bay door for 10 seconds",
        "device_id": "d1",
        "zone": "Welding bay",
        "policy": {"name": "Welding bay", "version": 7},
        "verdict": verdict,
        "code": None,
        "reason": None,
        "hazard": "high",
        "reasons": [{"source": "zone", "hazard": "high", "text": "the level of Welding bay"}],
        "checks": [
            {"rule": "device", "demand": "the device can do it now", "met": True, "code": None,
             "reason": None},
        ],
        "needs": ["the signature of an authorised person", "the signature of a second person"],
        "protection": ["welding helmet"],
        "signers": [{"handle": "emil", "display_name": "Emil Engineer", "roles": ["engineer"]}],
    } | changed  # fmt: skip


def explains(script: Scripted, *items: dict[str, Any]) -> None:
    body = {"as": {"handle": "olga"}, "at": "2026-03-02T10:00:00+00:00", "items": list(items)}
    script.on("POST", "/api/policies/explain", body)


@pytest.fixture
def policies(script: Scripted) -> None:
    script.on("GET", "/api/policies", {"items": [BAY, YARD], "next_cursor": None})


@pytest.mark.usefixtures("policies")
def test_show_is_a_line_for_each_zone(kitt: Kitt) -> None:
    ran = kitt("policy", "show")
    assert ran.code == 0, ran.err
    lines = ran.out.splitlines()
    assert lines[0].split() == [
        "zone", "level", "roles", "people", "presence", "PPE", "hours", "limits", "taint",
        "version",
    ]  # fmt: skip
    for words in (
        "Welding bay", "high", "engineer, safety", "within 900 s", "welding helmet, gloves",
        "mon, tue 07:00 to 19:00 Europe/Berlin", "5 waiting; 10 in 3600 s", "refuse", "7",
    ):  # fmt: skip
        assert words in lines[1]
    assert "no policy: nothing hazardous is done there" in lines[2]


@pytest.mark.usefixtures("policies")
@pytest.mark.parametrize("name", ["yard", "Yard", "YARD"])
def test_show_one_zone(kitt: Kitt, name: str) -> None:
    ran = kitt("policy", "show", name)
    assert ran.code == 0
    assert "Yard" in ran.out
    assert "Welding" not in ran.out
    assert json.loads(kitt("policy", "show", name, "--json").out) == [YARD]


@pytest.mark.usefixtures("policies")
def test_show_an_unknown_zone_names_those_there_are(kitt: Kitt) -> None:
    ran = kitt("policy", "show", "moon")
    assert ran.code == 4
    assert "welding-bay, yard" in ran.err


def test_explain_says_what_is_needed_and_who_could_sign(kitt: Kitt, script: Scripted) -> None:
    explains(script, item())
    ran = kitt("policy", "explain", "unlock the welding bay door")
    assert ran.code == 2
    assert script.last("POST", "/api/policies/explain").body == {
        "text": "unlock the welding bay door",
        "tainted": False,
    }
    for words in (
        "unlock the welding bay door", "waits for people", "version 7", "zone: high",
        "[x] the device can do it now", "[ ] the signature of a second person", "welding helmet",
        "Emil Engineer",
    ):  # fmt: skip
        assert words in ran.out


def test_explain_says_what_would_refuse(kitt: Kitt, script: Scripted) -> None:
    check = {
        "rule": "hours", "demand": "it is mon 07:00 to 19:00 (Europe/Berlin)", "met": False,
        "code": "outside_hours", "reason": "Not at this time.",
    }  # fmt: skip
    refused = item(
        "refused", code="outside_hours", reason="Not at this time.", checks=[check], needs=[]
    )
    explains(script, refused)
    moment = "2026-03-02T23:00:00+01:00"
    ran = kitt("policy", "explain", "unlock it", "--at", moment, "--as", "olga", "--tainted")
    assert ran.code == 3
    assert script.last("POST", "/api/policies/explain").body == {
        "text": "unlock it", "tainted": True, "as": "olga", "at": moment,
    }  # fmt: skip
    assert "refused: Not at this time." in ran.out
    assert "[ ] it is mon 07:00 to 19:00 (Europe/Berlin): Not at this time." in ran.out
    assert "who could sign" not in ran.out


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [(["clear"], 0), (["clear", "waits"], 2), (["waits", "refused", "clear"], 3), (["odd"], 4)],
)
def test_explain_leaves_with_the_worst(
    kitt: Kitt, script: Scripted, verdicts: list[str], code: int
) -> None:
    explains(script, *(item(each) for each in verdicts))
    ran = kitt("policy", "explain", "x", "--json")
    assert ran.code == code
    assert [each["verdict"] for each in json.loads(ran.out)["items"]] == verdicts


def test_explain_when_nobody_could_sign(kitt: Kitt, script: Scripted) -> None:
    explains(script, item(signers=[]))
    assert "nobody has the role and a key" in kitt("policy", "explain", "x").out


def test_explain_for_others_is_the_servers_to_refuse(kitt: Kitt, script: Scripted) -> None:
    script.on("POST", "/api/policies/explain", error(403, "not_allowed", "Only safety may."))
    ran = kitt("policy", "explain", "x", "--as", "sara")
    assert ran.code == 6
    assert "Only safety may." in ran.err


def test_explain_as_uses_that_persons_token_where_it_lies(
    local: Kitt, script: Scripted, home: Path
) -> None:
    (home / "kitty/tokens").mkdir(parents=True)
    (home / "kitty/tokens/operator.token").write_text(TOKEN)
    explains(script, item("clear"))
    server = ("--url", script.url, "--home", str(home / "kitty"))
    assert local("policy", "explain", "x", "--as", "operator", *server).code == 0
    ran = local("policy", "explain", "x", "--as", "nobody", *server)
    assert ran.code == 6
    assert "there is no token" in ran.err


def test_hidden_characters_of_a_zone_do_not_reach_the_terminal(
    kitt: Kitt, script: Scripted
) -> None:
    explains(script, item(what="unlock \x1b[2J the door", zone="bay\u202e"))
    ran = kitt("policy", "explain", "x")
    assert "\x1b" not in ran.out
    assert "\u202e" not in ran.out


# -- check --------------------------------------------------------------------------------


def saved(home: Path, text: str) -> str:
    file = home / "lab.toml"
    file.write_text(text, encoding="utf-8")
    return str(file)


def test_check_says_what_a_good_file_comes_to(local: Kitt, home: Path) -> None:
    ran = local("policy", "check", saved(home, LAB))
    assert ran.code == 0, ran.err
    assert "2 zones, 2 policies, no mistakes" in ran.out
    assert "note: zones[0].policy: 2 people must sign, and the file has 0" in ran.out
    assert "zones[1].policy" not in ran.out


def test_check_names_every_mistake_by_its_path(local: Kitt, home: Path) -> None:
    broken = LAB.replace("ttl_seconds = 600", 'ttl_seconds = 0\ntaint = "maybe"')
    broken = broken.replace('["engineer", "safety"]', '["boss"]')
    ran = local("policy", "check", saved(home, broken))
    assert ran.code == 4
    assert not ran.out
    lines = ran.err.splitlines()
    assert len(lines) == 3
    for place in ("presence_ttl_seconds", "taint", "required_roles"):
        assert any(line.startswith(f"kitt: zones[0].policy.{place}") for line in lines)


def test_check_notes_a_zone_without_a_policy(local: Kitt, home: Path) -> None:
    yard = '\n[[zones]]\nslug = "yard"\nname = "Yard"\nhazard_level = "low"\n'
    ran = local("policy", "check", saved(home, LAB + yard))
    assert ran.code == 0
    assert "note: zones[2]: without a policy nothing hazardous can be done in Yard" in ran.out


@pytest.mark.parametrize("text", ["", "version = 2", "not toml", "version = 1\nzones = 3"])
def test_check_of_what_is_no_lab(local: Kitt, home: Path, text: str) -> None:
    ran = local("policy", "check", saved(home, text))
    assert ran.code == 4
    assert ran.err.startswith("kitt: ")


def test_check_of_no_file(local: Kitt, home: Path) -> None:
    assert local("policy", "check", str(home / "none.toml")).code == 4
    assert local("policy", "check").code == 64
