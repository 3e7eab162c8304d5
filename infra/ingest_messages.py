"""Messages of devices, cameras and badge readers as values; `WireError` for what is none."""

from infra.ingest_states import Report
from infra.ingest_store import Presence, Telemetry
from infra.mqtt import Message
from infra.snapshots import Picture, media_type_of
from infra.wire import (
    PresenceMessage,
    StateMessage,
    TelemetryMessage,
    WireError,
    device_of,
    zone_of,
)


def _fresh_only(message: Message) -> None:
    if message.retained:
        raise WireError("retained", "a message of this kind must not be retained")


def read_state(message: Message) -> Report:
    """Read a device's state."""
    return Report(
        external_id=device_of(message.topic),
        message=StateMessage.decode(message.payload),
        fresh=not message.retained,
    )


def read_telemetry(message: Message) -> Telemetry:
    """Read a measurement."""
    _fresh_only(message)
    return Telemetry(
        external_id=device_of(message.topic),
        topic=message.topic,
        at=TelemetryMessage.decode(message.payload).at,
        text=message.payload.decode(),
    )


def read_sender(message: Message) -> str:
    """Return the device that answered."""
    _fresh_only(message)
    return device_of(message.topic)


def read_presence(message: Message) -> Presence:
    """Read a sighting."""
    _fresh_only(message)
    seen = PresenceMessage.decode(message.payload)
    return Presence(
        handle=seen.user,
        zone=zone_of(message.topic),
        source=seen.source,
        status=seen.status,
        observed_at=seen.observed_at,
    )


def read_picture(message: Message) -> Picture:
    """Read a camera's picture."""
    media_type = media_type_of(message.payload)
    if media_type is None:
        raise WireError("bad_picture", "a picture is a PNG or JPEG of at most 1 MB")
    return Picture(
        external_id=device_of(message.topic),
        image=message.payload,
        media_type=media_type,
        fresh=not message.retained,
    )
