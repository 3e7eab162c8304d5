"""The templates with what each cannot do without, so that few need to be tried.

Bare hassil tries every template whose literal words occur.  Here a template is also left
out when a list it needs has no entry in this utterance; neither filter ever drops a
template that could match.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from hassil.expression import (
    Alternative,
    Expression,
    Group,
    ListReference,
    RuleReference,
    Sentence,
    TextChunk,
)
from hassil.intents import Intents as Source
from hassil.intents import SlotList, TextSlotList
from hassil.string_matcher import MatchContext, MatchSettings, match_expression

Rules = dict[str, Sentence]
Clauses = frozenset[frozenset[str]]
WILDCARD: Final = "text"
_ANY: Final = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """How a text that fits can begin."""

    words: frozenset[str] = frozenset()
    """First words, or the beginnings of them."""
    lists: frozenset[str] = frozenset()
    """Lists whose entries can come first."""
    empty: bool = False
    """What comes after can also be first."""

    def then(self, other: "Opening") -> "Opening":
        """Return the opening of this and what follows it."""
        if not self.empty:
            return self
        words, lists = self.words | other.words, self.lists | other.lists
        return Opening(words=words, lists=lists, empty=other.empty)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Template:
    """One template, ready to be matched."""

    intent: str
    expression: Expression
    rules: Rules
    clauses: Clauses
    """Literal texts it needs: one of each set."""
    lists: frozenset[str]
    """Lists it needs an entry of."""
    opens: "Opening"
    """What its first word can be."""

    def match(self, text: str, lists: dict[str, SlotList]) -> Iterator[dict[str, Any]]:
        """Yield the value of each slot, for every way that the template fits all of the text."""
        settings = MatchSettings(slot_lists=lists, expansion_rules=self.rules, language="en")
        start = MatchContext(text=f"{text} ", original_text=text)
        for context in match_expression(settings, start, self.expression):
            _close_wildcard(context)
            if context.is_match:
                yield {entity.name: _value(entity.value) for entity in context.entities}


def _close_wildcard(context: MatchContext) -> None:
    """Give what is left of the text to a wildcard at the end of the template."""
    wildcard = context.get_open_wildcard()
    rest = context.text.strip()
    if wildcard is not None and rest:
        wildcard.text += rest
        wildcard.value = wildcard.text
        wildcard.is_wildcard_open = False
        context.text = ""


def _value(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else value


@dataclass(frozen=True, slots=True, kw_only=True)
class Templates:
    """All templates in the order of the data, found by how a text begins."""

    all: tuple[Template, ...]
    by_word: Mapping[str, tuple[int, ...]]
    by_list: Mapping[str, tuple[int, ...]]
    """"" for those that may begin in any way."""

    @classmethod
    def of(cls, templates: tuple[Template, ...]) -> Self:
        """Sort templates by their openings."""
        words: dict[str, list[int]] = defaultdict(list)
        lists: dict[str, list[int]] = defaultdict(list)
        for place, template in enumerate(templates):
            for word in template.opens.words:
                words[word].append(place)
            for name in template.opens.lists | ({_ANY} if template.opens.empty else set()):
                lists[name].append(place)
        return cls(
            all=templates,
            by_word={word: tuple(places) for word, places in words.items()},
            by_list={name: tuple(places) for name, places in lists.items()},
        )

    def beginning(self, text: str, lists: Mapping[str, SlotList]) -> Iterator[Template]:
        """Yield the templates that can begin as the text does."""
        first = text.split(maxsplit=1)[0]
        stems = {first, first[:-1], first[:-2]}  # of "lights" also "light[s]"
        begun = [_ANY, WILDCARD, *(name for name, each in lists.items() if _begins(text, each))]
        places = {place for stem in stems for place in self.by_word.get(stem, ())}
        places |= {place for name in begun for place in self.by_list.get(name, ())}
        for place in sorted(places):
            yield self.all[place]


def compile_templates(source: Source) -> Templates:
    """Prepare all templates."""
    out: list[Template] = []
    for intent in source.intents.values():
        for data in intent.data:
            rules = {**source.expansion_rules, **data.expansion_rules}
            out.extend(
                Template(
                    intent=intent.name,
                    expression=sentence.expression,
                    rules=rules,
                    clauses=sentence.get_required_clauses(rules),
                    lists=_needed(sentence.expression, rules) - {WILDCARD},
                    opens=_opening(sentence.expression, rules),
                )
                for sentence in data.sentences
            )
    return Templates.of(tuple(out))


def possible(templates: Templates, text: str, lists: Mapping[str, SlotList]) -> Iterator[Template]:
    """Yield the templates that have all they need in the text and the lists."""
    present: dict[frozenset[str], bool] = {}
    for template in templates.beginning(text, lists):
        if not template.lists <= lists.keys():
            continue
        for clause in template.clauses:
            known = present.get(clause)
            if known is None:
                known = present[clause] = any(fragment in text for fragment in clause)
            if not known:
                break
        else:
            yield template


def _needed(expression: Expression, rules: Rules) -> frozenset[str]:
    """Return the lists without which an expression cannot match."""
    if isinstance(expression, ListReference):
        return frozenset({expression.list_name})
    if isinstance(expression, RuleReference):
        return _needed(rules[expression.rule_name].expression, rules)
    if not isinstance(expression, Group) or not expression.items:
        return frozenset()
    parts = [_needed(item, rules) for item in expression.items]
    if isinstance(expression, Alternative):
        return frozenset() if expression.is_optional else frozenset.intersection(*parts)
    return frozenset.union(*parts)


def _begins(text: str, each: SlotList) -> bool:
    """Return whether an entry of a list begins a text."""
    if not isinstance(each, TextSlotList):
        return True
    return any(
        not isinstance(value.text_in, TextChunk) or text.startswith(value.text_in.text)
        for value in each.values
    )


def _opening(expression: Expression, rules: Rules) -> Opening:
    """Return what an expression can begin with."""
    if isinstance(expression, TextChunk):
        words = expression.text.split()
        return Opening(words=frozenset(words[:1]), empty=not words)
    if isinstance(expression, ListReference):
        return Opening(lists=frozenset({expression.list_name}))
    if isinstance(expression, RuleReference):
        return _opening(rules[expression.rule_name].expression, rules)
    if not isinstance(expression, Group):
        return Opening(empty=True)
    parts = [_opening(item, rules) for item in expression.items]
    if isinstance(expression, Alternative):
        return Opening(
            words=frozenset().union(*(part.words for part in parts)),
            lists=frozenset().union(*(part.lists for part in parts)),
            empty=expression.is_optional or any(part.empty for part in parts),
        )
    opening = Opening(empty=True)
    for part in parts:
        opening = opening.then(part)
    return opening
