"""One request from a shell: its words, its JSON, its exit code."""

import json
from pathlib import Path
from typing import Any

import pytest
from cli.scripted import CONVERSATION, EVENT, Kitt, Scripted, answer_of, error, waiting


def call(outcome: str) -> dict[str, Any]:
    return {"tool": "switch_light", "arguments": {"on": True}, "outcome": outcome}


CODES = {
    "said": ({}, 0),
    "done": ({"calls": [call("done")]}, 0),
    "answered": ({"calls": [call("answered")]}, 0),
    "pending call": ({"calls": [call("pending")]}, 2),
    "pending": ({"pending_hazard": waiting()}, 2),
    "refused": ({"calls": [call("refused")]}, 3),
    "failed": ({"calls": [call("failed")]}, 4),
    "unknown": ({"calls": [call("unknown")]}, 4),
    "a word of the future": ({"calls": [call("perhaps")]}, 4),
    "the worst counts": ({"calls": [call("done"), call("refused"), call("pending")]}, 3),
}


@pytest.mark.parametrize(("changed", "code"), CODES.values(), ids=CODES.keys())
@pytest.mark.parametrize("json_too", [(), ("--json",)])
def test_exit_codes(
    kitt: Kitt, script: Scripted, changed: dict[str, Any], code: int, json_too: tuple[str, ...]
) -> None:
    script.on("POST", "/api/query", answer_of(**changed))
    assert kitt("chat", "lights on", *json_too).code == code


def test_says_and_sends(kitt: Kitt, script: Scripted) -> None:
    script.on("POST", "/api/query", answer_of())
    ran = kitt("chat", "turn on the lights")
    assert (ran.code, ran.out) == (0, "The lights are on.\n")
    asked = script.last("POST", "/api/query")
    assert asked.body == {"input": {"text": "turn on the lights"}, "channel": "cli"}
    assert asked.authorization == "Bearer a-token-for-tests"


def test_json_is_the_servers_object_on_one_line(kitt: Kitt, script: Scripted) -> None:
    answer = answer_of("25 °C\u2028\x1b[2J", pending_hazard=waiting())
    script.on("POST", "/api/query", answer, 202)
    ran = kitt("chat", "--json", "unlock the door")
    assert (ran.code, ran.err, ran.out.count("\n")) == (2, "", 1)
    assert json.loads(ran.out) == answer


def test_what_waits_comes_with_the_command(kitt: Kitt, script: Scripted) -> None:
    script.on("POST", "/api/query", answer_of("It waits.", pending_hazard=waiting()), 202)
    ran = kitt("chat", "unlock the door")
    for shown in ("It waits.", "hazard high, 4 min", "engineer or safety", f"kitt approve {EVENT}"):
        assert shown in ran.out


def test_a_question_and_its_readings(kitt: Kitt, script: Scripted) -> None:
    asked = {"text": "Which door?", "options": ["store room", "laser room"]}
    script.on("POST", "/api/query", answer_of("Which door?", replies=[], question=asked))
    ran = kitt("chat", "unlock")
    assert ran.out == "Which door?\n  1  store room\n  2  laser room\n"
    script.on("POST", "/api/query", answer_of("Which door?", question=asked))
    assert kitt("chat", "unlock").out == ran.out, "what was said is not said twice"


def test_a_reply_cannot_drive_the_terminal(kitt: Kitt, script: Scripted) -> None:
    script.on("POST", "/api/query", answer_of("a\x1b[2Jb\u202ec\nd [red]e[/red]"))
    assert kitt("chat", "hi").out == "a\\x1b[2Jb\\u202ec\nd [red]e[/red]\n"


def test_goes_on_with_a_conversation(kitt: Kitt, script: Scripted, home: Path) -> None:
    assert kitt("chat", "-c", "last", "hi").code == 4
    script.on("POST", "/api/query", answer_of())
    kitt("chat", "hi")
    kitt("chat", "-c", "last", "and the other one")
    assert script.last("POST", "/api/query").body["conversation_id"] == CONVERSATION


def test_lines_of_standard_input_are_one_conversation(kitt: Kitt, script: Scripted) -> None:
    script.on("POST", "/api/query", answer_of(calls=[call("pending")]))
    ran = kitt("chat", typed="lights on\n\nand the laser room\n")
    assert (ran.code, ran.out) == (2, "The lights are on.\n" * 2)
    bodies = [each.body for each in script.asked]
    assert [each["input"]["text"] for each in bodies] == ["lights on", "and the laser room"]
    assert bodies[1]["conversation_id"] == CONVERSATION


def test_errors_are_one_sentence_with_a_code(
    kitt: Kitt, local: Kitt, script: Scripted, home: Path
) -> None:
    script.on("POST", "/api/query", error(422, "too_long", "That is too long."))
    ran = kitt("chat", "hi")
    assert (ran.code, ran.err, ran.out) == (4, "kitt: That is too long.\n", "")
    script.on("POST", "/api/query", error(403, "forbidden", "You may not.\x1b[2J"))
    ran = kitt("chat", "hi", "--json")
    assert (ran.code, ran.err, ran.out) == (6, "kitt: You may not.\\x1b[2J\n", "")
    inner = {"code": "busy", "message": "Busy.", "retryable": True, "retry_after_seconds": 2}
    script.on("POST", "/api/query", {"error": inner}, 503)
    assert kitt("chat", "hi").err == "kitt: Busy. Try again in 2 s.\n"
    script.on("POST", "/api/query", ["no", "envelope"], 502)
    assert "answered 502" in kitt("chat", "hi").err
    script.on("POST", "/api/query", ["not", "an", "object"])
    assert kitt("chat", "hi").code == 4
    wrong = home / "wrong.token"
    wrong.write_text("somebody-else")
    ran = local("chat", "hi", "--url", script.url, "--token-file", str(wrong))
    assert ran.code == 6
    assert "somebody-else" not in ran.err
    closed = local("chat", "hi", "--url", "http://127.0.0.1:9", "--token-file", str(wrong))
    assert closed.code == 5
    assert "kitt serve" in closed.err


def test_wrong_command_lines_do_not_look_like_pending(local: Kitt) -> None:
    for wrong in (["chat", "--no-such"], ["no-such"], ["approve", "a", "b"], ["deny", "x"]):
        assert local(*wrong).code == 64
    assert local("chat", "--url", "ftp://x", "hi").code == 64
    assert local("--help").code == 0
