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

__all__ = ["REQUIRED", "Argument", "Described", "identifier"]

REQUIRED: Any = inspect.Parameter.empty
"""The default of an argument that must be given."""


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


class Described:
    """A function that takes ``**keywords``, seen by `inspect` and `typing` as one with a signature.

    The arguments are made when the signature is first looked at: a connector of hundreds of
    generated modules is imported without building forms that nobody opens.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        arguments: Callable[[], Iterable[Argument]],
        *,
        name: str,
        doc: str,
    ) -> None:
        self._function = function
        self._arguments = arguments
        self.__name__ = self.__qualname__ = name
        self.__doc__ = doc

    def __call__(self, **given: Any) -> Any:
        """What the function makes of these keywords."""
        return self._function(**given)

    def __getattr__(self, name: str) -> Any:
        """Signature and annotations. `Fault` on a name that is twice there or is no Python name."""
        if name not in {"__signature__", "__annotations__"}:
            raise AttributeError(name)
        rows = tuple(self._arguments())
        seen: set[str] = set()
        for row in rows:
            if row.name in seen or not row.name.isidentifier() or keyword.iskeyword(row.name):
                raise Fault(
                    reason=f"{self.__name__}: {row.name!r} can't be an argument, or is one already"
                )
            seen.add(row.name)
        kind = inspect.Parameter.KEYWORD_ONLY
        parameters = [
            inspect.Parameter(row.name, kind, default=row.default, annotation=row.hint)
            for row in rows
        ]
        hints = {row.name: row.hint for row in rows}
        made = {"__annotations__": hints, "__signature__": inspect.Signature(parameters)}
        vars(self).update(made)
        return made[name]


def identifier(name: str) -> str:
    """A vendor's name as a Python name: ``from`` is ``from_``, ``filter[from]`` ``filter_from``."""
    text = "".join(letter if letter.isalnum() else "_" for letter in name).strip("_") or "field"
    while "__" in text:
        text = text.replace("__", "_")
    text = f"n_{text}" if text[0].isdigit() else text
    return f"{text}_" if keyword.iskeyword(text) else text
