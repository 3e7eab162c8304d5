"""Reading an answer to the question that is open."""

import re
from dataclasses import replace
from typing import Final

from assistant.understanding.binding import SURE, bind_one, make_call
from assistant.understanding.context import refilled
from assistant.understanding.dialogue import ASK_AGAIN, Question
from assistant.understanding.grammar import Grammar, Match, Scene
from assistant.understanding.lexicon import Lexicon, Words
from assistant.understanding.normal import Clean
from assistant.understanding.reading import Act, Ask, Call, Confirm, Reading, Reply
from assistant.understanding.spec import Spec
from assistant.understanding.targets import Target

_PLAIN: Final = re.compile(r"[A-Za-z0-9 ,.!'’\-]+")
_NAMING: Final = frozenset(
    {"the", "one", "that", "a", "an", "on", "in", "please", "for", "at", "to"}
)


def answer(
    question: Question, raw: str, heard: Clean, grammar: Grammar, scene: Scene
) -> Reading | None:
    """Return what an utterance answers; None if it is no answer."""
    lexicon = grammar.intents.lexicon
    if question.kind == "confirm":
        return _confirmation(question, raw, heard, lexicon)
    if _is(raw, heard, "no", lexicon):
        return Reply(text="All right, I leave it.", rule="cancel")
    words = _answer_words(heard, lexicon)
    if question.options:
        chosen = _chosen(question, raw, heard, words, grammar, scene)
        if chosen is not None:
            return chosen
    if question.partial is not None and question.missing:
        return _filled(question, words, grammar, scene, heard)
    return None


def _is(raw: str, heard: Clean, key: str, lexicon: Lexicon) -> bool:
    """Return whether the whole utterance is one of the forms, in plain letters.

    Anything around it, a look-alike letter or a hidden character makes it no answer.
    """
    plain = _PLAIN.fullmatch(raw.strip()) is not None and not heard.quoted
    return plain and not heard.asks and heard.words in lexicon[key]


def _confirmation(question: Question, raw: str, heard: Clean, lexicon: Lexicon) -> Reading | None:
    if _is(raw, heard, "yes", lexicon):
        return Confirm(event=question.event, yes=True)
    asked = len(question.event.split())
    whole = ("yes_both",) * (asked == 2) + ("yes_all",) * (asked > 1)  # noqa: PLR2004 - "both"
    if any(_is(raw, heard, key, lexicon) for key in whole):
        return Confirm(event=question.event, yes=True)
    if _is(raw, heard, "no", lexicon) or _is(raw, heard, "no_all", lexicon):
        return Confirm(event=question.event, yes=False)
    if _sounds_like_answer(heard.words, lexicon):
        text = f'{question.text} Please say just "yes" or "no".'
        return Ask(text=text, rule=ASK_AGAIN)
    return None


def _sounds_like_answer(words: Words, lexicon: Lexicon) -> bool:
    if lexicon["yes"].at(words, 0) == len(words):
        return True
    yes_at = any(lexicon["yes"].at(words, at) for at in range(len(words)))
    return yes_at and (
        len(words) <= 4  # noqa: PLR2004 - "yes but be quick" is an answer, a command is longer
        or any((word,) in lexicon["negation_words"] or word == "but" for word in words)
        or "confirm" in words
    )


def _answer_words(heard: Clean, lexicon: Lexicon) -> Words:
    peeled = lexicon.peel(heard.words).words
    return tuple(word for word in peeled if (word,) not in lexicon["fillers"])


def _chosen(
    question: Question, raw: str, heard: Clean, words: Words, grammar: Grammar, scene: Scene
) -> Reading | None:
    lexicon, options = grammar.intents.lexicon, question.options
    if len(options) == 1 and _is(raw, heard, "yes", lexicon):
        return _act(options, "chosen")
    if words in lexicon["first"]:
        return _act(options[:1], "chosen")
    if words in lexicon["second"] and len(options) > 1:
        return _act(options[1:2], "chosen")
    if words in lexicon["both"] and len(options) > 1:
        return _both(question, grammar)
    named = [option for option in options if _names(option, words, scene)]
    if len(named) == 1:
        return _act((named[0],), "chosen")
    if len(options) == 1 and _sounds_like_answer(heard.words, lexicon):
        return Ask(text=f'{question.text} Please say just "yes" or "no".', rule=ASK_AGAIN)
    return None


def _both(question: Question, grammar: Grammar) -> Reading:
    specs = [spec_of(option, grammar) for option in question.options]
    if any(spec is None or spec.hazardous for spec in specs):
        return Ask(text=f"One at a time, please. {question.text}", rule=ASK_AGAIN)
    return _act(question.options, "chosen")


def _act(calls: tuple[Call, ...], rule: str) -> Act:
    return Act(calls=calls, confidence=SURE, rule=rule)


def spec_of(call: Call, grammar: Grammar) -> Spec | None:
    """Return the intent that a call came from."""
    return grammar.intents.of_tool(call.tool, call.arguments)


def _names(option: Call, words: Words, scene: Scene) -> bool:
    """Return whether the words name one of the things in a call."""
    index = scene.finder.index
    said = tuple(word for word in words if word not in _NAMING)
    if not said:
        return False
    for value in option.arguments.values():
        for spelling in index.spelt.get(str(value), ()):
            at = [spelling[i : i + len(said)] for i in range(len(spelling) - len(said) + 1)]
            if said in at:
                return True
    label = option.label.lower().split()
    return len(said) == 1 and said[0] in label and said[0] not in _NAMING


def _filled(
    question: Question, words: Words, grammar: Grammar, scene: Scene, heard: Clean
) -> Reading | None:
    partial = question.partial
    spec = spec_of(partial, grammar) if partial is not None else None
    if partial is None or spec is None:
        return None
    if spec.free == question.missing:
        words_kept = {**partial.arguments, spec.free: heard.text}
        return _act((make_call(spec, words_kept, scene.finder.index),), spec.name)
    values = refilled(words, spec, grammar, scene)
    if not values:
        return None
    return complete(spec, {**partial.arguments, **values}, scene, heard)


def complete(spec: Spec, arguments: dict[str, object], scene: Scene, heard: Clean) -> Reading:
    """Return the call with these arguments, or the question for what is still missing."""
    index = scene.finder.index
    targets = {
        argument: Target(ids=(str(value),)) if str(value) in index.by_id else Target(value=value)
        for argument, value in arguments.items()
        if argument not in spec.fixed
    }
    bound = bind_one(replace(Match(spec=spec), values=targets), index, heard)
    return bound.ask or _act(bound.calls, spec.name)
