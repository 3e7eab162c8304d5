"""What a lab file says, as rows for the store; ids are made from names, so they are stable."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID, uuid5

from infra.lab_file import Lab
from infra.lab_parts import LabDevice, LabJob, LabPerson, LabPolicy, LabZone
from safety.entities import HazardLevel
from safety.hours import WEEK
from safety.signatures import key_id

NAMESPACE: Final = UUID("3d0c2a52-9e4f-5b5c-8a55-6b1f0f2d7a61")
"""Of every id made from a name in a lab file; changing it would rename everything."""
INTEGRATION: Final = "mqtt"
TOKEN_LABEL: Final = "lab file"  # noqa: S105 - a label, not a token

Row = Mapping[str, Any]


def lab_id(kind: str, name: str) -> UUID:
    """Return the id of a thing in a lab file; `kind` is for example `user` or `device`."""
    return uuid5(NAMESPACE, f"{kind}:{name}")


def people_rows(lab: Lab) -> list[Row]:
    """Return rows for `users`."""
    return [
        {
            "id": str(lab_id("user", each.handle)),
            "handle": each.handle,
            "display_name": each.display_name,
            "email": each.email,
            "roles": sorted(each.roles),
        }
        for each in lab.people
    ]


def key_rows(person: LabPerson, user: UUID) -> list[Row]:
    """Return rows for `public_keys`."""
    return [
        {
            "id": key_id(each.spki),
            "user_id": str(user),
            "algorithm": each.algorithm,
            "spki": each.spki.hex(),
            "label": each.label,
        }
        for each in person.keys
    ]


def token_rows(person: LabPerson, user: UUID) -> list[Row]:
    """Return rows for `api_tokens`."""
    return [
        {"id": str(lab_id("token", each)), "user_id": str(user), "token_sha256": each}
        for each in person.token_sha256
    ]


def zone_row(zone: LabZone) -> Row:
    """Return a row for `zones`."""
    return {
        "id": str(lab_id("zone", zone.slug)),
        "slug": zone.slug,
        "name": zone.name,
        "aliases": zone.aliases,
        "hazard_level": zone.hazard_level,
        "requires_ppe": zone.requires_ppe,
        "unifi_door_ids": zone.unifi_door_ids,
    }


def policy_row(zone: LabZone, policy: LabPolicy, id_: UUID, zone_id: UUID) -> Row:
    """Return a row for `access_policies`; a zone of high hazard forces two people and presence."""
    forced, limit = zone.hazard_level is HazardLevel.HIGH, policy.max_requests
    return {
        "id": str(id_),
        "name": policy.name,
        "zone_id": str(zone_id),
        "required_roles": sorted(policy.required_roles),
        "requires_dual_confirm": policy.requires_dual_confirm or forced,
        "requires_presence": policy.requires_presence or forced,
        "pqe_checks": {"items": policy.pqe_checks.items},
        "presence_ttl": f"{policy.presence_ttl_seconds} seconds",
        "time_zone": policy.time_zone,
        "time_windows": [
            {
                "days": [day for day in WEEK if day in each.days],
                "from": each.begins,
                "to": each.ends,
            }
            for each in policy.time_windows
        ],
        "max_requests": None if limit is None else limit.count,
        "max_requests_period": None if limit is None else f"{limit.seconds} seconds",
        "max_pending": policy.max_pending,
        "taint": policy.taint,
    }


def device_row(device: LabDevice, zones: Mapping[str, UUID]) -> Row:
    """Return a row for `devices`."""
    return {
        "id": str(lab_id("device", device.external_id)),
        "integration": INTEGRATION,
        "external_id": device.external_id,
        "name": device.name,
        "aliases": device.aliases,
        "kind": device.kind,
        "zone_id": str(zones[device.zone]),
        "capabilities": device.capabilities.model_dump(mode="json"),
        "silent_after": f"{device.silent_after_seconds} seconds",
    }


def job_row(job: LabJob, requested_by: UUID) -> Row:
    """Return a row for `fabrication_jobs`."""
    return {
        "id": str(lab_id("job", job.name)),
        "name": job.name,
        "gcode_path": job.gcode_path,
        "gcode_sha256": job.gcode_sha256,
        "requested_by": str(requested_by),
        "estimated_seconds": job.estimated_seconds,
        "material": job.material,
        "metadata": {
            "printers": job.printers,
            "hazardous_material": job.hazardous_material,
        },
    }
