"""Declare a tool once; the agent, REST, MCP, the grammar's tests and the docs read the declaration.

A tool is a typed async function with a docstring.  Its signature becomes the argument
schema, its docstring the description, its return type what it proposes and so its hazard.
"""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, create_model

from safety.actions import Action
from safety.entities import Hazard


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """Something to look at beside the words."""

    title: str
    url: str
    """Path on KITTY's own server, for example `/api/devices/.../snapshot`."""
    media_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a tool found out."""

    text: str
    """For the screen; short and plain, numbers with units."""
    spoken: str = ""
    """For the ear, when it should differ from `text`; empty otherwise."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """The same facts for programs: JSON values only."""
    artifacts: tuple[Artifact, ...] = ()
    citations: tuple[str, ...] = ()
    """Ids of the records that each claim rests on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One of several things a name could mean."""

    id: str
    label: str


class ToolError(Exception):
    """The tool cannot do that; the text is for the person who asked."""

    def __init__(
        self, code: str, message: str, *, choices: Sequence[Choice] = (), argument: str = ""
    ) -> None:
        """Say what, why and what to do; `argument` is the one that a choice would settle."""
        super().__init__(message)
        self.code = code
        """Stable snake_case, for programs."""
        self.message = message
        self.choices = tuple(choices)
        self.argument = argument


Result = Answer | Action | Sequence[Action]
Body = Callable[..., Awaitable[Result]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One thing the assistant can look up, work out or propose."""

    name: str
    family: str
    summary: str
    arguments: type[BaseModel]
    proposes: tuple[type[Action], ...]
    """The kinds of action it may return; empty for a tool that only reads."""
    body: Body

    @property
    def hazard(self) -> Hazard:
        """The highest hazard it can propose."""
        return max((kind.hazard for kind in self.proposes), default=Hazard.NONE)

    @property
    def schema(self) -> dict[str, Any]:
        """JSON schema of the arguments."""
        return self.arguments.model_json_schema()


def tool(family: str) -> Callable[[Body], Tool]:
    """Build a `Tool` from a function's signature and docstring.

    The first parameter is the `Desk`; the others are the tool's arguments.
    Raises TypeError if the docstring is missing or the return type says nothing usable.
    """

    def build(body: Body) -> Tool:
        summary = inspect.getdoc(body)
        name = getattr(body, "__name__", "")
        if not summary:
            raise TypeError(f"tool {name!r} needs a docstring: people and models read it")
        hints = get_type_hints(body, include_extras=True)
        proposes = _proposed(hints.pop("return"))
        _, *parameters = inspect.signature(body).parameters.values()
        fields: dict[str, Any] = {
            p.name: (hints[p.name], ... if p.default is p.empty else p.default) for p in parameters
        }
        arguments = create_model(
            f"{name}_arguments",
            __config__=ConfigDict(extra="forbid", frozen=True, str_max_length=4_000),
            **fields,
        )
        return Tool(
            name=name,
            family=family,
            summary=summary,
            arguments=arguments,
            proposes=proposes,
            body=body,
        )

    return build


def _proposed(result: Any) -> tuple[type[Action], ...]:
    kinds: list[type[Action]] = []
    pending = [result]
    while pending:
        each = pending.pop()
        if isinstance(each, type) and issubclass(each, Action):
            kinds.append(each)
        elif each is Answer:
            continue
        elif get_origin(each) in {Union, UnionType, list, tuple, Sequence}:
            pending.extend(a for a in get_args(each) if a is not Ellipsis)
        else:
            raise TypeError(f"a tool returns an Answer or actions, not {each!r}")
    return tuple(sorted(set(kinds), key=lambda kind: kind.__name__))


class Catalog:
    """The tools on offer, by name; two tools of one name are an error."""

    def __init__(self, tools: Iterable[Tool]) -> None:
        self._tools: dict[str, Tool] = {}
        for each in tools:
            if each.name in self._tools:
                raise ValueError(f"two tools are called {each.name!r}")
            self._tools[each.name] = each

    def __iter__(self) -> Iterator[Tool]:
        return iter(self._tools.values())

    def __getitem__(self, name: str) -> Tool:
        return self._tools[name]

    def __contains__(self, name: object) -> bool:
        return name in self._tools

    def __len__(self) -> int:
        return len(self._tools)
