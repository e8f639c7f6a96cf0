"""How a plain Python function becomes a function of the language.

The annotations of its parameters say how arguments are converted; a parameter with a default may
be left out or left empty; a first parameter called ``scope`` gets the run's `Scope`. The examples
are tests and documentation at once.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from junctor.errors import DataError
from junctor.language.expressions.scope import Evaluate
from junctor.language.values import to_array, to_boolean, to_buffer, to_number, to_text

__all__ = [
    "FUNCTIONS",
    "MAX_TEXT",
    "Array",
    "Boolean",
    "Buffer",
    "Date",
    "Example",
    "FunctionInfo",
    "Many",
    "Number",
    "Origin",
    "Parameter",
    "Text",
    "alias",
    "first_line",
    "function",
    "lazy",
    "limited",
]

Text = Annotated[str, "text"]
Number = Annotated[int | float, "number"]
Boolean = Annotated[bool, "boolean"]
Buffer = Annotated[bytes, "buffer"]
Date = Annotated[datetime | None, "date"]
"""A date, or null: what is unknown stays unknown."""
Array = Annotated[list[Any], "array"]
Many = Annotated[Any, "many"]
"""Any value as it is; a list path gives its whole list."""

Example = tuple[str, Any]
"""A template, and what it evaluates to (dates as ISO text)."""

MAX_TEXT = 16 * 1024 * 1024
"""Characters that one function may produce: a chain of replacements could grow without end."""

F = TypeVar("F", bound=Callable[..., Any])

CONVERT: Mapping[str, Callable[[Any], Any]] = {
    "text": to_text,
    "number": to_number,
    "boolean": to_boolean,
    "buffer": to_buffer,
    "array": to_array,
}


Origin = Literal["make", "app", "fusion", "invented"]
"""Where a function is known from."""


Specialize = Callable[[list[Evaluate]], Evaluate | None]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: its name, what it is converted to, and its default."""

    name: str
    kind: str
    optional: bool = False
    default: Any = None

    @property
    def many(self) -> bool:
        """Whether a list path is given as its list, not as its first item."""
        return self.kind in {"array", "many"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionInfo:
    """A function of the language, with its documentation."""

    name: str
    signature: str
    """E.g. ``replace(text; search; replacement)``; optional parameters in brackets."""
    summary: str
    group: str
    examples: tuple[Example, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    rest: Parameter | None = None
    """What further arguments are, if it takes any number."""
    scoped: bool = False
    impure: bool = False
    """Whether it looks at the run's clock or randomness."""
    implementation: Callable[..., Any] = field(repr=False)
    lazily: bool = False
    """Whether ``implementation`` takes compiled arguments and returns a compiled call."""
    origin: Origin = "make"
    """Who documents it: Make (``make``), Make for its custom apps only (``app``), Adobe Workfront
    Fusion, or nobody, though blueprints written by language models hold it (``invented``)."""
    instead: str = ""
    """What to write in Make, if that is not one of Make's functions."""
    specialize: Specialize | None = None
    """Makes a faster call where arguments are constant; ``None`` if it has none for these."""

    @property
    def warning(self) -> str:
        """What a report says about its use; empty for Make's own."""
        if self.origin == "make":
            return ""
        where = {
            "app": "Make has '{}' in its custom apps only",
            "fusion": "Make has no function '{}' (Adobe Workfront Fusion has)",
            "invented": "Make has no function '{}'",
        }[self.origin]
        advice = f" In Make write {self.instead}." if self.instead else ""
        return f"{where.format(self.name)}; here it works: {first_line(self.summary)}{advice}"

    @property
    def least(self) -> int:
        """How many arguments it needs."""
        return sum(not each.optional for each in self.parameters)

    @property
    def most(self) -> int | None:
        """How many arguments it takes; ``None``: any number."""
        return None if self.rest else len(self.parameters)

    def parameter(self, index: int) -> Parameter:
        """The parameter that the argument at ``index`` fills."""
        if index < len(self.parameters):
            return self.parameters[index]
        assert self.rest is not None
        return self.rest


FUNCTIONS: dict[str, FunctionInfo] = {}
"""Every function by its name in templates."""


def function(
    name: str,
    examples: list[Example],
    *,
    impure: bool = False,
    origin: Origin = "make",
    instead: str = "",
    specialize: Specialize | None = None,
) -> Callable[[F], F]:
    """Registers the decorated pure function as ``name``; the function stays as it is."""

    def register(implementation: F) -> F:
        hints = get_type_hints(implementation, include_extras=True)
        given = list(inspect.signature(implementation).parameters.values())
        scoped = bool(given) and given[0].name == "scope"
        parameters, rest = [], None
        for each in given[scoped:]:
            made = Parameter(
                each.name.strip("_"),
                _kind(hints.get(each.name)),
                each.default is not each.empty,
                None if each.default is each.empty else each.default,
            )
            if each.kind is each.VAR_POSITIONAL:
                rest = made
            else:
                parameters.append(made)
        _add(
            FunctionInfo(
                name=name,
                signature=_signature(name, parameters, rest),
                summary=inspect.getdoc(implementation) or "",
                group=implementation.__module__.rpartition(".")[2],
                examples=tuple(examples),
                parameters=tuple(parameters),
                rest=rest,
                scoped=scoped,
                impure=impure,
                implementation=implementation,
                origin=origin,
                instead=instead,
                specialize=specialize,
            )
        )
        return implementation

    return register


def lazy(
    name: str,
    signature: str,
    least: int,
    most: int | None,
    examples: list[Example],
    *,
    origin: Origin = "make",
    instead: str = "",
) -> Callable[[Callable[[list[Evaluate]], Evaluate]], Callable[[list[Evaluate]], Evaluate]]:
    """Registers a builder: compiled arguments in, compiled call out; it evaluates what it needs."""

    def register(
        builder: Callable[[list[Evaluate]], Evaluate],
    ) -> Callable[[list[Evaluate]], Evaluate]:
        value = Parameter("value", "any")
        count = least if most is None else most
        _add(
            FunctionInfo(
                name=name,
                signature=signature,
                summary=inspect.getdoc(builder) or "",
                group=builder.__module__.rpartition(".")[2],
                examples=tuple(examples),
                parameters=tuple(
                    Parameter("value", "any", optional=index >= least) for index in range(count)
                ),
                rest=value if most is None else None,
                implementation=builder,
                lazily=True,
                origin=origin,
                instead=instead,
            )
        )
        return builder

    return register


def alias(name: str, of: Callable[..., Any], examples: list[Example]) -> None:
    """Registers another, invented name of a function that is registered already."""
    info = next(each for each in FUNCTIONS.values() if each.implementation is of)
    _add(
        replace(
            info,
            name=name,
            signature=info.signature.replace(info.name, name, 1),
            summary=f"Another name of `{info.name}`: {info.summary[:1].lower()}{info.summary[1:]}",
            group="invented",
            examples=tuple(examples),
            origin="invented",
            instead=info.instead or (f"{info.name}(…)" if info.origin == "make" else ""),
        )
    )


def first_line(text: str) -> str:
    """The first paragraph, on one line."""
    return " ".join(text.split("\n\n", maxsplit=1)[0].split())


def limited(text: str) -> str:
    """The text, unless it is longer than a function may produce."""
    check_length(len(text))
    return text


def check_length(length: int) -> None:
    """Raises `DataError` if a text of that length may not be made."""
    if length > MAX_TEXT:
        raise DataError(reason=f"the result would have more than {MAX_TEXT} characters")


def _add(info: FunctionInfo) -> None:
    assert info.name not in FUNCTIONS, f"function {info.name} is defined twice"
    FUNCTIONS[info.name] = info


def _kind(hint: Any) -> str:
    for candidate in (hint, *get_args(hint)):
        if get_origin(candidate) is Annotated:
            return str(candidate.__metadata__[0])
    return "any"


def _signature(name: str, parameters: list[Parameter], rest: Parameter | None) -> str:
    shown = [f"[{each.name}]" if each.optional else each.name for each in parameters]
    if rest is not None:
        shown.append(f"{rest.name}…")
    return f"{name}({'; '.join(shown)})"
