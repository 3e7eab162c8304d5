"""Reading the data files, and comparing a reading with what was expected."""

from pathlib import Path

import yaml
from understanding.lab import NAMES, NOW, shown

from assistant.understanding.dialogue import Dialogue
from assistant.understanding.reading import Act, Stop
from assistant.understanding.sentences import Intents
from assistant.understanding.understanding import Understanding

DATA = Path(__file__).parent / "data"
INTENTS = Intents.load()
READER = Understanding(INTENTS)
READS = {spec.tool for spec in INTENTS.specs.values() if spec.reads}


def read(text, dialogue=None, now=NOW, names=NAMES):
    return READER.read(text, names, dialogue or Dialogue(), now)


def data(name):
    return yaml.safe_load((DATA / name).read_text(encoding="utf-8"))


def made(reading):
    """Return the calls of a reading that acts, as (tool, arguments) with the lab's keys."""
    calls = reading.calls if isinstance(reading, Act | Stop) else ()
    return [(call.tool, shown(call.arguments)) for call in calls]


def wrong(cases):
    """Return the cases that were not read as expected."""
    failures = []
    for text, tool, arguments in cases:
        reading = read(text)
        if made(reading) != [(tool, arguments)]:
            failures.append(f"{text!r}: expected {tool} {arguments}, got {reading}")
    return failures
