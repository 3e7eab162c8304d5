"""The printer as a value: limits, progress, pauses, jams and power cuts."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.demo.machine import AckCode, Answer, Command, Fault, respond
from infra.demo.printers import TRANSITIONS, Printer, Status, Step

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
Payload = Callable[..., dict]


def tell(printer: Printer, intent: str, payload: dict | None = None, at: float = 0):
    now = printer.at + timedelta(seconds=at)
    deadline = now + timedelta(seconds=10)
    return respond(
        printer, Command(id="c", intent=intent, payload=payload or {}, deadline=deadline), now
    )


def after(printer: Printer, seconds: float) -> Printer:
    return printer.passed(printer.at + timedelta(seconds=seconds))


@pytest.fixture(scope="session")
def printing(cold_printer: Printer, print_of: Payload) -> Printer:
    started, answer = tell(cold_printer, "start_print", print_of())
    assert answer.ok
    return started


def test_a_print_heats_up_then_prints_then_cools_down(printing: Printer) -> None:
    warming = after(printing, 20)
    assert warming.report()["nozzle_c"] == 101
    assert warming.progress == 0
    assert warming.eta_seconds == pytest.approx(1000 + (60 - 2 - 33) / 0.6, abs=1)
    half = after(printing, 562)
    assert half.progress == pytest.approx(0.5, abs=0.01)
    done = after(half, 501)
    assert done.status is Status.COMPLETE
    assert done.report()["progress"] == 1
    assert (done.nozzle.target_c, done.bed.target_c) == (0, 0)
    assert after(done, 3_600).report()["nozzle_c"] == 21


@given(steps=st.lists(st.floats(0.01, 300), max_size=30))
def test_progress_never_goes_back_and_does_not_depend_on_how_often_one_looks(
    printing: Printer, steps: list[float]
) -> None:
    printer, seen = printing, [0.0]
    for step in steps:
        printer = after(printer, step)
        seen.append(printer.progress)
    assert seen == sorted(seen)
    assert all(0 <= progress <= 1 for progress in seen)
    at_once = printing.passed(printer.at)
    assert printer.progress == pytest.approx(at_once.progress, abs=1e-3)
    assert printer.status is at_once.status


@given(part=st.sampled_from(["nozzle", "bed"]), celsius=st.integers(-50, 500))
def test_a_heater_takes_its_range_and_nothing_else(
    cold_printer: Printer, part: str, celsius: int
) -> None:
    limit = {"nozzle": 270, "bed": 110}[part]
    heated, answer = tell(cold_printer, "set_temperature", {"part": part, "celsius": celsius})
    if 0 <= celsius <= limit:
        assert answer.ok
        assert heated.report()[f"{part}_target_c"] == celsius
        assert after(heated, 3_600).report()[f"{part}_c"] == max(celsius, 21)
    else:
        assert answer.code is AckCode.BAD_PAYLOAD
        assert str(limit) in answer.detail
        assert heated == cold_printer


@given(
    intents=st.lists(
        st.sampled_from(["start_print", "pause_print", "resume_print", "abort_print", "jam"]),
        max_size=12,
    )
)
def test_the_status_follows_the_table(
    cold_printer: Printer, print_of: Payload, intents: list[str]
) -> None:
    printer = cold_printer
    for intent in intents:
        before = printer.status
        if intent == "jam":
            printer = printer.broken(Fault.JAM, printer.at)
            assert printer.status is TRANSITIONS[before].get(Step.FAIL, before)
            continue
        payload = print_of() if intent == "start_print" else {}
        printer, answer = tell(printer, intent, payload)
        assert answer.ok == (Step(intent) in TRANSITIONS[before])
        assert printer.status is TRANSITIONS[before].get(Step(intent), before)
        assert (printer.error is not None) == (printer.status is Status.ERROR)
        if not answer.ok:
            assert answer.code in {AckCode.BUSY, AckCode.NOT_POSSIBLE}


def test_a_paused_print_stands_still_and_goes_on(printing: Printer) -> None:
    paused, _ = tell(after(printing, 500), "pause_print")
    later = after(paused, 1_000)
    assert later.progress == paused.progress > 0
    resumed, answer = tell(later, "resume_print")
    assert answer.ok
    assert after(resumed, 100).progress > later.progress


def test_an_aborted_print_goes_cold(printing: Printer) -> None:
    aborted, answer = tell(after(printing, 500), "abort_print")
    assert answer == Answer(ok=True, detail="The job is aborted, the heaters are off")
    assert aborted.status is Status.IDLE
    assert aborted.report()["job_id"] is None
    assert after(aborted, 3_600).report()["nozzle_c"] == 21


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("gcode/none.gcode", "There is no file"),
        ("gcode/hot.gcode", "0 to 270 °C, not 280"),
    ],
)
def test_a_file_that_cannot_be_printed_is_refused(
    cold_printer: Printer, print_of: Payload, path: str, words: str
) -> None:
    same, answer = tell(cold_printer, "start_print", print_of(path))
    assert answer.code is AckCode.DEVICE_ERROR
    assert words in answer.detail
    assert same == cold_printer


def test_another_file_than_the_approved_one_is_refused(
    cold_printer: Printer, print_of: Payload
) -> None:
    payload = {**print_of(), "gcode_sha256": "0" * 64}
    same, answer = tell(cold_printer, "start_print", payload)
    assert answer.code is AckCode.DEVICE_ERROR
    assert "not the file that was approved" in answer.detail
    assert same == cold_printer


def test_a_jam_stops_the_print_until_it_is_aborted(printing: Printer, print_of: Payload) -> None:
    jammed = after(printing, 500).broken(Fault.JAM, printing.at + timedelta(seconds=501))
    assert jammed.fault() == "Filament jam"
    assert jammed.report()["status"] == "error"
    _, answer = tell(jammed, "start_print", print_of())
    assert answer.code is AckCode.NOT_POSSIBLE
    freed, answer = tell(jammed, "abort_print")
    assert answer.ok
    assert freed.fault() is None


def test_after_a_power_cut_a_print_is_paused_cold_and_can_go_on(
    printing: Printer, cold_printer: Printer
) -> None:
    half = after(printing, 562)
    again = cold_printer.restored(half.kept())
    assert again.status is Status.PAUSED
    assert again.progress == pytest.approx(half.progress, abs=0.01)
    assert again.report()["nozzle_c"] == 21
    resumed, answer = tell(again, "resume_print")
    assert answer.ok
    assert resumed.report()["nozzle_target_c"] == 215


def test_gcode_is_answered_line_by_line(cold_printer: Printer) -> None:
    warm, answer = tell(
        cold_printer, "send_gcode", {"gcode": "G28\nm104 s200 ; warm up\nM140 S60\nM106 S255\nM115"}
    )
    assert answer.detail == (
        "ok G28: all axes are home; ok M104: The nozzle goes to 200 °C; "
        "ok M140: The bed goes to 60 °C; ok M106: the fan turns at 100 %; "
        "ok M115: FIRMWARE_NAME:demo lab MACHINE_TYPE:MK4"
    )
    assert (warm.nozzle.target_c, warm.bed.target_c) == (200, 60)


@pytest.mark.parametrize(
    "gcode",
    ["", ";", "M104", "M104 S999", "M104 S-5", "G28\nM112", "G1 X1", "M106 S256", "M104 S²", "x"],
)
def test_gcode_that_is_not_understood_moves_nothing(cold_printer: Printer, gcode: str) -> None:
    same, answer = tell(cold_printer, "send_gcode", {"gcode": gcode})
    assert answer.code is AckCode.BAD_PAYLOAD
    assert same == cold_printer


def test_a_machine_without_heaters_prints_cold_and_takes_no_heating(
    cold_printer: Printer, print_of: Payload
) -> None:
    snapmaker = Printer(
        intents=frozenset({"start_print", "set_temperature"}),
        name="Snapmaker",
        shelf=cold_printer.shelf,
        nozzle=type(cold_printer.nozzle)(limit_c=0, rise=1, fall=1),
        bed=type(cold_printer.bed)(limit_c=0, rise=1, fall=1),
        at=START,
        speed=10,
    )
    _, answer = tell(snapmaker, "start_print", print_of())
    assert answer.detail == "Snapmaker has no heated nozzle"
    started, answer = tell(snapmaker, "start_print", print_of("gcode/sign.gcode"))
    assert answer.ok
    assert started.eta_seconds == 10
    assert after(started, 10).status is Status.COMPLETE
