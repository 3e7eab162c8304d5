"""What can be set: every setting with its name, unit, bounds and default."""

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from infra.settings_kinds import (
    Choice,
    Duration,
    Fraction,
    Location,
    SecretUrl,
    Switch,
    Url,
    Whole,
    Words,
    known,
)

ROOT_HOME: Final = Path("/var/lib/kitty")
"""KITTY's home when it runs as root."""


class BrokerEngine(StrEnum):
    """Which broker KITTY runs when none is configured."""

    AUTO = "auto"
    MOSQUITTO = "mosquitto"
    EMBEDDED = "embedded"


class SyncedKeys(StrEnum):
    """Whether passkeys that can be copied to other devices count for high hazards."""

    REFUSE = "refuse"
    ACCEPT = "accept"


class LogLevel(StrEnum):
    """From which weight on lines are written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """How lines are written."""

    JSON = "json"
    CONSOLE = "console"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """Where KITTY keeps what it knows."""

    home: Path = field(default=ROOT_HOME, metadata=known(
        env="KITTY_HOME", kind=Location("a folder"),
        doc="Folder of everything KITTY keeps: database, broker, artifacts, keys of the server.",
        unset="`~/.local/share/kitty`; for root `/var/lib/kitty`",
    ))  # fmt: skip
    database_url: SecretStr | None = field(default=None, metadata=known(
        env="KITTY_DATABASE_URL", kind=SecretUrl(("postgresql", "postgres")), secret=True,
        doc="PostgreSQL server with pgvector. May hold a password, which is never logged.",
        unset="an embedded PostgreSQL below the home",
    ))  # fmt: skip
    conversation_ttl: timedelta = field(default=timedelta(days=30), metadata=known(
        env="KITTY_CONVERSATION_TTL_DAYS", kind=Duration(0.001, 3650, "days"),
        doc="How long a conversation is kept after its last turn.",
    ))  # fmt: skip
    telemetry_ttl: timedelta = field(default=timedelta(days=30), metadata=known(
        env="KITTY_TELEMETRY_TTL_DAYS", kind=Duration(0.001, 3650, "days"),
        doc="How long what devices report is kept.",
    ))  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerSettings:
    """The MQTT broker between KITTY and the devices."""

    host: str | None = field(default=None, metadata=known(
        env="KITTY_MQTT_HOST", kind=Words("a host name or address", r"[^\s/@]{1,253}"),
        doc="MQTT broker to use.", unset="a broker of KITTY's own, on loopback",
    ))  # fmt: skip
    port: int = field(default=1883, metadata=known(
        env="KITTY_MQTT_PORT", kind=Whole(1, 65535),
        doc="Port of that broker. KITTY's own broker chooses a free one.",
    ))  # fmt: skip
    username: str | None = field(default=None, metadata=known(
        env="KITTY_MQTT_USERNAME", kind=Words("a user name", r".{1,256}"),
        doc="Whom KITTY connects as.", unset="no user name is sent",
    ))  # fmt: skip
    password_file: Path | None = field(default=None, metadata=known(
        env="KITTY_MQTT_PASSWORD_FILE", kind=Location("a file with the password in it"),
        doc="File with KITTY's password for that broker, and nothing else.",
        unset="no password is sent",
    ))  # fmt: skip
    tls: bool = field(default=False, metadata=known(
        env="KITTY_MQTT_TLS", kind=Switch(),
        doc="Whether to talk to that broker over TLS, usually on port 8883.",
    ))  # fmt: skip
    ca_file: Path | None = field(default=None, metadata=known(
        env="KITTY_MQTT_CA_FILE", kind=Location("a file with certificates (PEM)"),
        doc="Whom to believe that the broker is the right one.",
        unset="the machine's own certificates",
    ))  # fmt: skip
    engine: BrokerEngine = field(default=BrokerEngine.AUTO, metadata=known(
        env="KITTY_MQTT_ENGINE", kind=Choice(BrokerEngine),
        doc="Which broker KITTY runs itself: `auto` is Mosquitto if it is installed.",
    ))  # fmt: skip
    password: SecretStr | None = None
    """What `password_file` held at start; not a setting of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSettings:
    """Where people and programs reach KITTY."""

    host: str = field(default="127.0.0.1", metadata=known(
        env="KITTY_HTTP_HOST", kind=Words("a host name or address", r"[^\s/@]{1,253}"),
        doc="Address to listen on; the default lets nobody in from outside this machine.",
    ))  # fmt: skip
    port: int = field(default=8400, metadata=known(
        env="KITTY_HTTP_PORT", kind=Whole(0, 65535), doc="Port to listen on; 0 takes a free one.",
    ))  # fmt: skip
    public_url: str | None = field(default=None, metadata=known(
        env="KITTY_PUBLIC_URL", kind=Url(("https", "http"), bare=True),
        doc="Address people use in their browsers; links that KITTY gives out start with it.",
        unset="`http://host:port`",
    ))  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSettings:
    """What the gate demands, and how long it waits."""

    approval: timedelta = field(default=timedelta(seconds=300), metadata=known(
        env="KITTY_APPROVAL_SECONDS", kind=Duration(1, 86_400, "seconds"),
        doc="How long a hazardous action waits for signatures before it expires.",
    ))  # fmt: skip
    command: timedelta = field(default=timedelta(seconds=5), metadata=known(
        env="KITTY_COMMAND_SECONDS", kind=Duration(0.1, 300, "seconds"),
        doc="How long a device has to acknowledge a command; it does not act after that.",
    ))  # fmt: skip
    site: str | None = field(default=None, metadata=known(
        env="KITTY_SITE", kind=Words("a name: letters, digits, dots, dashes; at most 64",
                                     r"[A-Za-z0-9][A-Za-z0-9.-]{0,63}"),
        doc="Name of this site, in everything that people sign: needed where they sign at two"
            " sites with one key. Devices then need a new trust file (docs/edge.md).",
        unset="signatures name no site",
    ))  # fmt: skip
    synced_keys: SyncedKeys = field(default=SyncedKeys.REFUSE, metadata=known(
        env="KITTY_HIGH_HAZARD_SYNCED_KEYS", kind=Choice(SyncedKeys),
        doc="Whether passkeys that can be copied to other devices count for high hazards"
            " (docs/keys.md). Devices that check signatures themselves do not ask this.",
    ))  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingSettings:
    """Who answers a request."""

    local_threshold: float = field(default=0.8, metadata=known(
        env="KITTY_ROUTING_LOCAL_THRESHOLD", kind=Fraction(0, 1),
        doc="Confidence (0 to 1) from which the local tier answers by itself.",
    ))  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class LabSettings:
    """The people, places and machines KITTY starts with."""

    file: Path | None = field(default=None, metadata=known(
        env="KITTY_LAB_FILE", kind=Location("a lab file"),
        doc="Lab file (docs/lab-file.md) that is read into the store at each start.",
        unset="the store is used as it is",
    ))  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """What is written while KITTY runs."""

    level: LogLevel = field(default=LogLevel.INFO, metadata=known(
        env="KITTY_LOG_LEVEL", kind=Choice(LogLevel),
        doc="From which weight on lines are written.",
    ))  # fmt: skip
    format: LogFormat = field(default=LogFormat.CONSOLE, metadata=known(
        env="KITTY_LOG_FORMAT", kind=Choice(LogFormat),
        doc="`console` for people, `json` for machines: one object per line.",
    ))  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsSettings:
    """How much anybody may ask for."""

    body_bytes: int = field(default=1_048_576, metadata=known(
        env="KITTY_MAX_BODY_BYTES", kind=Whole(1_024, 67_108_864, "bytes"),
        doc="Largest body of an HTTP request.",
    ))  # fmt: skip
    text_chars: int = field(default=4_000, metadata=known(
        env="KITTY_MAX_TEXT_CHARS", kind=Whole(1, 4_000, "characters"),
        doc="Longest utterance.",
    ))  # fmt: skip
    requests_per_minute: int = field(default=6_000, metadata=known(
        env="KITTY_REQUESTS_PER_MINUTE", kind=Whole(1, 1_000_000, "requests per minute"),
        doc="Requests one person may make in a minute.",
    ))  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be set, in parts."""

    store: StoreSettings = field(default_factory=StoreSettings)
    broker: BrokerSettings = field(default_factory=BrokerSettings)
    http: HttpSettings = field(default_factory=HttpSettings)
    gate: GateSettings = field(default_factory=GateSettings)
    routing: RoutingSettings = field(default_factory=RoutingSettings)
    lab: LabSettings = field(default_factory=LabSettings)
    log: LogSettings = field(default_factory=LogSettings)
    limits: LimitsSettings = field(default_factory=LimitsSettings)
