"""Write the lab's files: description, jobs, keys and tokens.  Doing it again changes nothing."""

import base64
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from infra.demo import clock
from infra.demo.lab import DEVICES, JOBS, PEOPLE, ZONES
from infra.demo.toml import dump
from safety.entities import Hazard
from safety.signatures import key_id
from safety.trust import TrustedKey, TrustedPerson, TrustedZone, TrustError, TrustFile, read_trust

HEADER: Final = (
    "# The demo lab, written by `python -m infra.demo prepare`; changes here are overwritten.\n"
    "# What each field means: docs/lab-file.md\n\n"
)
TOKEN_BYTES: Final = 32
TRUST: Final = "trust.json"
ISSUER: Final = "python -m infra.demo prepare"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """Where things are."""

    lab: Path
    trust: Path
    """Whose signatures the devices obey (docs/edge.md)."""
    keys: Mapping[str, Path]
    """Private key files by handle."""
    tokens: Mapping[str, Path]
    """Files with bearer tokens by handle."""


def prepare(home: Path, *, seed: int) -> Prepared:
    """Write the lab into a folder; existing keys and tokens are kept."""
    for folder in ("keys", "tokens", "devices"):
        (home / folder).mkdir(parents=True, exist_ok=True, mode=0o700)
    (home / "artifacts" / "gcode").mkdir(parents=True, exist_ok=True)
    keys = {each["handle"]: home / "keys" / f"{each['handle']}.pem" for each in PEOPLE}
    tokens = {each["handle"]: home / "tokens" / f"{each['handle']}.token" for each in PEOPLE}
    document = {
        "version": 1,
        "people": [_person(each, keys, tokens) for each in PEOPLE],
        "zones": ZONES,
        "devices": DEVICES,
        "jobs": [_job(each, home / "artifacts", seed) for each in JOBS],
    }
    lab = home / "lab.toml"
    _write(lab, (HEADER + dump(document)).encode())
    trust = home / TRUST
    spkis = {handle: base64.b64decode(_spki(path)) for handle, path in keys.items()}
    kept = _standing(trust)
    if kept is None or kept.issued_by == ISSUER:
        _write(trust, lab_trust(spkis, kept=kept).write())
    return Prepared(lab=lab, trust=trust, keys=keys, tokens=tokens)


def lab_trust(spkis: Mapping[str, bytes], *, kept: TrustFile | None) -> TrustFile:
    """Return whom the lab's devices obey; the site's name and the date stay as they were."""
    return TrustFile(
        site=kept.site if kept else "",
        issued_at=kept.issued_at if kept else clock.now(),
        issued_by=ISSUER,
        people={
            each["handle"]: TrustedPerson(handle=each["handle"], roles=frozenset(each["roles"]))
            for each in PEOPLE
        },
        keys={
            key_id(spki): TrustedKey(id=key_id(spki), person=handle, spki=spki)
            for handle, spki in spkis.items()
        },
        zones={
            each["slug"]: TrustedZone(
                slug=each["slug"],
                hazard=Hazard[each["hazard_level"].upper()],
                roles=frozenset(each["policy"]["required_roles"]),
            )
            for each in ZONES
        },
        devices={each["external_id"]: each["zone"] for each in DEVICES},
    )


def _standing(trust: Path) -> TrustFile | None:
    """Return the trust file that is there; one exported by KITTY is never overwritten."""
    try:
        return read_trust(trust.read_bytes())
    except (FileNotFoundError, TrustError):
        return None


def _person(
    person: Mapping[str, Any], keys: Mapping[str, Path], tokens: Mapping[str, Path]
) -> dict[str, Any]:
    handle = person["handle"]
    return {
        **person,
        "email": f"{handle}@lab.example",
        "token_sha256": [hashlib.sha256(_token(tokens[handle])).hexdigest()],
        "keys": [{"label": "demo key", "algorithm": "ed25519", "spki": _spki(keys[handle])}],
    }


def _token(path: Path) -> bytes:
    if not path.exists():
        _write(path, secrets.token_urlsafe(TOKEN_BYTES).encode(), mode=0o600)
    return path.read_bytes().strip()


def _spki(path: Path) -> str:
    if not path.exists():
        fresh = Ed25519PrivateKey.generate()
        _write(
            path,
            fresh.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
            mode=0o600,
        )
    key = load_pem_private_key(path.read_bytes(), password=None)
    spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(spki).decode()


def _job(job: Mapping[str, Any], artifacts: Path, seed: int) -> dict[str, Any]:
    dice = Random(f"{seed}:{job['name']}")
    seconds = round(job["minutes"] * 60 * dice.uniform(0.95, 1.05))
    path = f"gcode/{job['name'].replace(' ', '-')}.gcode"
    content = _gcode(job, seconds=seconds, dice=dice).encode()
    _write(artifacts / path, content)
    return {
        "name": job["name"],
        "gcode_path": path,
        "gcode_sha256": hashlib.sha256(content).hexdigest(),
        "estimated_seconds": seconds,
        "material": job["material"],
        "printers": job["printers"],
    }


def _gcode(job: Mapping[str, Any], *, seconds: int, dice: Random) -> str:
    lines = [f";TIME:{seconds}", f";NAME:{job['name']}", f";MATERIAL:{job['material']}", "G28"]
    if job["nozzle_c"]:
        lines += [f"M140 S{job['bed_c']}", f"M104 S{job['nozzle_c']}"]
        lines += [f"M190 S{job['bed_c']}", f"M109 S{job['nozzle_c']}"]
    half = dice.randint(8, 18)
    corners = ((-half, -half), (half, -half), (half, half), (-half, half), (-half, -half))
    for layer in range(dice.randint(20, 30)):
        lines += [f";LAYER:{layer}", f"G1 Z{0.2 * (layer + 1):.2f} F600"]
        lines += [f"G1 X{100 + x} Y{100 + y} E1.0 F1800" for x, y in corners]
    off = ["M104 S0", "M140 S0"] if job["nozzle_c"] else []
    return "\n".join([*lines, *off, "M84", ""])


def _write(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    if path.exists() and path.read_bytes() == content:
        return
    fresh = path.with_name(f".{path.name}.new")
    fresh.touch(mode=mode)
    fresh.write_bytes(content)
    fresh.replace(path)
