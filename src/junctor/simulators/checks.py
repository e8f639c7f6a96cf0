"""Validation of JSON bodies that collects messages in class-validator's manner, as HighLevel does.

A shape is a mapping from a key to its check; a check returns a message without its subject, or
``None`` for a value that fits.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

__all__ = [
    "Check",
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
    "text",
    "texts",
    "whole",
]

Check = Callable[[Any], str | None]

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
_PHONE_DECORATION = re.compile(r"[\s().\-]")
_PHONE = re.compile(r"\+?[1-9]\d{6,14}")


def text(value: Any) -> str | None:
    """A text."""
    return None if isinstance(value, str) else "must be a string"


def filled(value: Any) -> str | None:
    """A text that isn't blank."""
    if not isinstance(value, str):
        return "must be a string"
    return None if value.strip() else "should not be empty"


def boolean(value: Any) -> str | None:
    """True or false."""
    return None if isinstance(value, bool) else "must be a boolean value"


def whole(low: int, high: int) -> Check:
    """A whole number in a range."""

    def check(value: Any) -> str | None:
        if not isinstance(value, int) or isinstance(value, bool):
            return "must be an integer number"
        if value < low:
            return f"must not be less than {low}"
        return f"must not be greater than {high}" if value > high else None

    return check


def email(value: Any) -> str | None:
    """An e-mail address; empty clears it."""
    if value == "":
        return None
    fits = isinstance(value, str) and _EMAIL.fullmatch(value.strip())
    return None if fits else "must be an email"


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


def iso_date(value: Any) -> str | None:
    """An ISO 8601 date and time."""
    try:
        datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return "must be a valid ISO 8601 date string"
    return None


def texts(value: Any) -> str | None:
    """A list of texts."""
    if not isinstance(value, list):
        return "must be an array"
    return None if all(isinstance(item, str) for item in value) else "each value must be a string"


def objects(value: Any) -> str | None:
    """A list of objects."""
    if not isinstance(value, list):
        return "must be an array"
    fits = all(isinstance(item, dict) for item in value)
    return None if fits else "each value must be an object"


def one_of(*allowed: str) -> Check:
    """One of some texts."""

    def check(value: Any) -> str | None:
        if isinstance(value, str) and value in allowed:
            return None
        return f"must be one of the following values: {', '.join(allowed)}"

    return check


def mapping(value: Any) -> str | None:
    """An object."""
    return None if isinstance(value, dict) else "must be an object"


def nullable(check: Check) -> Check:
    """What ``check`` takes, or null."""
    return lambda value: None if value is None else check(value)


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
