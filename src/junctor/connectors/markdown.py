"""Markdown to HTML."""

from __future__ import annotations

import re
from functools import cache
from typing import Annotated

import nh3
from markdown_it import MarkdownIt

from junctor.errors import BundleInvalid
from junctor.language.connector import Bundle, Connector, Field

__all__ = ["markdown"]

markdown = Connector(name="markdown", label="Markdown")

_MOST_TEXT = 200_000
_MOST_MARKS = 20_000
"""Brackets and marks of emphasis; without partners they take time by the square of their number."""
_DEEPEST = 500
"""Elements inside each other that are cleaned: they take time in the same way."""

_MARKS = re.compile(r"[\[\]*_~`]")
_TAGS = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9]*+)")
_VOID = frozenset({"br", "hr", "img", "input", "wbr", "col", "source", "area", "link", "meta"})


@markdown.transform("Markdown to HTML", name="Compile")
def compile_markdown(
    data: Annotated[str, Field(label="Markdown", multiline=True)] = "",
    gfm: Annotated[
        bool,
        Field(
            label="GitHub flavored",
            help="Tables, strikethrough and links without brackets as well.",
        ),
    ] = True,
    sanitize: Annotated[
        bool,
        Field(
            label="Clean",
            help="Leaves out scripts and whatever else could harm a reader of the HTML.",
        ),
    ] = False,
) -> Bundle:
    """Gives the HTML of a Markdown text in `data`.

    HTML inside the text is kept as it is, unless it is cleaned: clean what strangers wrote.
    """
    if len(data) > _MOST_TEXT:
        raise BundleInvalid(
            field="data",
            reason=f"it has {len(data):,} characters, the most is {_MOST_TEXT:,}; split it before",
        )
    marks = sum(1 for _ in _MARKS.finditer(data))
    if marks > _MOST_MARKS:
        raise BundleInvalid(
            field="data",
            reason=f"it has {marks:,} brackets and marks of emphasis, the most is "
            f"{_MOST_MARKS:,}; is it Markdown? If so, split it before",
        )
    html = _reader(gfm=gfm).render(data)
    if sanitize:
        if _depth(html) > _DEEPEST:
            raise BundleInvalid(
                field="data",
                reason=f"its HTML is nested deeper than {_DEEPEST} elements; close its tags",
            )
        html = nh3.clean(html)
    return {"data": html}


@cache
def _reader(*, gfm: bool) -> MarkdownIt:
    reader = MarkdownIt("commonmark", {"linkify": gfm})
    return reader.enable(["table", "strikethrough", "linkify"]) if gfm else reader


def _depth(html: str) -> int:
    depth = deepest = 0
    for closing, name in _TAGS.findall(html):
        if name.lower() not in _VOID:
            depth = max(depth + (-1 if closing else 1), 0)
            deepest = max(deepest, depth)
    return deepest
