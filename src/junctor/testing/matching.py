"""Compares what happened with what was expected of it, and says where they differ.

An expectation names only what matters: an object may have more keys than are expected of it. A list
has exactly the items that are expected. One-key objects ask for more, or for less:

    {"$any": true}           whatever it is, but there
    {"$absent": true}        not there, or null
    {"$like": "POST *"}      a text of this pattern (``*`` any characters, ``?`` one)
    {"$match": "^[0-9]+$"}   a text in which this regular expression is found
    {"$exact": value}        just this, no further keys anywhere
    {"$contains": [items]}   a list with these items among others, in this order; or a text with it
    {"$count": 3}            a list of so many items
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from typing import Any

from junctor.errors import DataError
from junctor.language.expressions.functions.patterns import search
from junctor.language.lossless import path_text
from junctor.language.values import iso, plain

__all__ = ["Difference", "as_data", "differences", "glob"]

Steps = tuple[str | int, ...]
LONGEST = 200
"""Characters of a value that a difference shows."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where it is not as expected. ``path`` is a JSON path below what was compared."""

    path: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.path}: expected {self.expected}, found {self.found}"


def as_data(value: Any) -> Any:
    """A bundle's value as a test file can hold it: dates as text, bytes as text or base64."""
    if isinstance(value, dict):
        return {str(key): as_data(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_data(item) for item in value]
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return plain(value)
    return plain(value)


def differences(expected: Any, found: Any, name: str = "$") -> list[Difference]:
    """Where ``found`` is not as expected; ``name`` begins the paths. Both are plain JSON values."""
    return list(_compare(expected, found, (), name))


def glob(pattern: str, text: str) -> bool:
    """Whether a text is of a pattern with ``*`` and ``?``; everything else stands for itself."""
    parts = (".*" if c == "*" else "." if c == "?" else re.escape(c) for c in pattern)
    return re.fullmatch("".join(parts), text, re.DOTALL) is not None


def _compare(expected: Any, found: Any, at: Steps, name: str) -> Iterator[Difference]:
    asks = _question(expected)
    if asks is not None:
        yield from _QUESTIONS[asks](expected[asks], found, at, name)
    elif isinstance(expected, Mapping):
        yield from _object(expected, found, at, name)
    elif isinstance(expected, list):
        yield from _list(expected, found, at, name)
    elif not _same(expected, found):
        yield _differ(at, name, _show(expected), found)


def _object(expected: Mapping[str, Any], found: Any, at: Steps, name: str) -> Iterator[Difference]:
    if not isinstance(found, Mapping):
        yield _differ(at, name, "an object", found)
        return
    for key, value in expected.items():
        if key in found:
            yield from _compare(value, found[key], (*at, key), name)
        elif _question(value) != "$absent":
            near = get_close_matches(str(key), [str(each) for each in found], n=1)
            hint = f"; there is {near[0]!r}" if near else f"; there is {_keys(found)}"
            yield _differ((*at, key), name, _asked(value), found, said=f"nothing{hint}")


def _list(expected: list[Any], found: Any, at: Steps, name: str) -> Iterator[Difference]:
    if not isinstance(found, list):
        yield _differ(at, name, f"a list of {len(expected)}", found)
        return
    for index, value in enumerate(expected[: len(found)]):
        yield from _compare(value, found[index], (*at, index), name)
    for index, value in enumerate(expected[len(found) :], start=len(found)):
        yield _differ((*at, index), name, _asked(value), None, said="nothing: the list ended")
    for index, value in enumerate(found[len(expected) :], start=len(expected)):
        yield _differ((*at, index), name, "nothing: the list ends", value)


def _any(_value: Any, found: Any, at: Steps, name: str) -> Iterator[Difference]:
    if found is None:
        yield _differ(at, name, "anything", found)


def _absent(_value: Any, found: Any, at: Steps, name: str) -> Iterator[Difference]:
    if found is not None:
        yield _differ(at, name, "nothing", found)


def _like(value: Any, found: Any, at: Steps, name: str) -> Iterator[Difference]:
    if not isinstance(found, str) or not glob(str(value), found):
        yield _differ(at, name, f"a text like {value!r}", found)


def _match(value: Any, found: Any, at: Steps, name: str) -> Iterator[Difference]:
    if not isinstance(found, str) or not _found(str(value), found):
        yield _differ(at, name, f"a text that matches /{value}/", found)


def _found(pattern: str, text: str) -> bool:
    try:
        return search(pattern, "", text)
    except DataError:
        return False  # a pattern that can't be read is found nowhere, and shown as it is


def _exact(value: Any, found: Any, at: Steps, name: str) -> Iterator[Difference]:
    if isinstance(value, Mapping) and isinstance(found, Mapping):
        for key in found:
            if key not in value:
                yield _differ((*at, str(key)), name, "nothing", found[key])
        for key, inside in value.items():
            if key in found:
                yield from _exact(inside, found[key], (*at, key), name)
            else:
                yield _differ((*at, key), name, _asked(inside), None, said="nothing")
    elif isinstance(value, list) and isinstance(found, list) and len(value) == len(found):
        for index, inside in enumerate(value):
            yield from _exact(inside, found[index], (*at, index), name)
    elif not _same(value, found):
        yield _differ(at, name, f"exactly {_show(value)}", found)


def _contains(value: Any, found: Any, at: Steps, name: str) -> Iterator[Difference]:
    if isinstance(found, str):
        if str(value) not in found:
            yield _differ(at, name, f"a text with {value!r} in it", found)
        return
    if not isinstance(found, list):
        yield _differ(at, name, "a list", found)
        return
    rest = iter(found)
    for each in value if isinstance(value, list) else [value]:
        if not any(not differences(each, item) for item in rest):
            yield _differ(at, name, f"an item like {_show(each)} (in this order)", found)
            return


def _count(value: Any, found: Any, at: Steps, name: str) -> Iterator[Difference]:
    number = len(found) if isinstance(found, list | dict | str) else None
    if number != value:
        yield _differ(at, name, f"{value} items", found, said=f"{number}: {_show(found)}")


_QUESTIONS: Mapping[str, Callable[[Any, Any, Steps, str], Iterator[Difference]]] = {
    "$any": _any,
    "$absent": _absent,
    "$like": _like,
    "$match": _match,
    "$exact": _exact,
    "$contains": _contains,
    "$count": _count,
}


def _question(expected: Any) -> str | None:
    if isinstance(expected, Mapping) and len(expected) == 1:
        key = next(iter(expected))
        return key if key in _QUESTIONS else None
    return None


def _same(expected: Any, found: Any) -> bool:
    """Equal as JSON values: 1 is 1.0, and true is not 1."""
    if isinstance(expected, bool) or isinstance(found, bool):
        return expected is found
    return bool(expected == found)


def _asked(expected: Any) -> str:
    return _show(expected)


def _keys(found: Mapping[str, Any]) -> str:
    names = [repr(str(key)) for key in found]
    return ", ".join(names[:8]) + (" …" if len(names) > 8 else "") if names else "no key"


def _differ(
    at: Steps, name: str, expected: str, found: Any, *, said: str | None = None
) -> Difference:
    return Difference(path_text(at, name), expected, _show(found) if said is None else said)


def _show(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
