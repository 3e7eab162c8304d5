"""What understanding costs with 10 000 names, against bare hassil in the same run."""

import statistics
import time

import pytest
from hassil.expression import TextChunk
from hassil.intents import TextSlotList, TextSlotValue
from hassil.recognize import recognize
from understanding.lab import NAMES, NOW, many_names
from understanding.scoring import INTENTS, READER, data

from assistant.understanding.dialogue import Dialogue
from assistant.understanding.grammar import LISTS, compile_grammar
from assistant.understanding.normal import clean

COUNT = 10_000
NAMED = {
    "light": "light", "lit": "light", "dark_zone": "zone", "zone": "zone", "door": "door",
    "power": "power", "camera": "camera", "camera_name": "camera", "sensor": "sensor",
    "printer": "printer", "job": "job", "device": "light", "thing": "zone",
}  # fmt: skip
pytestmark = pytest.mark.slow


def cpu_ms(work, sentences):
    """Return the CPU milliseconds that each sentence takes, the first round left out."""
    for sentence in sentences:
        work(sentence)
    taken = []
    for sentence in sentences:
        start = time.process_time_ns()
        work(sentence)
        taken.append((time.process_time_ns() - start) / 1e6)
    return taken


def bare_hassil(names):
    """Return a function that only recognises, with all names as static lists."""
    lists = {name: TextSlotList(name=name, values=[]) for name in LISTS}
    for name, kind in NAMED.items():
        lists[name] = TextSlotList(
            name=name,
            values=[
                TextSlotValue(text_in=TextChunk(text), value_out=entry.id)
                for entry in names.of_kind(kind)
                for spoken in (entry.name, *entry.aliases)
                for text in (spoken.lower(), f"the {spoken.lower()}")
            ],
        )
    fixed = compile_grammar(INTENTS).fixed_lists

    def work(sentence):
        words = " ".join(clean(sentence).words)
        return recognize(words, INTENTS.templates, slot_lists={**fixed, **lists})

    return work


def test_grammar_with_ten_thousand_names():
    names = many_names(COUNT)
    assert len(names.entries) == COUNT
    said = [say for group in data("positive.yaml") for say in group["say"]]
    said += [say for say, _, _ in data("unseen.yaml")]
    said += ["turn on rack lamp 4712", "switch gallery lamp 96 off please", "bench lamp 41 on"] * 20
    start = time.process_time()
    READER.read("hello", names, Dialogue(), NOW)
    prepared = time.process_time() - start
    ours = cpu_ms(lambda say: READER.read(say, names, Dialogue(), NOW), said)
    few = cpu_ms(lambda say: READER.read(say, NAMES, Dialogue(), NOW), said)
    bare = cpu_ms(bare_hassil(names), said)
    ratio = statistics.mean(ours) / statistics.mean(bare)
    for label, taken in (("read, 10 000 names", ours), ("read, 35 names", few), ("bare", bare)):
        p99 = sorted(taken)[int(len(taken) * 0.99)]
        print(f"{label}: {statistics.mean(taken):.2f} CPU-ms mean, {p99:.2f} p99")
    print(
        f"ratio to bare hassil {ratio:.2f}; preparing the names once {prepared * 1000:.0f} CPU-ms"
    )
    assert statistics.mean(ours) <= 3.0
    assert ratio <= 1.5
