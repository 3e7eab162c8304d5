"""The kinds of arguments that tools take, with their limits."""

from datetime import UTC, datetime
from typing import Annotated, Final

from pydantic import AfterValidator, Field, Strict

from safety.actions import BED_RANGE_C, MAX_GCODE, MAX_UNLOCK_SECONDS, NOZZLE_RANGE_C
from safety.entities import MAX_NAME

MAX_NOTE: Final = 2_000
"""Characters of one note that a person asks to keep."""


def _writable(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    if any(char == "\x00" or "\ud800" <= char <= "\udfff" for char in text):
        raise ValueError("has characters that cannot be written")
    return text


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except OverflowError:
        raise ValueError("is too far away") from None


_Text = Annotated[str, AfterValidator(_writable)]

OnOff = Annotated[bool, Strict(), Field(description="true for on, false for off.")]
"""True or false and nothing that merely resembles them."""
Entity = Annotated[
    _Text, Field(max_length=MAX_NAME, description="Id, external id, name or alias; any case.")
]
"""One thing, however people call it."""
Scene = Annotated[_Text, Field(max_length=MAX_NAME, description="Name of a scene.")]
Request = Annotated[
    _Text, Field(max_length=MAX_NAME, description="Id of a request, or its words while it waits.")
]
RequestId = Annotated[
    _Text, Field(max_length=MAX_NAME, description="Id of a request or of its routing decision.")
]
Words = Annotated[_Text, Field(max_length=MAX_NAME, description="A name or a few words.")]
Note = Annotated[_Text, Field(max_length=MAX_NOTE, description="What to keep, in words.")]
Gcode = Annotated[_Text, Field(max_length=MAX_GCODE, description="Raw G-code, line by line.")]
Moment = Annotated[
    datetime, AfterValidator(_in_utc), Field(description="ISO 8601; UTC if no zone is given.")
]
Seconds = Annotated[
    int,
    Strict(),
    Field(ge=1, le=MAX_UNLOCK_SECONDS, description="Seconds until the door locks again."),
]
Celsius = Annotated[
    int,
    Strict(),
    Field(
        ge=min(NOZZLE_RANGE_C[0], BED_RANGE_C[0]),
        le=max(NOZZLE_RANGE_C[1], BED_RANGE_C[1]),
        description=f"Target in °C: nozzle up to {NOZZLE_RANGE_C[1]}, bed up to {BED_RANGE_C[1]};"
        " a machine may allow less.",
    ),
]
