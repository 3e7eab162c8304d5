"""What people say, read word for word from the data files."""

import time
from pathlib import Path

import pytest
import yaml
from understanding.lab import shown
from understanding.scoring import INTENTS, READS, data, made, read, wrong

from assistant.understanding import sentences as sentences_module
from assistant.understanding.reading import Act, Ask, Heard, Reply, Stop, Unknown
from assistant.understanding.sentences import expansions, sentences

TOOLS = {
    "list_devices", "device_status", "switch_light", "set_scene", "lock_door", "unlock_door",
    "cut_power", "enable_power", "who_is_in", "show_camera", "list_printers", "printer_status",
    "print_progress", "list_jobs", "start_print", "pause_print", "resume_print", "abort_print",
    "set_temperature", "send_gcode", "stop_everything", "list_approvals", "approval_status",
    "withdraw_request", "what_happened", "why", "remember", "recall", "forget",
}  # fmt: skip
POSITIVE = [(say, g["tool"], g["args"]) for g in data("positive.yaml") for say in g["say"]]
UNSEEN = data("unseen.yaml")
SECOND = data("unseen_second.yaml")
THIRD = data("unseen_third.yaml")
FORBIDDEN = [(why, say) for why, group in data("must_not_act.yaml").items() for say in group]


def test_the_files_are_as_large_as_they_claim():
    assert len(POSITIVE) + len(UNSEEN) >= 400
    assert len(UNSEEN) >= 150
    assert len(FORBIDDEN) >= 250


@pytest.mark.parametrize(("say", "tool", "args"), POSITIVE)
def test_said_plainly(say, tool, args):
    assert made(read(say)) == [(tool, args)]


def test_unseen_paraphrases():
    failures = wrong(UNSEEN)
    assert len(failures) <= 0.035 * len(UNSEEN), "\n".join(failures)


@pytest.mark.parametrize("cases", [UNSEEN, SECOND, THIRD], ids=["first", "second", "third"])
def test_an_unseen_paraphrase_never_makes_a_wrong_action(cases):
    for say, tool, args in cases:
        acted = [call for call in made(read(say)) if call[0] not in READS]
        assert acted in ([], [(tool, args)]), say


@pytest.mark.parametrize("cases", [SECOND, THIRD], ids=["second", "third"])
def test_later_sets_of_unseen_paraphrases(cases):
    failures = wrong(cases)
    assert len(failures) <= 0.1 * len(cases), "\n".join(failures)


@pytest.mark.parametrize(("why", "say"), FORBIDDEN)
def test_must_not_act(why, say):
    assert [call for call in made(read(say)) if call[0] not in READS] == [], why


@pytest.mark.parametrize(
    ("say", "kind", "rule"),
    [
        ("do not unlock the laser room door", Heard, "negated"),
        ("he said 'unlock the laser room door'", Heard, "quoted"),
        ("if I unlock the laser room door", Heard, "hypothetical"),
        ("unlock the laser room door tomorrow", Heard, "later"),
        ("lock all the doors except the store room", Heard, "exclusion"),
        ("I unlocked the laser room door", Heard, "reported"),
        ("Bob, unlock the laser room door", Heard, "other_addressee"),
        ("what is the weather", Unknown, None),
        ("write me a poem", Unknown, None),
        ("help", Reply, "help"),
        ("thanks", Reply, "thanks"),
        ("never mind", Reply, "cancel"),
        ("approve the request", Reply, "cannot_approve"),
        ("unlock the door", Ask, "unlock_door"),
        ("stop", Stop, "stop"),
    ],
)
def test_the_kind_of_reading(say, kind, rule):
    reading = read(say)
    assert isinstance(reading, kind)
    assert getattr(reading, "rule", None) == rule
    assert getattr(reading, "text", "-")


@pytest.mark.parametrize("say", ["what is the weather", "who won the match", "write me a poem"])
def test_other_knowledge_has_low_confidence(say):
    assert read(say).confidence < 0.3


@pytest.mark.parametrize("say", ["", "   ", "\x00\x01", "\u200b", "?!", "🙂"])
def test_nothing_said_gets_a_kind_sentence(say):
    reading = read(say)
    assert isinstance(reading, Unknown)
    assert "help" in reading.text


@pytest.mark.parametrize("say", ["a" * 100_000, "unlock " * 5_000, "﷽" * 4_000, "(" * 4_000])
def test_absurd_text_is_survived(say):
    assert made(read(say)) == []


def test_a_long_text_costs_little_and_does_nothing():
    for part in ("the bay and ", "unlock the laser room door and ", "laser ", "zzzzq "):
        start = time.process_time()
        assert made(read(part * (4_000 // len(part)))) == []
        assert time.process_time() - start < 1.0


def test_a_long_note_is_remembered_word_for_word():
    note = "the Blue key, which nobody uses, is in drawer 3; " * 20
    assert made(read(f"remember that {note}"))[0][0] == "remember"


def test_several_commands_run_in_order():
    reading = read("turn off the lights in the bay, lock the laser room and pause the giga")
    assert [tool for tool, _ in made(reading)] == ["switch_light", "lock_door", "pause_print"]


def test_one_part_not_understood_stops_all_parts():
    reading = read("turn off the lights in the bay and make me a coffee")
    assert isinstance(reading, Ask)
    assert [call.tool for call in reading.options] == ["switch_light"]


def test_a_thing_first_and_then_what_to_do_with_it():
    assert made(read("the laser room door, lock it")) == [("lock_door", {"door": "laser-door"})]


def test_all_doors_are_locked_one_by_one():
    assert [shown(call.arguments)["door"] for call in read("lock all the doors").calls] == [
        "bay-door",
        "laser-door",
        "store-door",
    ]


def test_unlocking_all_doors_is_asked():
    assert isinstance(read("unlock all the doors"), Ask)


def test_missing_things_are_asked_with_the_two_best():
    reading = read("unlock the door")
    assert isinstance(reading, Ask)
    assert reading.missing == "door"
    assert [shown(call.arguments)["door"] for call in reading.options] == [
        "bay-door",
        "laser-door",
    ]


def test_an_unknown_name_is_said_with_the_nearest():
    reading = read("print the hinge brocket clamp on the giga")
    assert made(reading) == []
    assert "hinge bracket" in reading.text


def test_calls_are_read_back_in_words():
    labels = [
        "turn off the welding bay lights",
        "set the nozzle of the Giga to 210 degrees",
        "print the hinge bracket on the MK4",
    ]
    says = [
        "kill the lights in the bay",
        "giga nozzle 210",
        "start the hinge bracket on the prusa",
    ]
    assert [read(say).calls[0].label for say in says] == labels


@pytest.mark.parametrize("tool", sorted(TOOLS))
def test_every_tool_has_sentences_that_are_understood(tool):
    examples = sentences(tool, INTENTS)
    assert len(examples) >= 3


def test_every_intent_names_a_known_tool_or_a_reply():
    for spec in INTENTS.specs.values():
        assert (spec.tool in TOOLS) != bool(spec.reply), spec.name


def test_expansions_read_as_their_own_tool():
    """What the templates can say is read as the same tool, or asked back."""
    for tool in sorted(TOOLS - {"remember", "recall", "forget", "why"}):
        for say in expansions(tool, INTENTS, each=2):
            reading = read(say)
            acted = {call.tool for call in reading.calls} if isinstance(reading, Act) else set()
            assert acted <= {tool} | READS, (tool, say, reading)


def test_no_word_of_the_data_is_read_as_a_truth_value():
    """YAML reads a bare `on`, `off`, `yes` or `no` as a truth value."""

    def words(value):
        if isinstance(value, dict):
            return [word for each in value.values() for word in words(each)]
        return [w for each in value for w in words(each)] if isinstance(value, list) else [value]

    folder = Path(sentences_module.__file__).parent / "intents"
    for name in ("lexicon.yaml", "rules.yaml"):
        known = yaml.safe_load((folder / name).read_text(encoding="utf-8"))
        assert not [word for word in words(known) if isinstance(word, bool)], name
    for frame in INTENTS.frames.frames:
        assert all(isinstance(word, str) for word in frame.cues | frame.helpers | frame.against)
