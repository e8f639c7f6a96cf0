"""The syntax tree of a template, and its canonical print."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from junctor.language.expressions.tokens import Note
from junctor.language.values import to_text

__all__ = [
    "FUSION_KEYWORDS",
    "KEYWORDS",
    "LEVELS",
    "Argument",
    "Call",
    "Chain",
    "Empty",
    "Expression",
    "Keyword",
    "Literal",
    "Path",
    "Step",
    "Template",
    "Unary",
    "print_template",
]

KEYWORDS: dict[str, str] = {
    "null": "No value; empty in a text",
    "true": "The boolean true",
    "false": "The boolean false",
    "emptystring": "A text without characters",
    "emptyarray": "An array without items",
    "space": "One space",
    "tab": "One tabulator",
    "newline": "One line feed",
    "nbsp": "One space that no line breaks at",
    "carriagereturn": "One carriage return",
    "ignore": "Leaves the field, or the item, out",
    "erase": "Clears the field in what is updated",
    "now": "When the run began, as a date",
    "timestamp": "When the run began, in whole seconds since 1970",
    "pi": "The number π",
    "random": "A number from 0, below 1; a new one each time",
    "uuid": "A new random id (UUID, version 4)",
    "executionId": "The run's id",
    "executionID": "The run's id",
    "triggerTimestamp": "When the run was triggered, as a date",
    "scenarioID": "The scenario's id",
    "scenarioName": "The scenario's name",
    "operationsConsumed": "How many operations the run has taken so far",
}
"""Every keyword, with what it stands for."""

FUSION_KEYWORDS = {
    "executionID": "executionId",
    "triggerTimestamp": "now",
    "scenarioID": "var.scenario",
    "scenarioName": "var.scenario.name",
    "operationsConsumed": "",
}
"""Keywords that Adobe Workfront Fusion has and Make has not, with what comes nearest in Make."""

LEVELS = {
    "|": 1,
    "&": 2,
    "=": 3,
    "!=": 3,
    "<": 4,
    "<=": 4,
    ">": 4,
    ">=": 4,
    "+": 5,
    "-": 5,
    "*": 6,
    "/": 6,
    "%": 6,
}
"""How tightly an operator binds, as in JavaScript."""
UNARY_LEVEL = 7


@dataclass(frozen=True, slots=True)
class Literal:
    """A number or a text."""

    value: int | float | str


@dataclass(frozen=True, slots=True)
class Keyword:
    """A word with a meaning of its own: ``now``, ``emptystring`` …"""

    name: str
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a path: a name, a 1-based index (negative: from the end), or every item.

    An expression is a name or index that is computed: ``1.rows[2.i]``.
    """

    to: str | int | Expression | None

    @property
    def every(self) -> bool:
        """Whether this is ``[]``."""
        return self.to is None


@dataclass(frozen=True, slots=True)
class Path:
    """A place in a module's bundle (``root`` is its id), below ``var`` or ``error``, or in a
    call's result.
    """

    root: int | str | Expression
    steps: tuple[Step, ...]
    position: int = field(default=0, compare=False)

    @property
    def is_list(self) -> bool:
        """Whether it names many places."""
        return any(step.every for step in self.steps)


@dataclass(frozen=True, slots=True)
class Empty:
    """An argument left empty."""


@dataclass(frozen=True, slots=True)
class Call:
    """A function and its arguments."""

    name: str
    arguments: tuple[Argument, ...]
    position: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Unary:
    """``!`` or ``-`` before a value."""

    operator: str
    operand: Expression


@dataclass(frozen=True, slots=True)
class Chain:
    """Operators of one level, applied from left to right: a long sum is no deep tree."""

    level: int
    first: Expression
    rest: tuple[tuple[str, Expression], ...]


Expression = Literal | Keyword | Path | Call | Unary | Chain
Argument = Expression | Empty


@dataclass(frozen=True, slots=True)
class Template:
    """Literal texts and expressions, alternating as typed."""

    parts: tuple[str | Expression, ...]
    recovered: bool = False
    """Whether braces were doubled by accident (``{{{{x}}}}``): read as ``{{x}}`` in braces."""
    notes: tuple[Note, ...] = field(default=(), compare=False)
    """What was read leniently."""


_NAME = re.compile(r"(?:[^\W\d]|\$)[\w$]*")


def print_template(template: Template) -> str:
    """The template as text; parsing it again gives an equal template."""
    return "".join(
        part if isinstance(part, str) else "{{" + _print(part, 0) + "}}" for part in template.parts
    )


def _print(node: Argument, level: int) -> str:
    match node:
        case Literal(str() as value):
            return '"' + value.replace('"', '""') + '"'
        case Literal(value):
            return to_text(value)
        case Keyword(name):
            return name
        case Path():
            return _print_path(node)
        case Empty():
            return ""
        case Call(name, arguments):
            return f"{name}({'; '.join(_print(each, 0) for each in arguments)})"
        case Unary(operator, operand):
            text = operator + _print(operand, UNARY_LEVEL)
            return text if level <= UNARY_LEVEL else f"({text})"
        case Chain(own, first, rest):
            text = _print(first, own + 1) + "".join(
                f" {operator} {_print(operand, own + 1)}" for operator, operand in rest
            )
            return text if level <= own else f"({text})"


def _print_path(path: Path) -> str:
    steps = path.steps
    if isinstance(path.root, int):
        named = bool(steps) and isinstance(steps[0].to, str)
        text = str(path.root) if named else f"`{path.root}`"
    elif not isinstance(path.root, str):
        text = _print(path.root, 0)
        text = text if isinstance(path.root, Call) else f"({text})"
    else:
        reserved = path.root in KEYWORDS or path.root in {"and", "or"}
        text = f"`{path.root}`" if reserved else _print_name(path.root)
    for step in steps:
        if isinstance(step.to, str):
            text += "." + _print_name(step.to)
        elif step.to is None or isinstance(step.to, int):
            text += f"[{'' if step.to is None else step.to}]"
        else:
            text += f"[{_print(step.to, 0)}]"
    return text


def _print_name(name: str) -> str:
    return name if _NAME.fullmatch(name) else f"`{name}`"
