"""`kitt policy check`: a lab file's policies, without any server."""

from collections.abc import Iterator
from pathlib import Path

from assistant.cli import screen
from assistant.cli.leave import Code
from assistant.cli.words import escaped
from infra.lab_file import Lab, LabFileError, read_lab
from infra.lab_parts import LabPolicy, LabZone
from safety.entities import HazardLevel
from safety.policy import QUORUM


def check(file: Path) -> Code:
    """Say what is wrong with a lab file, or what its policies come to; return the exit code."""
    try:
        lab = read_lab(file)
    except LabFileError as error:
        for problem in error.problems:
            screen.complain(problem)
        return Code.FAILED
    out = screen.screen()
    policies = sum(zone.policy is not None for zone in lab.zones)
    out.print(f"{escaped(str(file))}: {len(lab.zones)} zones, {policies} policies, no mistakes.")
    for remark in remarks(lab):
        out.print(f"note: {escaped(remark)}")
    return Code.DONE


def remarks(lab: Lab) -> Iterator[str]:
    """Return what is allowed but hardly meant, each with its path."""
    for at, zone in enumerate(lab.zones):
        if zone.policy is None:
            yield f"zones[{at}]: without a policy nothing hazardous can be done in {zone.name}"
            continue
        wanted = _quorum(zone, zone.policy)
        signers = [
            each for each in lab.people if each.keys and each.roles & zone.policy.required_roles
        ]
        if len(signers) < wanted:
            yield (
                f"zones[{at}].policy: {wanted} people must sign, and the file has {len(signers)}"
                " with a key and one of its roles; browsers' keys are not in the file"
            )


def _quorum(zone: LabZone, policy: LabPolicy) -> int:
    level = HazardLevel.HIGH if policy.requires_dual_confirm else zone.hazard_level
    return QUORUM[level.hazard]
