"""A lab, its keys and its tokens."""

import base64
import hashlib
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

NOW = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)


def public_key(seed: int) -> bytes:
    key = Ed25519PrivateKey.from_private_bytes(seed.to_bytes(32, "big"))
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


LAB = f"""
version = 1

[[people]]
handle = "operator"
display_name = "Olga Operator"
roles = ["operator"]
token_sha256 = ["{sha256("olga's token")}"]

[[people.keys]]
label = "demo key"
algorithm = "ed25519"
spki = "{base64.b64encode(public_key(1)).decode()}"

[[people]]
handle = "admin"
display_name = "Ada Admin"
roles = ["admin", "operator"]
email = "ada@lab.example"

[[zones]]
slug = "welding-bay"
name = "Welding bay"
aliases = ["the bay"]
hazard_level = "high"
requires_ppe = true

[zones.policy]
name = "Welding bay"
required_roles = ["engineer", "safety"]
presence_ttl_seconds = 600

[zones.policy.pqe_checks]
items = ["welding helmet", "gloves"]

[[zones]]
slug = "main-floor"
name = "Main floor"
hazard_level = "low"

[zones.policy]
name = "Main floor"
required_roles = ["operator"]

[[devices]]
external_id = "welding-bay-lights"
name = "Welding bay lights"
aliases = ["bay lights"]
kind = "light"
zone = "welding-bay"
silent_after_seconds = 60
capabilities = {{ intents = ["switch", "set_scene"], scenes = ["bright", "dim"] }}

[[devices]]
external_id = "mk4"
name = "MK4"
kind = "printer"
zone = "main-floor"
capabilities = {{ intents = ["start_print"], nozzle_max_c = 290 }}

[[jobs]]
name = "calibration cube"
gcode_path = "gcode/calibration-cube.gcode"
gcode_sha256 = "{"ab" * 32}"
estimated_seconds = 1500
material = "PLA"
printers = ["mk4"]
"""
