"""Known errors of the vendors' documents, each with its reason; nothing else is forgiven."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from tools.conform.merging import Document, operations

__all__ = ["PATCHES", "patched"]

Change = Callable[[Document], int]
"""Mends a document in place; how many places it has mended."""


PATCHES: dict[str, dict[str, Change]] = {}


def patched(vendor: str, document: Document) -> tuple[Document, list[str]]:
    """The document without its known errors, and what was mended, with counts."""
    mended = copy.deepcopy(document)
    said = []
    for name, change in PATCHES.get(vendor, {}).items():
        count = change(mended)
        if count:
            said.append(f"{name}: {count}")
    return mended, said
