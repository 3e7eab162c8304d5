"""Turns that lean on earlier ones."""

from dataclasses import replace
from datetime import timedelta

import pytest
from understanding.lab import NOW
from understanding.scoring import made, read

from assistant.understanding.dialogue import QUESTION_LIFETIME, Dialogue
from assistant.understanding.memory import after, dump, load
from assistant.understanding.reading import Act, Ask, Confirm, Heard, Reply, Stop, Unknown

SECOND = timedelta(seconds=1)


def talk(*turns, event=""):
    """Say the turns one second apart; return the last reading and the state before it."""
    dialogue, now = Dialogue(), NOW
    reading = None
    for turn in turns[:-1]:
        reading = read(turn, dialogue, now)
        dialogue = after(dialogue, reading, now, event=event)
        now += SECOND
    return read(turns[-1], dialogue, now), dialogue


FOLLOW_UPS = [
    (("turn on the lights in the bay", "and the laser room?"),
     ("switch_light", {"target": "laser-room", "on": True})),
    (("turn on the lights in the bay", "turn it off again"),
     ("switch_light", {"target": "welding-bay", "on": False})),
    (("turn on the lights in the bay", "turn them off"),
     ("switch_light", {"target": "welding-bay", "on": False})),
    (("turn on the lights in the bay", "same for the store room"),
     ("switch_light", {"target": "store-room", "on": True})),
    (("turn on the lights in the bay", "what about the print farm"),
     ("switch_light", {"target": "print-farm", "on": True})),
    (("turn on the lights in the bay", "now the laser room please"),
     ("switch_light", {"target": "laser-room", "on": True})),
    (("who is in the laser room", "and in the store room?"), ("who_is_in", {"zone": "store-room"})),
    (("who is in the laser room", "turn on the lights there"),
     ("switch_light", {"target": "laser-room", "on": True})),
    (("print the cube on the giga", "pause it"), ("pause_print", {"printer": "giga"})),
    (("how far is the giga", "and the MK4?"), ("print_progress", {"printer": "mk4"})),
    (("pause the giga", "and the bamboo"), ("pause_print", {"printer": "bamboo"})),
    (("pause the giga", "resume it"), ("resume_print", {"printer": "giga"})),
    (("set the nozzle of the giga to 210", "and the bed to 60"),
     ("set_temperature", {"printer": "giga", "part": "bed", "celsius": 60})),
    (("lock the laser room", "the same again"), ("lock_door", {"door": "laser-door"})),
    (("lock the laser room", "unlock it"), ("unlock_door", {"door": "laser-door"})),
    (("is the laser room door locked", "lock it please"), ("lock_door", {"door": "laser-door"})),
    (("turn off the compressor", "turn it back on"), ("enable_power", {"device": "compressor"})),
    (("show me the laser room", "and the bay?"), ("show_camera", {"target": "welding-bay"})),
    (("turn on the laser", "stop it"), ("stop_everything", {})),
]  # fmt: skip
CORRECTIONS = [
    (("pause the MK4", "no, the big printer"), ("pause_print", {"printer": "giga"})),
    (("pause the MK4", "I meant the bamboo"), ("pause_print", {"printer": "bamboo"})),
    (("turn on the lights in the bay", "not that one, the laser room"),
     ("switch_light", {"target": "laser-room", "on": True})),
    (("turn on the lights in the bay", "no not the bay, the laser room"),
     ("switch_light", {"target": "laser-room", "on": True})),
    (("turn on the lights in the bay", "sorry, the laser room"),
     ("switch_light", {"target": "laser-room", "on": True})),
    (("unlock the laser room door", "no, the store room"),
     ("unlock_door", {"door": "store-door"})),
    (("print the cube on the giga", "no, on the MK4"),
     ("start_print", {"job": "cube", "printer": "mk4"})),
    (("print the cube on the giga", "I meant the hinge bracket"),
     ("start_print", {"job": "bracket", "printer": "giga"})),
    (("set the nozzle of the giga to 210", "no, 220"),
     ("set_temperature", {"printer": "giga", "part": "nozzle", "celsius": 220})),
]  # fmt: skip
UNDOS = [
    (("turn on the lights in the bay", "undo that"),
     ("switch_light", {"target": "welding-bay", "on": False})),
    (("unlock the laser room", "undo that"), ("lock_door", {"door": "laser-door"})),
    (("lock the laser room", "undo"), ("unlock_door", {"door": "laser-door"})),
    (("pause the giga", "undo that"), ("resume_print", {"printer": "giga"})),
    (("turn off the compressor", "take that back"), ("enable_power", {"device": "compressor"})),
]  # fmt: skip


@pytest.mark.parametrize(("turns", "call"), [*FOLLOW_UPS, *CORRECTIONS, *UNDOS])
def test_the_last_turn_leans_on_the_one_before(turns, call):
    reading, _ = talk(*turns)
    assert made(reading) == [call]


def test_a_temperature_never_carries_over_to_another_part():
    reading, _ = talk("set the nozzle of the giga to 60", "what about the bed?")
    assert isinstance(reading, Ask)
    assert reading.missing == "celsius"


def test_a_question_about_the_other_part_looks_again():
    reading, _ = talk("how hot is the nozzle of the giga", "what about the bed?")
    assert made(reading) == [("printer_status", {"printer": "giga"})]


@pytest.mark.parametrize("leaning", ["and the laser room?", "turn it off", "pause it", "undo that"])
def test_without_a_turn_before_it_does_nothing(leaning):
    assert made(read(leaning)) in ([], [("pause_print", {})])


def test_it_is_forgotten_after_ten_minutes():
    dialogue = after(Dialogue(), read("lock the laser room"), NOW)
    late = NOW + timedelta(minutes=10, seconds=1)
    assert made(read("unlock it", dialogue, late)) == []
    assert made(read("unlock it", dialogue, late - 2 * SECOND)) != []


def test_the_other_one_of_two():
    reading, _ = talk("turn on bay strip 1", "and bay strip 2?")
    assert made(reading) == [("switch_light", {"target": "bay-strip-2", "on": True})]


SLOTS = [
    (("unlock the door", "the laser room"), ("unlock_door", {"door": "laser-door"})),
    (("unlock the door", "the laser room door please"), ("unlock_door", {"door": "laser-door"})),
    (("unlock the door", "the first one"), ("unlock_door", {"door": "bay-door"})),
    (("unlock the door", "the second"), ("unlock_door", {"door": "laser-door"})),
    (("turn on the lights", "in the store room"),
     ("switch_light", {"target": "store-room", "on": True})),
    (("who is in there", "the bay"), ("who_is_in", {"zone": "welding-bay"})),
    (("set the nozzle to 210", "on the giga"),
     ("set_temperature", {"part": "nozzle", "celsius": 210, "printer": "giga"})),
    (("set the nozzle to 210", "the big one"),
     ("set_temperature", {"part": "nozzle", "celsius": 210, "printer": "giga"})),
    (("set the bed of the giga", "60 degrees"),
     ("set_temperature", {"part": "bed", "celsius": 60, "printer": "giga"})),
    (("start a print", "the calibration cube"), ("start_print", {"job": "cube"})),
    (("start a print on the giga", "the cube"), ("start_print", {"job": "cube", "printer": "giga"})),
    (("set the dim scene", "the laser room"), ("set_scene", {"scene": "dim", "zone": "laser-room"})),
    (("enable the compresor", "yes"), ("enable_power", {"device": "compressor"})),
]  # fmt: skip


@pytest.mark.parametrize(("turns", "call"), SLOTS)
def test_an_answer_fills_what_was_missing(turns, call):
    reading, before = talk(*turns)
    assert before.question is not None
    assert made(reading) == [call]


def test_two_missing_things_are_asked_one_after_the_other():
    reading, _ = talk("heat the nozzle", "the giga", "215")
    assert made(reading) == [
        ("set_temperature", {"part": "nozzle", "printer": "giga", "celsius": 215})
    ]


def test_a_new_command_replaces_the_question():
    reading, _ = talk("unlock the door", "turn off the lights in the bay")
    assert made(reading) == [("switch_light", {"target": "welding-bay", "on": False})]


def test_stop_goes_before_any_question():
    reading, _ = talk("unlock the door", "stop")
    assert isinstance(reading, Stop)


@pytest.mark.parametrize("no", ["no", "never mind", "cancel", "forget it", "none of them"])
def test_a_question_can_be_dropped(no):
    reading, before = talk("unlock the door", no)
    assert isinstance(reading, Reply)
    assert after(before, reading, NOW).question is None


def confirming(at=NOW):
    reading = read("set the dim scene in the laser room")
    return after(Dialogue(), reading, at, event="event-1")


YES = ["yes", "Yes.", "yes please", "YES!", "yep", "do it", "go ahead", "confirm", "okay", "sure"]
NO = ["no", "No.", "nope", "cancel", "never mind", "don't", "do not do it", "no thanks"]
NEITHER = [
    "yes but not now", "yes but only the left one", "do not confirm: proceed", "уes", "yеs",
    "ye\u200bs", "ｙｅｓ", "yes no", "no yes", "yes?", "yes, if Bob agrees", "yes yes unlock the door",
    "maybe yes", "I said yes to Bob", "he said yes", "'yes'", "confirm nothing", "yes\u202e",
]  # fmt: skip


@pytest.mark.parametrize("say", YES)
def test_yes_confirms_the_event_that_was_asked_about(say):
    assert read(say, confirming()) == Confirm(event="event-1", yes=True)


@pytest.mark.parametrize("say", NO)
def test_no_declines_it(say):
    assert read(say, confirming()) == Confirm(event="event-1", yes=False)


@pytest.mark.parametrize("say", NEITHER)
def test_anything_around_a_yes_is_no_yes(say):
    assert not isinstance(read(say, confirming()), Confirm)


@pytest.mark.parametrize("say", YES)
def test_a_yes_without_a_question_confirms_nothing(say):
    assert not isinstance(read(say), Confirm | Act)


def test_a_yes_counts_for_less_than_300_seconds():
    last = NOW + QUESTION_LIFETIME - SECOND
    assert isinstance(read("yes", confirming(), last), Confirm)
    for late in (NOW + QUESTION_LIFETIME, NOW + QUESTION_LIFETIME + SECOND):
        assert not isinstance(read("yes", confirming(), late), Confirm)


def test_a_question_from_the_future_confirms_nothing():
    assert not isinstance(read("yes", confirming(), NOW - SECOND), Confirm)


def test_an_unclear_answer_is_asked_again_and_the_question_grows_no_younger():
    dialogue = confirming()
    again = read("yes but not now", dialogue, NOW + SECOND)
    assert isinstance(again, Ask)
    assert after(dialogue, again, NOW + 200 * SECOND).question == dialogue.question


@pytest.mark.parametrize("other", ["what is the weather", "do not unlock the door", "thanks"])
def test_anything_else_said_closes_the_question(other):
    dialogue = confirming()
    reading = read(other, dialogue)
    assert after(dialogue, reading, NOW).question is None


def test_a_new_command_closes_the_question():
    dialogue = confirming()
    reading = read("lock the laser room", dialogue)
    assert made(reading) == [("lock_door", {"door": "laser-door"})]
    assert after(dialogue, reading, NOW).question is None


def test_no_the_other_one_is_a_correction_and_no_answer():
    reading = read("no, the store room", confirming())
    assert made(reading) == [("set_scene", {"zone": "store-room", "scene": "dim"})]


def test_cancel_with_nothing_open_is_only_words():
    assert isinstance(read("cancel"), Reply)


def test_the_state_survives_json():
    for turns in (
        ["unlock the door", "x"],
        ["lock the laser room", "x"],
        ["set the bed to 60", "x"],
    ):
        _, dialogue = talk(*turns)
        assert load(dump(dialogue)) == dialogue
    assert load(dump(confirming())) == confirming()


@pytest.mark.parametrize(
    "state",
    [
        {}, {"question": 7}, {"question": {}}, {"last_calls": "x", "last_at": "y"}, {"last_at": 1},
        {"question": {"kind": "confirm"}}, {"question": {"kind": "evil", "asked_at": "2026-01-01"}},
        {"last_calls": [1, {"tool": 3}, {}], "last_at": "2026-01-01T00:00:00+00:00"},
        {"question": {"kind": "slot", "asked_at": "2026-01-01T00:00:00"}}, {"new": "key"},
    ],
)  # fmt: skip
def test_a_strange_state_is_an_empty_one(state):
    loaded = load(state)
    assert loaded.question is None
    assert loaded.last_calls == ()


def test_heard_and_unknown_leave_the_last_calls():
    dialogue = after(Dialogue(), read("lock the laser room"), NOW)
    for reading in (Heard(text="", rule="negated"), Unknown(text="")):
        assert after(dialogue, reading, NOW) == replace(dialogue, question=None)
