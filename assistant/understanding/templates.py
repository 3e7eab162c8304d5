"""The templates with what each cannot do without, so that few need to be tried.

Bare hassil tries every template whose literal words occur.  Here a template is also left
out when a list it needs has no entry in this utterance; neither filter ever drops a
template that could match.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from hassil.expression import (
    Alternative,
    Expression,
    Group,
    ListReference,
    RuleReference,
    Sentence,
)
from hassil.intents import Intents as Source
from hassil.intents import SlotList
from hassil.string_matcher import MatchContext, MatchSettings, match_expression

Rules = dict[str, Sentence]
Clauses = frozenset[frozenset[str]]
WILDCARD: Final = "text"


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


def compile_templates(source: Source) -> tuple[Template, ...]:
    """Return all templates in the order of the data."""
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
                )
                for sentence in data.sentences
            )
    return tuple(out)


def possible(
    templates: tuple[Template, ...], text: str, lists: Mapping[str, SlotList]
) -> Iterator[Template]:
    """Yield the templates that have all they need in the text and the lists."""
    present: dict[frozenset[str], bool] = {}
    for template in templates:
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
