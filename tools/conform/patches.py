"""Known errors of the vendors' documents, each with its reason; nothing else is forgiven."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from tools.conform.merging import Document, operations

__all__ = ["PATCHES", "patched"]

Change = Callable[[Document], int]
"""Mends a document in place; how many places it has mended."""


def _swml(document: Document) -> int:
    """SWML is a language whose steps hold steps: Prism unfolds references, and so without end."""
    schemas = document["components"].get("schemas", {})
    found = [name for name in schemas if name.endswith((".SWMLMethod", ".SWMLAction"))]
    for name in found:
        schemas[name] = {}
    return len(found)


PATCHES: dict[str, dict[str, Change]] = {
    "signalwire": {
        "steps of SWML scripts, which hold scripts, are read as anything": _swml,
    },
}


def patched(vendor: str, document: Document) -> tuple[Document, list[str]]:
    """The document without its known errors, and what was mended, with counts."""
    mended = copy.deepcopy(document)
    said = []
    for name, change in PATCHES.get(vendor, {}).items():
        count = change(mended)
        if count:
            said.append(f"{name}: {count}")
    return mended, said
