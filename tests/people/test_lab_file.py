"""A lab file is believed whole or refused with the place of each problem."""

import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from people.labs import LAB

from infra.demo.prepare import prepare
from infra.lab_file import MAX_FILE, MAX_PROBLEMS, LabFileError, parse_lab, read_lab
from safety.entities import DeviceKind, HazardLevel, Role

ROOT = Path(__file__).resolve().parents[2]


def problems(text: str) -> tuple[str, ...]:
    with pytest.raises(LabFileError) as error:
        parse_lab(text)
    assert error.value.code == "bad_lab_file"
    assert all(len(each) < 1_000 for each in error.value.problems)
    return error.value.problems


def changed(old: str, new: str) -> str:
    assert old in LAB
    return LAB.replace(old, new)


def test_a_good_lab() -> None:
    lab = parse_lab(LAB)
    assert lab.people[1].roles == {Role.ADMIN, Role.OPERATOR}
    assert lab.zones[0].hazard_level is HazardLevel.HIGH
    assert lab.zones[0].policy is not None
    assert lab.zones[0].policy.pqe_checks.items == ("welding helmet", "gloves")
    assert lab.devices[1].kind is DeviceKind.PRINTER
    assert lab.devices[1].capabilities.model_dump()["nozzle_max_c"] == 290
    assert lab.jobs[0].printers == ("mk4",)


def test_the_smallest_lab() -> None:
    assert parse_lab("version = 1").devices == ()


def test_the_documented_lab_is_good() -> None:
    page = (ROOT / "docs" / "lab-file.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    assert parse_lab(example).people


def test_the_demo_lab_is_good(tmp_path: Path) -> None:
    lab = read_lab(prepare(tmp_path, seed=1).lab)
    assert {each.handle for each in lab.people} == {"operator", "engineer", "safety", "admin"}
    assert len(lab.devices) > 10


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("version = 1", "version = 2", "version: "),
        ("version = 1", "version = 1\nextra = 1", "extra: "),
        ('kind = "light"', 'kind = "toaster"', "devices[0].kind: "),
        ('roles = ["operator"]', 'roles = ["boss"]', "people[0].roles"),
        ('roles = ["operator"]', "roles = []", "people[0].roles: "),
        ('handle = "operator"', 'handle = "Operator"', "people[0].handle: "),
        ('handle = "operator"', 'handle = "-operator"', "people[0].handle: "),
        ('handle = "operator"', f'handle = "{"a" * 64}"', "people[0].handle: "),
        ('handle = "operator"', 'handle = "admin"', "people[1].handle: the handle 'admin'"),
        ('external_id = "mk4"', 'external_id = "a/b"', "devices[1].external_id: "),
        ('external_id = "mk4"', 'external_id = "+"', "devices[1].external_id: "),
        ('external_id = "mk4"', 'external_id = "welding-bay-lights"', "devices[1].external_id: "),
        ('zone = "main-floor"', 'zone = "cellar"', "devices[1].zone: there is no zone 'cellar'"),
        ('slug = "main-floor"', 'slug = "welding-bay"', "zones[1].slug: "),
        ('name = "Main floor"\nhazard', 'name = "THE  bay"\nhazard', "zones[1].name: "),
        ('hazard_level = "low"', 'hazard_level = "none"', "zones[1].hazard_level: "),
        ("requires_ppe = true", 'requires_ppe = "yes"', "zones[0].requires_ppe: "),
        ("requires_ppe = true", "requires_ppe = 1", "zones[0].requires_ppe: "),
        ("ttl_seconds = 600", "ttl_seconds = 0", "zones[0].policy.presence_ttl_seconds: "),
        ("ttl_seconds = 600", "ttl_seconds = 60.0", "zones[0].policy.presence_ttl_seconds: "),
        ('["engineer", "safety"]', "[]", "zones[0].policy.required_roles: "),
        ("after_seconds = 60", 'after_seconds = "60"', "devices[0].silent_after_seconds: "),
        ('intents = ["start_print"]', 'intents = ["Start"]', "devices[1].capabilities.intents[0]"),
        ('intents = ["start_print"], ', "", "devices[1].capabilities.intents: "),
        ("max_c = 290", "max_c = nan", "devices[1].capabilities: may hold"),
        ("max_c = 290", "max_c = 2031-01-01", "devices[1].capabilities: may hold"),
        ("max_c = 290", r'max_c = "\u0000"', "devices[1].capabilities: may hold"),
        ("max_c = 290", f'max_c = "{"x" * 20_000}"', "devices[1].capabilities: may hold"),
        ('"gcode/calibration', '"../calibration', "jobs[0].gcode_path: "),
        ('"gcode/calibration', '"/calibration', "jobs[0].gcode_path: "),
        ('printers = ["mk4"]', 'printers = ["welding-bay-lights"]', "jobs[0].printers[0]: "),
        ('material = "PLA"', 'requested_by = "bob"', "jobs[0].requested_by: "),
        ("ab" * 32, "AB" * 32, "jobs[0].gcode_sha256: "),
        ("ada@lab.example", "ada", "people[1].email: "),
        ('"ed25519"', '"rsa"', "people[0].keys[0].algorithm: "),
        ('"ed25519"', '"p256"', "people[0].keys[0]: algorithm is p256, but"),
        ('spki = "', 'spki = "!', "people[0].keys[0].spki: "),
        ('spki = "', 'spki = "AAAA', "people[0].keys[0]: spki: "),
        ('display_name = "Olga Operator"', 'display_name = " "', "people[0].display_name: "),
        ('display_name = "Olga Operator"', r'display_name = "a\u0007"', "people[0].display_name: "),
        ('name = "MK4"', f'name = "{"x" * 201}"', "devices[1].name: "),
    ],
)  # fmt: skip
def test_each_problem_is_named_by_its_place(old: str, new: str, place: str) -> None:
    found = problems(changed(old, new))
    assert any(each.startswith(place) for each in found), found


def test_names_and_aliases_are_unique_within_a_kind() -> None:
    lamp = """
[[devices]]
external_id = "lamp"
name = "Lamp"
aliases = ["Bay  LIGHTS"]
kind = "{}"
zone = "main-floor"
capabilities = {{ intents = [] }}
"""
    [problem] = problems(LAB + lamp.format("light"))
    assert problem.startswith("devices[2].aliases[0]: the name or alias 'bay lights'")
    assert problem.endswith("devices[0].aliases[0]")
    assert len(parse_lab(LAB + lamp.format("power")).devices) == 3


def test_a_token_and_a_key_belong_to_one_person() -> None:
    lab = parse_lab(LAB)
    token = lab.people[0].token_sha256[0]
    [problem] = problems(LAB.replace('email = "ada', f'token_sha256 = ["{token}"]\nemail = "ada'))
    assert problem.startswith("people[1].token_sha256[0]: the token")


def test_a_job_needs_somebody() -> None:
    job = f'version=1\n[[jobs]]\nname="a"\ngcode_path="b"\ngcode_sha256="{"0" * 64}"'
    assert problems(job)[0].startswith("jobs[0]: ")


@pytest.mark.parametrize(
    "text",
    [
        "version = 1\n#" + "x" * MAX_FILE,
        "a = " + "[" * 100_000,
        "a." * 50_000 + "b = 1",
        "[" + "a." * 20_000 + "b]",
        "version = 1\ndevices = 3",
        "version = 1\ndevices = [[]]",
        "version = 1\ndevices = [1, 2]",
        "version = true",
        "\x00",
        "version = 1\nversion = 1",
        "version = 1\npeople = [" + "{}," * 20_000 + "]",
        "version = 1\ndevices = [" + "{}," * 20_001 + "]",
        "version = 1\n[[devices]]\ncapabilities = " + "{a=" * 30 + "1" + "}" * 30,
    ],
    ids=range(13),
)
def test_hostile_files_are_refused_quickly(text: str) -> None:
    before = time.process_time()
    found = problems(text)
    assert 1 <= len(found) <= MAX_PROBLEMS + 1
    assert time.process_time() - before < 10


def test_unreadable_files(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.toml"):
        with pytest.raises(LabFileError, match="cannot be read"):
            read_lab(path)
    binary = tmp_path / "lab.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(LabFileError, match="not text"):
        read_lab(binary)
    binary.write_bytes(b"#" * (MAX_FILE + 1))
    with pytest.raises(LabFileError, match="5,000,000 bytes"):
        read_lab(binary)


@given(st.text())
def test_any_text_is_a_lab_or_a_refusal(text: str) -> None:
    found: tuple[str, ...] | int = ()
    try:
        found = parse_lab(text).version
    except LabFileError as error:
        found = error.problems
    assert found


@given(at=st.integers(0, len(LAB)), cut=st.integers(0, 40), new=st.text(max_size=3))
def test_any_damage_is_a_lab_or_a_refusal(at: int, cut: int, new: str) -> None:
    try:
        lab = parse_lab(LAB[:at] + new + LAB[at + cut :])
    except LabFileError:
        return
    assert lab.version == 1
    zones = {zone.slug for zone in lab.zones}
    assert all(device.zone in zones for device in lab.devices)
