"""Whether an operation lists, and how to ask it for more: only where its document says so.

A wrong guess loses rows silently, so paging is taken up only if the page's size, the place to begin
and (for cursors) the key of the next page are all declared. Otherwise the fields stay fields.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from typing import Any, get_args, get_type_hints

from junctor.errors import DataError
from junctor.language.connector import Paging
from junctor.language.openapi_schemas import as_mapping

__all__ = ["listing_of", "paging_of"]

_SIZES = ("limit", "per_page", "perPage", "page_size", "pageSize", "PageSize")
_OFFSETS = ("offset", "skip")
_PAGES = ("page", "page_number", "pageNumber", "Page")
_CURSORS = {
    "cursor": ("next_cursor", "nextCursor"),
    "page_token": ("next_page_token",),
    "pageToken": ("nextPageToken",),
    "next_token": ("next_token",),
    "nextToken": ("nextToken",),
}
"""A parameter, and the keys of an answer that hold its next value."""
_WITHIN = ("", "meta", "pagination", "paging", "links")
_LISTS = ("data", "items", "results", "records", "values", "entries", "list", "rows")
_STYLES = get_args(get_type_hints(Paging)["style"])


def paging_of(
    operation: Mapping[str, Any],
    params: Iterable[Mapping[str, Any]],
    answer: Mapping[str, Any],
    where: str,
) -> dict[str, Any] | None:
    """The arguments of `Paging`, or ``None``. `DataError` on an extension that is none."""
    if "x-junctor-paging" in operation:
        return _said(operation["x-junctor-paging"], f"{where}.x-junctor-paging")
    query = {row["name"]: row["schema"] for row in params if row["in"] == "query"}
    size_name = next((name for name in _SIZES if name in query), None)
    if size_name is None:
        return None
    size = _size(query[size_name])
    for param in _OFFSETS:
        if param in query and size:
            return {"style": "offset", "size": size, "limit_param": size_name, "param": param}
    for param in _PAGES:
        if param in query and size:
            start = query[param].get("default")
            return {
                "style": "page",
                "size": size,
                "limit_param": size_name,
                "param": param,
                "first": start if type(start) is int and start in {0, 1} else 1,
            }
    for param, keys in _CURSORS.items():
        key = _next_key(answer, keys) if param in query else None
        if key:
            found = {"style": "cursor", "limit_param": size_name, "param": param, "next_key": key}
            return {**found, "size": size or 50}
    return None


def _size(schema: Mapping[str, Any]) -> int | None:
    """How many rows a page has at most, if that is declared."""
    for word in ("maximum", "default"):
        value = schema.get(word)
        if type(value) is int and 0 < value <= 10_000:
            return min(value, 1000)
    return None


def _next_key(answer: Mapping[str, Any], keys: Iterable[str]) -> str | None:
    for outer in _WITHIN:
        inside = answer
        if outer:
            inside = as_mapping(as_mapping(answer.get("properties")).get(outer))
        for key in keys:
            if key in as_mapping(inside.get("properties")):
                return f"{outer}.{key}" if outer else key
    return None


def _said(given: Any, where: str) -> dict[str, Any]:
    known = {item.name for item in dataclasses.fields(Paging)}
    numbers = {"size", "first"}
    if not isinstance(given, dict) or given.get("style") not in _STYLES:
        raise DataError(reason=f"{where}: an object with a style is expected: {', '.join(_STYLES)}")
    for key, value in given.items():
        if key not in known or type(value) is not (int if key in numbers else str):
            raise DataError(reason=f"{where}.{str(key)[:40]}: no such setting, or of another type")
    if not 0 < given.get("size", 1) <= 10_000 or given.get("first", 0) < 0:
        raise DataError(reason=f"{where}.size: from 1 to 10000; first: 0 or more")
    return dict(given)


def listing_of(
    operation: Mapping[str, Any], address: str, answer: Mapping[str, Any], *, paged: bool
) -> str | None:
    """Where in the answer its list is (empty: it is one), or ``None`` if it lists nothing."""
    said = operation.get("x-junctor-items")
    if isinstance(said, str):
        return said
    if answer.get("type") == "array":
        return ""
    lists = [
        name
        for name, each in as_mapping(answer.get("properties")).items()
        if as_mapping(each).get("type") in ("array", ["array", "null"])
    ]
    last = re.sub(r"\.json$", "", address.rstrip("/").rpartition("/")[2])
    likely = [name for name in lists if name in _LISTS or name.lower() == last.lower()]
    if len(likely) == 1:
        return likely[0]
    return lists[0] if paged and len(lists) == 1 else None
