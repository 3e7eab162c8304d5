"""Learn the weights of `likeness` again: run after the templates have changed much.

    PYTHONPATH=tests python -m understanding.learn

Deterministic; takes some CPU-minutes and writes `intents/likeness.json`.
"""

import json
import math
import random
from collections import Counter
from pathlib import Path

from hassil.expression import Alternative, Group, ListReference, RuleReference, TextChunk
from understanding import demo_lab, lab
from understanding.scoring import INTENTS, data

from assistant.understanding import likeness, sentences
from assistant.understanding.dialogue import Dialogue
from assistant.understanding.normal import clean
from assistant.understanding.understanding import Understanding

EACH, ROUNDS, SEED, LEAST_SEEN = 20, 6, 7, 3
TARGET = Path(sentences.__file__).parent / "intents" / "likeness.json"
AMOUNTS = {
    "celsius": ["210 degrees", "60", "200 degrees celsius"], "seconds": ["20 seconds"],
    "gcode": ["g28", "m84"], "window": ["today", "since noon", "yesterday"], "event": ["it"],
    "part": ["nozzle", "bed"], "kind": ["doors", "lights", "cameras", "sensors", "door", "sensor"],
    "kinds": ["doors", "lights", "cameras", "sensors"], "state": ["offline", "broken", "online"],
    "scene": ["dim", "night", "video"], "text": ["the spare key", "blue filament", "Emil's glue"],
}  # fmt: skip
KINDS = {
    "lit": "zone", "dark_zone": "zone", "camera_name": "camera", "zone_sensor": "zone",
    "thing": "printer", "device": "power", "person": "user",
}  # fmt: skip


def spoken(expression, rules, chance):
    """Return one way to say an expression."""
    match expression:
        case TextChunk():
            return expression.text
        case ListReference():
            return f" {named(expression.list_name, chance)} "
        case RuleReference():
            return spoken(rules[expression.rule_name].expression, rules, chance)
        case Alternative():
            return spoken(chance.choice(expression.items), rules, chance)
        case Group():
            return "".join(spoken(item, rules, chance) for item in expression.items)
    return ""


def named(slot, chance):
    if slot in AMOUNTS:
        return chance.choice(AMOUNTS[slot])
    kind = KINDS.get(slot, slot)
    entry = chance.choice(demo_lab.NAMES.of_kind(kind))
    return chance.choice(["", "the "]) + chance.choice([entry.name, *entry.aliases])


def examples():
    """Yield (sentence, class, names) from the templates and from the data."""
    chance = random.Random(SEED)
    for name, spec in INTENTS.specs.items():
        for source in INTENTS.templates.intents[name].data:
            rules = {**INTENTS.templates.expansion_rules, **source.expansion_rules}
            for sentence in source.sentences:
                for _ in range(EACH):
                    yield spoken(sentence.expression, rules, chance), spec.name, demo_lab.NAMES
    said = data("positive.yaml")
    known = [(say, g["tool"], g["args"], lab.NAMES) for g in said for say in g["say"]]
    for name in ("unseen.yaml", "unseen_second.yaml", "unseen_third.yaml"):
        known += [(*case, lab.NAMES) for case in data(name)]
    for name in (
        "unseen_fourth.yaml",
        "unseen_fifth.yaml",
        "unseen_sixth.yaml",
        "unseen_seventh.yaml",
    ):
        known += [(*case[:3], demo_lab.NAMES) for case in data(name)]
    for say, tool, arguments, names in known * 4:
        spec = INTENTS.of_tool(tool, arguments)
        if spec is not None:
            yield say, spec.name, names
    for say in data("other_matters.yaml") * 4:
        yield say, likeness.NONE, demo_lab.NAMES


def rows():
    """Return each distinct example as features and class."""
    reader = Understanding(INTENTS)
    seen = Counter()
    for say, label, names in examples():
        words = INTENTS.lexicon.peel(clean(say).words).words
        if not words or len(words) > 40:
            continue
        scene = reader._scene(reader._index(names), Dialogue(), lab.NOW)
        found = reader._grammar.find(words, scene)
        seen[tuple(likeness.features(words, found, INTENTS.lexicon)), label] += 1
    return [(features, label, min(count, 4)) for (features, label), count in seen.items()]


def learn(examples, classes):
    """Return softmax weights by plain stochastic descent."""
    places = {name: place for place, name in enumerate(classes)}
    often = Counter(feature for features, _, _ in examples for feature in set(features))
    weights = {f: [0.0] * len(classes) for f, n in often.items() if n >= LEAST_SEEN}
    sizes = Counter(label for _, label, _ in examples)
    typical = sorted(sizes.values())[len(sizes) // 2]
    chance = random.Random(SEED)
    for turn in range(ROUNDS):
        chance.shuffle(examples)
        rate = 0.4 / (1 + turn)
        for features, label, count in examples:
            rows = [weights[f] for f in features if f in weights]
            scores = [sum(column) for column in zip(*rows, strict=True)]
            top = max(scores)
            shares = [math.exp(score - top) for score in scores]
            whole = sum(shares)
            fair = min(4.0, max(0.25, (typical / sizes[label]) ** 0.5)) * count**0.5
            for place, share in enumerate(shares):
                wrong = (place == places[label]) - share / whole
                if abs(wrong) > 0.003:
                    step = rate * fair * wrong / 4
                    for row in rows:
                        row[place] += step
    return weights


def main():
    examples = rows()
    classes = sorted({label for _, label, _ in examples})
    weights = learn(examples, classes)
    tenths = {
        feature: {str(place): round(w * 10) for place, w in enumerate(row) if abs(w) >= 0.15}
        for feature, row in sorted(weights.items())
    }
    kept = {feature: row for feature, row in tenths.items() if row}
    lines = ",\n".join(
        f"{json.dumps(f)}: {json.dumps(row, separators=(',', ':'))}" for f, row in kept.items()
    )
    TARGET.write_text(f'{{"classes": {json.dumps(classes)}, "tenths": {{\n{lines}\n}}}}\n')
    right = sum(
        max(range(len(classes)), key=lambda p: sum(weights[f][p] for f in fs if f in weights))
        == classes.index(label)
        for fs, label, _ in examples
    )
    print(f"{len(examples)} examples, {len(kept)} features, {right / len(examples):.1%} learnt")


if __name__ == "__main__":
    main()
