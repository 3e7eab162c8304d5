"""Sentences by a second person, with other habits of speech, in the demo lab."""

import pytest
from understanding.demo_lab import KEYS, NAMES, scores
from understanding.lab import NAMES as LAB
from understanding.lab import NOW
from understanding.scoring import INTENTS, READS, data, made, read

from assistant.understanding.dialogue import Dialogue, Question
from assistant.understanding.likeness import Likeness
from assistant.understanding.names import Name, Names
from assistant.understanding.reading import Act, Ask, Confirm, Reply, Stop, Unknown
from assistant.understanding.sentences import Intents
from assistant.understanding.understanding import Understanding

SETS = {
    "unseen_fourth.yaml": 0.95,
    "unseen_fifth.yaml": 0.89,
    "unseen_sixth.yaml": 0.84,
    "unseen_seventh.yaml": 0.95,
}
"""Share that is read right now; the first runs are in docs/understanding.md."""
LEFT_ALONE = [
    (why, say) for why, group in data("must_not_act_second.yaml").items() for say in group
]
STOPS = data("stops.yaml")
HAZARDOUS = {spec.tool for spec in INTENTS.specs.values() if spec.hazardous}


def calls(say, **kwargs):
    """Return the calls of a reading in the demo lab, with its keys."""
    reading = read(say, names=NAMES, **kwargs)
    if not isinstance(reading, Act | Stop):
        return []
    return [
        (each.tool, {key: KEYS.get(value, value) for key, value in each.arguments.items()})
        for each in reading.calls
    ]


@pytest.mark.parametrize(("name", "share"), SETS.items())
def test_paraphrases_of_another_person(name, share):
    rows = scores(name)
    wrong = [f"{case[0]!r} -> {reading}" for points, case, reading in rows if points < 1]
    assert len(wrong) <= (1 - share) * len(rows), "\n".join(wrong)


@pytest.mark.parametrize("name", SETS)
def test_no_paraphrase_makes_a_wrong_hazardous_action(name):
    for points, case, reading in scores(name):
        made_calls = reading.calls if isinstance(reading, Act | Stop) else ()
        assert points == 1 or not [c for c in made_calls if c.tool in HAZARDOUS], case


@pytest.mark.parametrize(("why", "say"), LEFT_ALONE)
def test_must_not_act(why, say):
    assert [call for call in calls(say) if call[0] not in READS] == [], why


@pytest.mark.parametrize("say", STOPS["must_stop"])
def test_must_stop(say):
    assert calls(say)[0][0] in {"stop_everything", "abort_print", "cut_power"}


@pytest.mark.parametrize("say", STOPS["must_not_stop"])
def test_is_no_call_to_stop(say):
    assert not isinstance(read(say, names=NAMES), Stop)
    assert [call for call in calls(say) if call[0] not in READS | {"remember"}] == []


@pytest.mark.parametrize(
    ("say", "tool", "arguments"),
    [
        ("note: unlock the laser room door before use", "remember", None),
        ("don't forget not to turn on the welder", "remember", None),
        ("unlock the bay door, I mean lock it", "lock_door", {"door": "welding-bay-door"}),
        ("unlock, I mean lock, the laser room door", "lock_door", {"door": "laser-room-door"}),
        ("turn on the welder, no stop that", "abort_print", {}),
        ("pause giga, I mean the prusa", "pause_print", {"printer": "mk4"}),
        ("turn of the bench lights", "switch_light", {"on": False, "target": "main-floor-bench"}),
        ("pause the big one", "pause_print", {"printer": "giga"}),
        ("print the cable clip on mk4", "start_print", {"job": "cable clips", "printer": "mk4"}),
        (
            "start gearbox bracket, use the prusa",
            "start_print",
            {"job": "gearbox bracket", "printer": "mk4"},
        ),
        (
            "it's dark in the welding bay, put the lights on",
            "switch_light",
            {"target": "welding-bay", "on": True},
        ),
        (
            "there's smoke coming out of the cutter, power off",
            "cut_power",
            {"device": "laser-cutter"},
        ),
        (
            "what's the temperature in the print farm",
            "device_status",
            {"device": "print-farm-sensor"},
        ),
        ("what did Olga do", "what_happened", {"about": "Olga Operator"}),
        ("where is the welder", "device_status", {"device": "welder"}),
        ("where are the spare nozzles", "recall", {"about": "spare nozzles"}),
        ("forget the spare nozzles", "forget", {"about": "spare nozzles"}),
    ],
)
def test_said_plainly(say, tool, arguments):
    [(got, found)] = calls(say)
    assert got == tool
    assert arguments is None or found == arguments


@pytest.mark.parametrize(
    "say",
    [
        "unlock the bay door, never mind",
        "turn on the welder, scratch that",
        "unlock the laser room, just kidding",
        "start the drone frame on bamboo, oh no, cancel",
    ],
)
def test_what_is_taken_back_in_the_same_breath_is_left(say):
    reading = read(say, names=NAMES)
    assert isinstance(reading, Reply)
    assert reading.rule == "taken_back"


@pytest.mark.parametrize(
    "say",
    [
        "we need compressed air, turn the compressor on",
        "open up the store room, I've got my hands full",
        "turn the welder off, I mean on",
        "I am standing outside the laser room, let me in",
    ],
)
def test_what_hurts_is_asked_beside_a_remark_or_a_correction(say):
    reading = read(say, names=NAMES)
    assert isinstance(reading, Ask)


def test_a_thing_called_like_a_variant_keeps_its_name():
    names = Names(
        version="two",
        entries=(
            Name(id="a", kind="job", name="bracket clips"),
            Name(id="b", kind="job", name="bracket clip"),
        ),
    )
    assert read("print the bracket clip", names=names).calls[0].arguments == {"job": "b"}
    assert read("print the bracket clips", names=names).calls[0].arguments == {"job": "a"}


def test_a_numbered_thing_by_its_number():
    for say in ("switch bay strip number 2 off", "turn off the second bay strip"):
        assert made(read(say)) == [("switch_light", {"target": "bay-strip-2", "on": False})]


@pytest.mark.parametrize(
    ("event", "say", "yes"),
    [
        ("a b", "yes to both", True),
        ("a b", "yes, both", True),
        ("a b", "yes", True),
        ("a b", "no", False),
        ("a b", "no to both", False),
        ("a b c", "yes to all", True),
        ("a", "no", False),
    ],
)
def test_one_answer_for_several_confirmations(event, say, yes):
    question = Question(kind="confirm", asked_at=NOW, text="Shall I?", event=event)
    reading = read(say, Dialogue(question=question))
    assert reading == Confirm(event=event, yes=yes)


@pytest.mark.parametrize(("event", "say"), [("a", "yes to both"), ("a b c", "both")])
def test_both_is_no_yes_to_one_or_three(event, say):
    question = Question(kind="confirm", asked_at=NOW, text="Shall I?", event=event)
    assert not isinstance(read(say, Dialogue(question=question)), Confirm)


@pytest.mark.parametrize(
    ("say", "noun"),
    [
        ("turn on the lights", "lights"),
        ("lock the door", "doors"),
        ("cut the power", "machines"),
        ("show me the camera", "cameras"),
    ],
)
def test_an_empty_lab_says_what_it_does_not_know_yet(say, noun):
    reading = read(say, names=Names(version="empty"))
    assert f"I know no {noun} yet" in reading.text
    assert "lab file" in reading.text


@pytest.mark.parametrize("names", [LAB, NAMES, Names(version="empty")])
def test_help_is_short_and_clean(names):
    reading = read("help", names=names)
    assert isinstance(reading, Reply)
    for text in (reading.text, reading.spoken, read("fnord zing", names=names).text):
        assert not {"?.", ";.", "..", "; "} & {text[at : at + 2] for at in range(len(text))}
    assert reading.text.count('"') <= 2 * 8
    assert len(reading.spoken) <= len(reading.text)


@pytest.mark.parametrize("say", ["what is the weather", "write me a poem", "read me the news"])
def test_other_matters_are_declined_in_plain_words(say):
    reading = read(say, names=NAMES)
    assert isinstance(reading, Unknown)
    assert "language model" in reading.text
    assert "internet" in reading.text
    assert reading.confidence < 0.3


def test_likeness_never_makes_anything_hazardous():
    likeness = Likeness.load()
    assert {name for name in likeness.classes if name != "none"} <= Intents.load().specs.keys()
    reader = Understanding(INTENTS)
    for say in data("other_matters.yaml"):
        reading = reader.read(say, NAMES, Dialogue(), NOW)
        acted = reading.calls if isinstance(reading, Act | Stop) else ()
        assert not [c for c in acted if c.tool in HAZARDOUS], say
