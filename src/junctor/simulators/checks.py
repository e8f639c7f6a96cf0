"""Validation of JSON bodies that collects messages in class-validator's manner, as HighLevel does.

A shape is a mapping from a key to its check; a check returns a message without its subject, or
``None`` for a value that fits. A check that is `Checked` also says what it takes as a JSON Schema,
from which a simulator's OpenAPI document is made.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

__all__ = [
    "Check",
    "Checked",
    "boolean",
    "email",
    "filled",
    "iso_date",
    "mapping",
    "normal_phone",
    "nullable",
    "objects",
    "one_of",
    "phone",
    "problems",
    "schema_of",
    "schema_of_object",
    "taking",
    "text",
    "texts",
    "whole",
]

Check = Callable[[Any], str | None]


@dataclass(frozen=True, slots=True)
class Checked:
    """A check that says what it takes."""

    check: Check
    takes: Mapping[str, Any]
    """A JSON Schema; where a check is stricter than a schema can say, what comes nearest."""

    def __call__(self, value: Any) -> str | None:
        """As the check itself."""
        return self.check(value)


def taking(**schema: Any) -> Callable[[Check], Check]:
    """Makes a check `Checked`, with these keywords of JSON Schema."""
    return lambda check: Checked(check, schema)


def schema_of(check: Check) -> dict[str, Any]:
    """What a check takes, as a JSON Schema; ``{}`` (anything) if it doesn't say."""
    return dict(check.takes) if isinstance(check, Checked) else {}


def schema_of_object(shape: Mapping[str, Check], required: Iterable[str] = ()) -> dict[str, Any]:
    """The JSON Schema of an object of a shape, to which `problems` would object to nothing."""
    return {
        "type": "object",
        "properties": {key: schema_of(check) for key, check in shape.items()},
        "additionalProperties": False,
        **({"required": needed} if (needed := list(required)) else {}),
    }


_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
_PHONE_DECORATION = re.compile(r"[\s().\-]")
_PHONE = re.compile(r"\+?[1-9]\d{6,14}")


@taking(type="string")
def text(value: Any) -> str | None:
    """A text."""
    return None if isinstance(value, str) else "must be a string"


@taking(type="string", pattern=r"\S")
def filled(value: Any) -> str | None:
    """A text that isn't blank."""
    if not isinstance(value, str):
        return "must be a string"
    return None if value.strip() else "should not be empty"


@taking(type="boolean")
def boolean(value: Any) -> str | None:
    """True or false."""
    return None if isinstance(value, bool) else "must be a boolean value"


def whole(low: int, high: int) -> Check:
    """A whole number in a range."""

    @taking(type="integer", minimum=low, maximum=high)
    def check(value: Any) -> str | None:
        if not isinstance(value, int) or isinstance(value, bool):
            return "must be an integer number"
        if value < low:
            return f"must not be less than {low}"
        return f"must not be greater than {high}" if value > high else None

    return check


@taking(type="string", pattern=rf"^({_EMAIL.pattern})?$")
def email(value: Any) -> str | None:
    """An e-mail address; empty clears it."""
    if value == "":
        return None
    fits = isinstance(value, str) and _EMAIL.fullmatch(value.strip())
    return None if fits else "must be an email"


@taking(type="string", pattern=r"^(\+?[1-9][0-9]{6,14})?$")
def phone(value: Any) -> str | None:
    """A phone number, E.164 or formatted; empty clears it."""
    if value == "":
        return None
    fits = isinstance(value, str) and normal_phone(value) is not None
    return None if fits else "must be a valid phone number"


def normal_phone(value: str, country_code: str = "1") -> str | None:
    """A number as E.164; ten bare digits get ``country_code``. ``None`` if it is no number."""
    bare = _PHONE_DECORATION.sub("", value)
    if not _PHONE.fullmatch(bare):
        return None
    if bare.startswith("+"):
        return bare
    return f"+{country_code}{bare}" if len(bare) == 10 else f"+{bare}"


@taking(type="string", format="date-time")
def iso_date(value: Any) -> str | None:
    """An ISO 8601 date and time."""
    try:
        datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return "must be a valid ISO 8601 date string"
    return None


@taking(type="array", items={"type": "string"})
def texts(value: Any) -> str | None:
    """A list of texts."""
    if not isinstance(value, list):
        return "must be an array"
    return None if all(isinstance(item, str) for item in value) else "each value must be a string"


@taking(type="array", items={"type": "object"})
def objects(value: Any) -> str | None:
    """A list of objects."""
    if not isinstance(value, list):
        return "must be an array"
    fits = all(isinstance(item, dict) for item in value)
    return None if fits else "each value must be an object"


def one_of(*allowed: str) -> Check:
    """One of some texts."""

    @taking(type="string", enum=list(allowed))
    def check(value: Any) -> str | None:
        if isinstance(value, str) and value in allowed:
            return None
        return f"must be one of the following values: {', '.join(allowed)}"

    return check


@taking(type="object")
def mapping(value: Any) -> str | None:
    """An object."""
    return None if isinstance(value, dict) else "must be an object"


def nullable(check: Check) -> Check:
    """What ``check`` takes, or null."""
    takes = {"anyOf": [schema_of(check), {"type": "null"}]}
    return Checked(lambda value: None if value is None else check(value), takes)


def problems(
    body: Mapping[str, Any], shape: Mapping[str, Check], required: Iterable[str] = ()
) -> list[str]:
    """All that is wrong with a body, unknown keys first; empty if nothing is."""
    found = [f"property {key} should not exist" for key in body if key not in shape]
    found += [f"{key} should not be empty" for key in required if body.get(key) is None]
    for key, value in body.items():
        if key in shape and not (value is None and key in required):
            message = shape[key](value)
            if message is not None:
                found.append(
                    f"each value in {key} {message.removeprefix('each value ')}"
                    if message.startswith("each value ")
                    else f"{key} {message}"
                )
    return found
