"""Custom variables of an organisation or a team: their names, types and stored form."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, tzinfo
from typing import Any, Final

from junctor.errors import DataError, InputInvalid, Misconfigured
from junctor.language.inputs import read_inputs
from junctor.language.values import plain, show, to_date

__all__ = ["TYPES", "check_name", "stored_value", "to_stored"]

TYPES: Final = ("text", "number", "boolean", "date")

_NAME = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]{0,127}")
_TAKEN: Final = frozenset({"id", "name"})
"""What ``var.organization`` and ``var.team`` say by themselves, here or in Make."""
_LONGEST = 100_000


def check_name(name: str) -> str:
    """The name, if ``var.team.NAME`` can say it; `Misconfigured` if not."""
    if _NAME.fullmatch(name) is None:
        raise Misconfigured(
            f"{show(name)} can't be a variable's name: letters without accents, digits and _, "
            "no digit first, 128 at most.",
            path="name",
        )
    if name in _TAKEN:
        raise Misconfigured(f"'{name}' is taken; choose another name.", path="name")
    return name


def to_stored(type_name: str, value: Any, *, zone: tzinfo = UTC) -> dict[str, Any]:
    """``{"type", "value"}`` as JSON holds it; `Misconfigured` if the value isn't of the type."""
    if type_name not in TYPES:
        raise Misconfigured(
            f"{show(type_name)} is no type of a variable: {', '.join(TYPES)}.", path="type"
        )
    try:
        made = read_inputs([{"name": "value", "type": type_name}], {"value": value}, zone=zone)
    except InputInvalid as error:
        raise Misconfigured(
            f"The value can't be taken: {error.params['reason']}.", path="value"
        ) from error
    shown = plain(made["value"])
    if isinstance(shown, str) and len(shown) > _LONGEST:
        raise Misconfigured(
            f"The value has {len(shown)} characters; {_LONGEST} are allowed. Larger things belong "
            "in a data store.",
            path="value",
        )
    return {"type": type_name, "value": shown}


def stored_value(stored: Mapping[str, Any]) -> Any:
    """What a mapping reads: dates are dates again."""
    value = stored.get("value")
    if stored.get("type") == "date" and isinstance(value, str):
        try:
            return to_date(value)
        except DataError:
            return value
    return value
