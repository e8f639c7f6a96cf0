"""The fields of a data store or data structure, as far as a blueprint shows them.

Exports name a structure by a number that means nothing here. But the modules that use it carry its
fields: in the form of what they write (``metadata.expect``), or in what they give
(``metadata.interface``).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from junctor.language.blueprint_place import module_at
from junctor.language.lossless import plain

__all__ = ["fields_of"]

_WRITTEN = ("data", "record", "value")
"""Fields of a data store's forms that hold a whole record."""


def fields_of(document: Any, paths: Iterable[str], kind: str) -> list[dict[str, Any]]:
    """The fields that the modules at these `Module.path`s show, those of the fullest first.

    ``kind`` is ``store`` or ``structure``. Empty if none shows any.
    """
    shown = [_shown(module_at(document, path), kind) for path in paths]
    out: dict[str, dict[str, Any]] = {}
    for fields in sorted(shown, key=len, reverse=True):
        for field in fields:
            out.setdefault(str(field["name"]), field)
    return list(out.values())


def _shown(raw: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    metadata = raw.get("metadata")
    if not isinstance(metadata, dict):
        return []
    written, given = _fields(metadata.get("expect")), _fields(metadata.get("interface"))
    if kind == "structure":
        name = raw.get("module")
        parses = isinstance(name, str) and "parse" in name.casefold()
        return given if parses or not written else written
    for fields in (written, given):
        for field in fields:
            if field["name"] in _WRITTEN and (inner := _fields(field.get("spec"))):
                return inner
    # A record as it is read: its fields stand by themselves beside key and count.
    return [field for field in given if field["name"] not in {"key", *_WRITTEN}]


def _fields(form: Any) -> list[dict[str, Any]]:
    """The fields of a form that have a name, as plain data; not those of Make's own."""
    return [
        plain(each)
        for each in (form if isinstance(form, list) else ())
        if isinstance(each, dict)
        and isinstance(each.get("name"), str)
        and each["name"]
        and not each["name"].startswith("__")
    ]
