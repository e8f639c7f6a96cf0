"""The structure of a bundle, learned from one: fields as forms and data structures write them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

__all__ = ["learned"]

DEEPEST = 20
MOST_FIELDS = 500
"""Fields at one level; a body with more is not a form but data."""


def learned(bundle: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The bundle's fields: ``{"name", "type", "label"}``, with ``spec`` for what is inside.

    Types are ``text``, ``number``, ``boolean``, ``date``, ``buffer``, ``collection``, ``array``,
    and ``any`` where nothing can be told. An array of collections has the fields of all its items.
    """
    return _fields(bundle, 0)


def _fields(bundle: Mapping[str, Any], depth: int) -> list[dict[str, Any]]:
    if depth >= DEEPEST:
        return []
    names = list(bundle)[:MOST_FIELDS]
    return [{"name": name, "label": name, **_type(bundle[name], depth)} for name in names]


def _type(value: Any, depth: int) -> dict[str, Any]:
    match value:
        case bool():
            return {"type": "boolean"}
        case int() | float():
            return {"type": "number"}
        case str():
            return {"type": "text"}
        case bytes():
            return {"type": "buffer"}
        case datetime():
            return {"type": "date"}
        case dict():
            return {"type": "collection", "spec": _fields(value, depth + 1)}
        case list():
            return {"type": "array", **_items(value, depth)}
        case _:
            return {"type": "any"}


def _items(values: list[Any], depth: int) -> dict[str, Any]:
    if not values:
        return {}
    if all(isinstance(value, dict) for value in values):
        whole: dict[str, Any] = {}
        for value in values[:MOST_FIELDS]:
            for name, inner in value.items():
                if whole.get(name) is None:
                    whole[name] = inner
        return {"spec": _fields(whole, depth + 1)}
    kinds = [_type(value, depth + 1) for value in values[:MOST_FIELDS]]
    same = all(kind == kinds[0] for kind in kinds)
    return {"spec": kinds[0] if same else {"type": "any"}}
