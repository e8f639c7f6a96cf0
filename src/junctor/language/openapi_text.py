"""The text of an OpenAPI document as plain data: JSON, or YAML in the one way OpenAPI allows.

OpenAPI asks for YAML that means what JSON would (specification 3.1, §4.3), so scalars are read by
JSON's rules: ``no`` is a text and not false, a date stays a text, and there are no tags and no
merge keys. The value is made of the parser's events here, because the library's own constructor
knows older rules, and lets a document of a few lines unfold to more than memory holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec
import yaml

from junctor.errors import DataError, TooLarge

__all__ = ["LARGEST", "read_text"]

LARGEST = 16 * 1024 * 1024
"""Bytes of the largest document that is read."""
DEEPEST = 200
"""Levels of nesting; documents of vendors stay below 40."""
MOST = 2_000_000
"""Values that a document may unfold to, those of repeated aliases counted each time."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The parser in C, where the library was built with it."""
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_NUMBER = re.compile(r"[-+]?([0-9]{1,300}\.?[0-9]{0,300}|\.[0-9]{1,300})([eE][-+]?[0-9]{1,3})?")
_WORDS: dict[str, Any] = {"": None, "~": None, "null": None, "true": True, "false": False}


def read_text(content: bytes) -> Any:
    """The data. `TooLarge` above `LARGEST`; `DataError` says where the text is no JSON or YAML."""
    if len(content) > LARGEST:
        raise TooLarge(what="The OpenAPI document", limit=LARGEST)
    text = content.removeprefix(b"\xef\xbb\xbf")
    if text.lstrip()[:1] in {b"{", b"["}:
        try:
            found = msgspec.json.decode(text)
        except (ValueError, RecursionError) as error:
            json_error: Exception = error  # YAML's flow style begins with a brace, too
        else:
            return found
        try:
            return _yaml(text)
        except DataError:
            raise DataError(reason=f"it is not valid JSON ({json_error})") from json_error
    return _yaml(text)


def _yaml(content: bytes) -> Any:
    try:
        return _Builder(yaml.parse(content, Loader=_LOADER)).document()
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark is not None else ""
        what = getattr(error, "problem", None) or type(error).__name__
        raise DataError(reason=f"it is neither JSON nor valid YAML: {what}{where}") from error


class _Builder:
    """Plain data from the events of a YAML parser."""

    def __init__(self, events: Iterator[Any]) -> None:
        self._events = events
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._count = 0

    def document(self) -> Any:
        """The value of the first and only document."""
        value: Any = None
        seen = 0
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                seen += 1
                if seen > 1:
                    raise DataError(reason=f"it holds several YAML documents{_at(event)}")
                value = self._value(next(self._events), 0)
        if not seen:
            raise DataError(reason="it is empty")
        return value

    def _value(self, event: Any, depth: int) -> Any:
        self._add(1, event)
        if depth > DEEPEST:
            raise DataError(reason=f"it is nested more than {DEEPEST} levels deep{_at(event)}")
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise DataError(reason=f"the alias *{event.anchor} has no anchor{_at(event)}")
            value, size = self._anchors[event.anchor]
            self._add(size, event)
            return value
        before = self._count
        if isinstance(event, yaml.ScalarEvent):
            value = _scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = []
            while not isinstance(inner := next(self._events), yaml.SequenceEndEvent):
                value.append(self._value(inner, depth + 1))
        else:
            value = {}
            while not isinstance(inner := next(self._events), yaml.MappingEndEvent):
                if not isinstance(inner, yaml.ScalarEvent):
                    raise DataError(reason=f"a key is no plain text{_at(inner)}")
                if inner.value == "<<" and not inner.style:
                    raise DataError(
                        reason=f"merge keys (<<) are not part of OpenAPI's YAML{_at(inner)}"
                    )
                value[inner.value] = self._value(next(self._events), depth + 1)
        if event.anchor:
            self._anchors[event.anchor] = (value, self._count - before)
        return value

    def _add(self, count: int, event: Any) -> None:
        self._count += count
        if self._count > MOST:
            raise DataError(reason=f"it unfolds to more than {MOST:,} values{_at(event)}")


def _scalar(event: Any) -> Any:
    text: str = event.value
    if event.style or (event.tag or "").endswith(":str"):
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else text


def _at(event: Any) -> str:
    return f" (line {event.start_mark.line + 1})"
