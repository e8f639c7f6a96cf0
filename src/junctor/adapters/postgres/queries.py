"""Named queries, read from the ``queries/*.sql`` beside this file.

    -- name: fetch_run
    -- What it is for.
    select …

The name must be a Python name; lines before the first name are the file's own comment.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Final

from junctor.errors import Fault

__all__ = ["load", "numbered", "parse"]

_NAME: Final = re.compile(r"^-- name: *([a-z_][a-z0-9_]*) *$", re.MULTILINE)


@cache
def load(name: str) -> Mapping[str, str]:
    """The queries of ``queries/<name>.sql`` by name, comments left out (the server parses less)."""
    file = files("junctor.adapters.postgres").joinpath("queries", f"{name}.sql")
    return parse(file.read_text(encoding="utf-8"), f"{name}.sql")


@cache
def numbered(files: tuple[str, ...]) -> Mapping[str, tuple[bytes, tuple[str, ...]]]:
    """All queries of these files with ``$1`` for ``%(name)s``, and the names in that order; a name
    stands in one file.
    """
    made = {}
    for name, text in (each for file in files for each in load(file).items()):
        names: list[str] = []

        def number(found: re.Match[str], names: list[str] = names) -> str:
            if found[1] not in names:
                names.append(found[1])
            return f"${names.index(found[1]) + 1}"

        query = re.sub(r"%\((\w+)\)s", number, text).replace("%%", "%")
        made[name] = (query.encode(), tuple(names))
    return MappingProxyType(made)


def parse(text: str, source: str) -> Mapping[str, str]:
    """The queries of a file's text. `Fault` on a name given twice or a query that is empty."""
    pieces = _NAME.split(text)
    out: dict[str, str] = {}
    for name, body in zip(pieces[1::2], pieces[2::2], strict=True):
        lines = (line for line in body.splitlines() if not line.lstrip().startswith("--"))
        query = "\n".join(lines).strip().removesuffix(";")
        if name in out or not query:
            fault = "is defined twice" if name in out else "is empty"
            raise Fault(reason=f"{source}: the query {name} {fault}")
        out[name] = query
    return MappingProxyType(out)
