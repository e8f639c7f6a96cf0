"""Functions whose signature comes from data: a form that a table or a catalogue describes.

Modules are functions, and a function's signature is the form. Where the fields are rows of data (a
vendor's specification, a long table), the function takes any keyword and is given the signature of
those rows; `forms` then reads it like any other.
"""

from __future__ import annotations

import inspect
import keyword
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from junctor.errors import Fault

__all__ = ["Argument", "identifier", "with_signature"]

REQUIRED: Any = inspect.Parameter.empty


@dataclass(frozen=True, slots=True)
class Argument:
    """One keyword of a function: a name, ``Annotated[type, Field(…)]``, and a default if it may be
    left out.
    """

    name: str
    hint: Any
    default: Any = REQUIRED

    @property
    def required(self) -> bool:
        """Whether a value must be given."""
        return self.default is REQUIRED


def with_signature(
    function: Callable[..., Any], arguments: Iterable[Argument], *, name: str, doc: str
) -> Callable[..., Any]:
    """The same function, which takes ``**keywords``, with name, docstring and these keywords.

    `Fault` on a name that is twice there or is no Python name.
    """
    rows = tuple(arguments)
    seen: set[str] = set()
    for row in rows:
        if row.name in seen or not row.name.isidentifier() or keyword.iskeyword(row.name):
            raise Fault(reason=f"{name}: {row.name!r} can't be an argument, or is one already")
        seen.add(row.name)
    kind = inspect.Parameter.KEYWORD_ONLY
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    function.__annotations__ = {row.name: row.hint for row in rows}
    function.__signature__ = inspect.Signature(  # type: ignore[attr-defined]  # `inspect` reads it
        [inspect.Parameter(row.name, kind, default=row.default) for row in rows]
    )
    return function


def identifier(name: str) -> str:
    """A vendor's name as a Python name: ``from`` is ``from_``, ``filter[from]`` ``filter_from``."""
    text = "".join(letter if letter.isalnum() else "_" for letter in name).strip("_") or "field"
    while "__" in text:
        text = text.replace("__", "_")
    text = f"n_{text}" if text[0].isdigit() else text
    return f"{text}_" if keyword.iskeyword(text) else text
