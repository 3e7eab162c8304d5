"""A small lab in a real database, with people who hold real keys, and drivers that do as told."""

import base64
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from infra.db import StorePool
from infra.lab_file import parse_lab
from infra.store.facts import PostgresFacts
from infra.store.lab_import import import_lab
from infra.store.ledger import PostgresLedger
from safety.actions import KINDS, Action
from safety.entities import DeviceId, EventId, KeyId, RequestId, User, ZoneId
from safety.gate import Gate, Times
from safety.permit import Drivers, Permit
from safety.records import Carried, Outcome, Proposal, Receipt, Sources
from safety.signatures import key_id
from safety.webauthn import Rules

NOW = datetime.now(UTC).replace(microsecond=0)
PEOPLE = {
    "olga": ("operator",),
    "emil": ("engineer", "operator"),
    "sara": ("safety",),
    "anna": ("admin",),
}
ZONES = {"floor": "low", "farm": "medium", "bay": "high"}
POLICY_ROLES = {
    "floor": ("operator", "engineer", "safety", "admin"),
    "farm": ("operator", "engineer", "safety"),
    "bay": ("engineer", "safety"),
}
DEVICES = {
    "floor-light": ("light", "floor", ("switch", "set_scene"), 'scenes = ["bright", "dim"]'),
    "bay-light": ("light", "bay", ("switch", "set_scene"), 'scenes = ["bright", "dim"]'),
    "bay-door": ("door", "bay", ("lock", "unlock"), ""),
    "floor-door": ("door", "floor", ("lock", "unlock"), ""),
    "welder": ("power", "bay", ("cut_power", "enable_power"), ""),
    "mk4": (
        "printer",
        "farm",
        (
            "start_print",
            "pause_print",
            "resume_print",
            "abort_print",
            "set_temperature",
            "send_gcode",
        ),
        "nozzle_max_c = 290, bed_max_c = 110",
    ),
}


class Keyring:
    """A person's private key, held by the test as the person would hold it."""

    def __init__(self, algorithm: str = "ed25519") -> None:
        self._key = (
            ed25519.Ed25519PrivateKey.generate()
            if algorithm == "ed25519"
            else ec.generate_private_key(ec.SECP256R1())
        )
        self.algorithm = algorithm
        self.spki = self._key.public_key().public_bytes(
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        )

    @property
    def id(self) -> KeyId:
        return key_id(self.spki)

    def sign(self, digest: bytes) -> bytes:
        if isinstance(self._key, ed25519.Ed25519PrivateKey):
            return self._key.sign(digest)
        return self._key.sign(digest, ec.ECDSA(Prehashed(hashes.SHA256())))


@dataclass
class Clock:
    """Time that passes when the test says so."""

    moment: datetime = NOW

    def __call__(self) -> datetime:
        return self.moment

    def pass_time(self, by: timedelta) -> None:
        self.moment += by


Answer = Callable[[Permit[Action]], Receipt]


@dataclass
class ScriptedDriver:
    """Carries out everything, or answers as told; remembers what it was let do."""

    clock: Clock
    done: list[Permit[Action]] = field(default_factory=list)
    answer: Answer | None = None
    before: Callable[[], Awaitable[None]] | None = None

    async def __call__(
        self, permit: Permit[Action], /, *, before_send: Callable[[], Awaitable[None]]
    ) -> Receipt:
        await before_send()
        if self.before is not None:
            await self.before()
        self.done.append(permit)
        if self.answer is not None:
            return self.answer(permit)
        return Carried(at=self.clock(), detail="ok")


def lab_text(keys: dict[str, Keyring]) -> str:
    """Write the lab file of this world."""
    lines = ["version = 1"]
    for handle, roles in PEOPLE.items():
        lines += [
            "[[people]]",
            f'handle = "{handle}"',
            f'display_name = "{handle.title()}"',
            f"roles = {list(roles)}",
        ]
        if handle in keys:
            spki = base64.b64encode(keys[handle].spki).decode()
            lines += [
                "[[people.keys]]",
                'label = "key"',
                f'algorithm = "{keys[handle].algorithm}"',
                f'spki = "{spki}"',
            ]
    for slug, level in ZONES.items():
        high = str(level == "high").lower()
        lines += [
            "[[zones]]",
            f'slug = "{slug}"',
            f'name = "The {slug}"',
            f'hazard_level = "{level}"',
            f"requires_ppe = {high}",
            "[zones.policy]",
            f'name = "{slug}"',
            f"required_roles = {list(POLICY_ROLES[slug])}",
            f"requires_dual_confirm = {high}",
            f"requires_presence = {high}",
            "presence_ttl_seconds = 900",
            "max_pending = 10_000",
            "[zones.policy.pqe_checks]",
            'items = ["helmet"]' if level == "high" else "items = []",
        ]
    for name, (kind, zone, intents, more) in DEVICES.items():
        rest = f", {more}" if more else ""
        lines += [
            "[[devices]]",
            f'external_id = "{name}"',
            f'name = "{name.replace("-", " ")}"',
            f'kind = "{kind}"',
            f'zone = "{zone}"',
            f"capabilities = {{ intents = {list(intents)}{rest} }}",
        ]
    return "\n".join(lines).replace("'", '"')


class World:
    """The lab, its people, and a gate over the real ledger."""

    def __init__(self, pool: StorePool) -> None:
        self.pool = pool
        self.clock = Clock()
        self.keys = {
            "olga": Keyring(),
            "emil": Keyring(),
            "sara": Keyring("p256"),
        }
        self.driver = ScriptedDriver(self.clock)
        self.news: list[tuple[EventId, Outcome]] = []
        self.users: dict[str, User] = {}
        self.zones: dict[str, ZoneId] = {}
        self.devices: dict[str, DeviceId] = {}
        self.ledger = PostgresLedger(pool)
        self.facts = PostgresFacts(pool)
        self.gate = self.new_gate()

    def new_gate(
        self, kinds: Sequence[type[Action]] = KINDS, *, passkeys: Rules | None = None
    ) -> Gate:
        """Build a gate as a restarted process would."""
        drivers = Drivers()
        for kind in kinds:
            drivers.add(kind, self.driver)
        return Gate(
            facts=self.facts,
            ledger=self.ledger,
            drivers=drivers,
            sources=Sources(now=self.clock, new_id=uuid4, nonce=lambda: uuid4().hex),
            times=Times(),
            announce=lambda event, outcome: self.news.append((event, outcome)),
            passkeys=passkeys,
        )

    async def open(self) -> "World":
        """Fill the database."""
        await import_lab(self.pool, parse_lab(lab_text(self.keys)), now=NOW)
        async with self.pool.connection() as connection:
            await connection.execute(
                "update devices set online_state = 'online', last_seen = now()"
            )
            for row in await (
                await connection.execute("select id, external_id from devices")
            ).fetchall():
                self.devices[row[1]] = DeviceId(row[0])
            for row in await (await connection.execute("select id, slug from zones")).fetchall():
                self.zones[row[1]] = ZoneId(row[0])
            ids = await (await connection.execute("select id, handle from users")).fetchall()
        for row in ids:
            user = await self.facts.user(row[0])
            assert user is not None
            self.users[row[1]] = user
        await self.report("bay-door", locked=True, open=False)
        await self.report("floor-door", locked=True, open=False)
        await self.report("welder", on=False)
        await self.report("mk4", status="idle", job_id=None)
        for zone in ZONES:
            await self.see("olga", zone)
        return self

    async def sql(self, query: str, *values: object) -> list[tuple]:
        """Run a statement and return its rows."""
        async with self.pool.connection() as connection:
            cursor = await connection.execute(query.encode(), values)
            return await cursor.fetchall() if cursor.description else []

    async def report(self, device: str, **state: object) -> None:
        """Let a device report a state."""
        from psycopg.types.json import Jsonb

        await self.sql("update devices set state = %s where external_id = %s", Jsonb(state), device)

    async def see(self, person: str, zone: str, at: datetime | None = None) -> None:
        """Let a badge reader see somebody."""
        await self.sql(
            """insert into zone_presences (id, zone_id, user_id, source, status, observed_at)
               values (%s, %s, %s, 'manual', 'present', %s)""",
            uuid4(),
            self.zones[zone],
            self.users[person].id,
            at or self.clock(),
        )

    def act(self, kind: type[Action], device: str, **arguments: object) -> Action:
        """Build an action on a device of this lab."""
        zone = DEVICES[device][1]
        return kind(device=self.devices[device], zone=self.zones[zone], **arguments)

    def proposal(
        self,
        action: Action,
        person: str = "olga",
        key: UUID | None = None,
        *,
        tainted: bool = False,
    ) -> Proposal:
        """Build a proposal; a new key unless one is given."""
        return Proposal(
            key=key or uuid4(),
            action=action,
            requester=self.users[person],
            request=RequestId(uuid4()),
            conversation=None,
            correlation="test",
            tainted=tainted,
        )

    async def sign(self, event: EventId, person: str, key: Keyring | None = None) -> Outcome:
        """Let a person sign an event with their own key."""
        stored = await self.ledger.event(event)
        assert stored is not None
        ring = key or self.keys[person]
        return await self.gate.sign(
            event, ring.id, ring.sign(stored.digest), relayed_by=self.users[person].id
        )

    async def log(self) -> list[tuple[str, str]]:
        """Return verdict and code of everything the gate has logged."""
        return await self.sql(
            "select verdict, coalesce(reason_code, '') from gate_log order by seq"
        )
