"""Printers and prints: looking, starting, stopping, heating."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from fakes.desk import NOW, Room, make_device, make_id, make_job, make_zone

from safety.actions import AbortPrint, PausePrint, ResumePrint, SendGcode, StartPrint
from safety.entities import DeviceKind, OnlineState
from tests.tools.conftest import Call, NotingGate

pytestmark = pytest.mark.anyio


async def text_of(call: Call, name: str, **arguments: object) -> str:
    result = await call(name, **arguments)
    assert result.answer is not None, result.declined
    return result.answer.text


async def code_of(call: Call, name: str, **arguments: object) -> str:
    result = await call(name, **arguments)
    assert result.declined is not None, result
    return result.declined.code


# -- looking ----------------------------------------------------------------------------------


async def test_the_printers_are_listed(call: Call) -> None:
    for name in ("list_printers", "printer_status"):
        text = await text_of(call, name)
        assert text.startswith(
            "3 printers, 1 printing. Free: MK4 and Snapmaker.\nGiga (Print farm): printing, 42 %"
        )
        assert "MK4 (Print farm): idle" in text
    assert await text_of(call, "printer_status", printer="the mk4") == "MK4 is idle."


async def test_no_printers(call: Call, room: Room) -> None:
    room.only([])
    assert await text_of(call, "list_printers") == "There are no printers."
    assert await text_of(call, "print_progress") == "No printer says that it is printing."


async def test_progress_names_the_job_and_the_time_left(call: Call, room: Room) -> None:
    room.printing.all_jobs = [make_job("hinge", status="printing")]
    told = "Giga is printing hinge: 42 %, about 18 minutes left."
    assert await text_of(call, "print_progress") == told
    assert await text_of(call, "print_progress", printer="big printer") == told
    assert await text_of(call, "print_progress", printer="mk4") == "MK4 is idle."
    room.change("Giga", state_at=NOW - timedelta(minutes=4))
    assert (await text_of(call, "print_progress")).endswith("as last reported at 09:59 UTC.")


async def test_jobs_are_listed_with_what_they_take(call: Call, room: Room) -> None:
    assert await text_of(call, "list_jobs") == "There are no print jobs yet."
    room.printing.all_jobs = [
        make_job("hinge"),
        make_job(
            "cube",
            status="completed",
            device=room.view("Giga").device.id,
            completed_at=NOW - timedelta(hours=1),
        ),
    ]
    assert await text_of(call, "list_jobs") == (
        "2 jobs, 1 ready to start.\n"
        "hinge (PLA, about 42 minutes): ready to start\n"
        "cube (PLA, about 42 minutes): completed on Giga, ended 09:03 UTC"
    )


# -- starting ---------------------------------------------------------------------------------


@pytest.mark.parametrize("job", ["hinge", "HINGE", str(make_id("job hinge"))])
async def test_a_job_starts_on_the_only_free_printer(
    call: Call, gate: NotingGate, room: Room, job: str
) -> None:
    room.printing.all_jobs = [make_job("hinge"), make_job("cube")]
    await call("start_print", job=job)
    mk4 = room.view("MK4")
    assert gate.proposed == [
        StartPrint(
            device=mk4.device.id,
            zone=mk4.zone.id,
            job=make_id("job hinge"),
            gcode_path="jobs/hinge.gcode",
            gcode_sha256="ab" * 32,
        )
    ]


async def test_several_free_printers_are_offered(call: Call, room: Room) -> None:
    room.printing.all_jobs = [make_job("hinge")]
    room.change("Giga", state={"status": "complete"})
    result = await call("start_print", job="hinge")
    assert result.declined is not None
    assert result.declined.code == "which_printer"
    assert [each.label for each in result.declined.choices] == [
        "Giga (Print farm)",
        "MK4 (Print farm)",
    ]


@pytest.mark.parametrize(
    ("printer", "change", "code", "words"),
    [
        ("giga", {}, "printer_busy", "Giga is printing"),
        ("snapmaker", {}, "wrong_technology", "Snapmaker does cnc and laser"),
        ("mk4", {"state": {"status": "error"}}, "printer_busy", "stopped by an error"),
        ("mk4", {"state": {"status": "paused"}}, "printer_busy", "MK4 is paused"),
        ("mk4", {"state": {}}, "printer_busy", "has not said what it is doing"),
        ("mk4", {"online": OnlineState.OFFLINE}, "printer_busy", "is offline"),
        ("mk4", {"fault": "jam"}, "printer_busy", "reports a fault"),
        ("nobody", {}, "unknown_device", "no printer called"),
    ],
)
async def test_a_printer_that_cannot_is_refused_clearly(
    call: Call,
    gate: NotingGate,
    room: Room,
    printer: str,
    change: dict[str, Any],
    code: str,
    words: str,
) -> None:
    room.printing.all_jobs = [make_job("hinge")]
    room.change("MK4", **change)
    result = await call("start_print", job="hinge", printer=printer)
    assert result.declined is not None
    assert result.declined.code == code
    assert words in result.declined.message
    assert gate.proposed == []


async def test_a_job_made_for_one_printer_runs_on_that_one(
    call: Call, gate: NotingGate, room: Room
) -> None:
    room.change("Giga", state={"status": "idle"})
    giga = room.view("Giga").device.id
    room.printing.all_jobs = [
        make_job("hinge", device=giga),
        make_job("cube", printers=("giga",)),
    ]
    for job in ("hinge", "cube"):
        await call("start_print", job=job)
        assert gate.proposed[-1].device == giga
        assert await code_of(call, "start_print", job=job, printer="mk4") == "wrong_printer"
    assert len(gate.proposed) == 2
    room.change("Giga", state={"status": "printing"})
    assert await code_of(call, "start_print", job="hinge") == "printer_busy"
    assert await code_of(call, "start_print", job="cube") == "printer_busy"
    room.only([room.view("MK4")])
    assert await code_of(call, "start_print", job="hinge") == "no_printer"


async def test_a_job_that_names_its_printers_needs_what_they_do(
    call: Call, gate: NotingGate, room: Room
) -> None:
    room.printing.all_jobs = [
        make_job("sign", printers=("snapmaker",)),
        make_job("bracket", printers=("giga", "mk4")),
    ]
    await call("start_print", job="sign")
    await call("start_print", job="sign", printer="snapmaker")
    assert {each.device for each in gate.proposed} == {room.view("Snapmaker").device.id}
    result = await call("start_print", job="bracket", printer="snapmaker")
    assert result.declined is not None
    assert result.declined.message == (
        "Snapmaker does cnc and laser, and bracket is prepared for fdm."
    )
    room.change("MK4", online=OnlineState.OFFLINE)
    result = await call("start_print", job="bracket")
    assert result.declined is not None
    assert result.declined.code == "no_printer"
    assert "Giga is printing" in result.declined.message
    assert "MK4 is offline" in result.declined.message


async def test_a_job_made_for_another_printer_says_for_which(call: Call, room: Room) -> None:
    room.printing.all_jobs = [make_job("cube", printers=("giga",))]
    result = await call("start_print", job="cube", printer="mk4")
    assert result.declined is not None
    assert result.declined.code == "wrong_printer"
    assert "cube was prepared for Giga, not for MK4." in result.declined.message


async def test_jobs_that_cannot_start(call: Call, gate: NotingGate, room: Room) -> None:
    room.printing.all_jobs = [
        make_job("old", status="printing"),
        make_job("bare", gcode_sha256=""),
        make_job("twin", id=make_id("a")),
        make_job("twin", id=make_id("b")),
        make_job("sign", technology="laser"),
        make_job("vat", technology="resin"),
    ]
    assert await code_of(call, "start_print", job="old") == "job_not_ready"
    assert await code_of(call, "start_print", job="bare") == "job_incomplete"
    assert await code_of(call, "start_print", job="twin") == "ambiguous"
    assert await code_of(call, "start_print", job="nothing") == "unknown_job"
    assert await code_of(call, "start_print", job="vat") == "no_printer"
    assert gate.proposed == []
    await call("start_print", job="sign")
    assert gate.proposed[0].device == room.view("Snapmaker").device.id


@pytest.mark.parametrize("status", ["completed", "failed", "aborted"])
async def test_an_ended_job_is_prepared_again_once(
    call: Call, gate: NotingGate, room: Room, status: str
) -> None:
    room.printing.all_jobs = [make_job("cube", status=status)]
    ended = room.printing.all_jobs[0]
    await call("start_print", job="cube", printer="MK4")
    await call("start_print", job=str(ended.id), printer="MK4")
    jobs = {action.job for action in gate.proposed}
    assert len(jobs) == 1
    assert ended.id not in jobs
    assert [job.status for job in room.printing.all_jobs] == ["preparing", status]


# -- pausing, resuming, aborting --------------------------------------------------------------


@pytest.mark.parametrize(
    ("tool", "kind"), [("pause_print", PausePrint), ("abort_print", AbortPrint)]
)
async def test_the_only_running_print_is_meant(
    call: Call, gate: NotingGate, room: Room, tool: str, kind: type
) -> None:
    await call(tool)
    giga = room.view("Giga")
    assert gate.proposed == [kind(device=giga.device.id, zone=giga.zone.id)]


@pytest.mark.parametrize("tool", ["pause_print", "abort_print"])
async def test_of_several_running_prints_one_is_asked_for(
    call: Call, gate: NotingGate, room: Room, tool: str
) -> None:
    room.change("MK4", state={"status": "printing"})
    result = await call(tool)
    assert result.declined is not None
    assert result.declined.code == "ambiguous"
    assert [each.label for each in result.declined.choices] == [
        "Giga (Print farm)",
        "MK4 (Print farm)",
    ]
    assert gate.proposed == []


@pytest.mark.parametrize("tool", ["pause_print", "abort_print"])
async def test_nothing_printing_says_what_is_not_known(call: Call, room: Room, tool: str) -> None:
    room.change("Giga", state={"status": "idle"})
    room.change("MK4", online=OnlineState.OFFLINE)
    result = await call(tool)
    assert result.declined is not None
    assert result.declined.code == "nothing_printing"
    assert "I do not know about MK4" in result.declined.message
    assert [each.label for each in result.declined.choices] == ["MK4 (Print farm)"]


@pytest.mark.parametrize("tool", ["pause_print", "abort_print"])
@pytest.mark.parametrize("online", list(OnlineState))
async def test_a_named_printer_is_stopped_whatever_it_says(
    call: Call, gate: NotingGate, room: Room, tool: str, online: OnlineState
) -> None:
    room.change("MK4", online=online)
    await call(tool, printer="mk4")
    assert gate.proposed[0].device == room.view("MK4").device.id
    assert await code_of(call, tool, printer="nobody") == "unknown_device"


async def test_a_print_paused_can_be_aborted_and_resumed(
    call: Call, gate: NotingGate, room: Room
) -> None:
    assert await code_of(call, "resume_print") == "nothing_paused"
    assert await code_of(call, "resume_print", printer="giga") == "not_paused"
    assert await code_of(call, "resume_print", printer="giiga") == "unknown_device"
    giga = room.change("Giga", state={"status": "paused"})
    await call("resume_print")
    await call("resume_print", printer="giga")
    await call("abort_print")
    same = {"device": giga.device.id, "zone": giga.zone.id}
    assert gate.proposed == [ResumePrint(**same), ResumePrint(**same), AbortPrint(**same)]
    room.change("MK4", state={"status": "paused"})
    assert await code_of(call, "resume_print") == "ambiguous"


# -- heating and G-code -----------------------------------------------------------------------


async def test_a_part_is_heated_to_whole_degrees(call: Call, gate: NotingGate) -> None:
    await call("set_temperature", printer="giga", part="nozzle", celsius=215)
    assert gate.proposed[0].arguments == {"part": "nozzle", "celsius": 215}
    for part, celsius in (("bed", 121), ("nozzle", 351), ("nozzle", -1), ("nozzle", 200.5)):
        code = await code_of(call, "set_temperature", printer="giga", part=part, celsius=celsius)
        assert code == "bad_arguments"
    for printer, code in (("nobody", "unknown_device"), ("welder", "wrong_kind")):
        assert (
            await code_of(call, "set_temperature", printer=printer, part="bed", celsius=60) == code
        )
    assert len(gate.proposed) == 1


async def test_gcode_is_sent_exactly_as_given(call: Call, gate: NotingGate, room: Room) -> None:
    mk4 = room.view("MK4")
    await call("send_gcode", printer="mk4", gcode="G28\n G1 X10 ; home")
    assert gate.proposed == [
        SendGcode(device=mk4.device.id, zone=mk4.zone.id, gcode="G28\n G1 X10 ; home")
    ]
    assert await code_of(call, "send_gcode", printer="mk4", gcode="G" * 2_001) == "bad_arguments"
    assert await code_of(call, "send_gcode", printer="nobody", gcode="G28") == "unknown_device"


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("printer_status", {}),
        ("print_progress", {}),
        ("pause_print", {}),
        ("abort_print", {}),
        ("resume_print", {}),
        ("set_temperature", {"part": "bed", "celsius": 60}),
        ("send_gcode", {"gcode": "G28"}),
        ("start_print", {"job": "hinge"}),
    ],
)
async def test_a_name_of_two_printers_is_asked_back(
    call: Call, gate: NotingGate, room: Room, tool: str, arguments: dict[str, Any]
) -> None:
    room.printing.all_jobs = [make_job("hinge")]
    old = room.view("MK4")
    there = make_device("MK4", DeviceKind.PRINTER, make_zone("Annex"))
    room.lab.views.append(replace(there, state=old.state))
    assert await code_of(call, tool, printer="mk4", **arguments) == "ambiguous"
    assert gate.proposed == []
