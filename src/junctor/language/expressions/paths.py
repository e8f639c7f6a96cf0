"""Walking into values: `1.users[].name`, and the dotted paths that `get` and `map` take."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from junctor.language.values import as_number, to_text

__all__ = ["as_step", "collect", "dig", "parse_dotted", "step_into", "walk"]

Steps = tuple[str | int | None, ...]
"""Names, 1-based indexes (negative: from the end), ``None`` for every item."""


def step_into(value: Any, step: str | int) -> Any:
    """One step down; what isn't there is null."""
    if isinstance(step, str):
        return value.get(step) if isinstance(value, dict) else None
    if isinstance(value, dict):
        return value.get(str(step))
    if not isinstance(value, list) or not step:
        return None
    index = step - 1 if step > 0 else step
    return value[index] if -len(value) <= index < len(value) else None


def walk(value: Any, steps: Steps) -> Any:
    """What is at the end of the path; ``[]`` takes the first item, and null ends it early."""
    for step in steps:
        if value is None:
            return None
        if step is None:
            if isinstance(value, list):
                value = value[0] if value else None
        else:
            value = step_into(value, step)
    return value


def collect(value: Any, steps: Steps) -> list[Any]:
    """Everything at the end of a path with ``[]``: one flat list, nulls where an item has none.

    A single value where ``[]`` expects an array counts as its only item.
    """
    found = [value]
    for step in steps:
        if step is None:
            spread: list[Any] = []
            for each in found:
                if isinstance(each, list):
                    spread.extend(each)
                elif each is not None:
                    spread.append(each)
            found = spread
        else:
            found = [step_into(each, step) for each in found]
    return found


def as_step(value: Any) -> str | int:
    """A computed step: a number is an index, and so is a numeric text; other text is a name."""
    number = as_number(value)
    if number is not None and abs(number) < 2**53:
        return int(number)
    return to_text(value)


@lru_cache(maxsize=4096)
def parse_dotted(path: str) -> Steps:
    """``users[2].name``, ``users.2.name`` or a name in backticks, as steps."""
    steps: list[str | int | None] = []
    rest = path
    while rest:
        if rest.startswith("`") and (end := rest.find("`", 1)) > 0:
            steps.append(rest[1:end])
            rest = rest[end + 1 :]
        elif rest.startswith("[") and (end := rest.find("]")) > 0 and _is_index(rest[1:end]):
            steps.append(int(rest[1:end]) if end > 1 else None)
            rest = rest[end + 1 :]
        else:
            cut = min((at for mark in ".[" if (at := rest.find(mark, 1)) > 0), default=len(rest))
            steps.append(rest[:cut])
            rest = rest[cut:]
        rest = rest.removeprefix(".")
    return tuple(steps)


def _is_index(text: str) -> bool:
    digits = text.removeprefix("-")
    return text == "" or (len(digits) < 10 and digits.isascii() and digits.isdigit())


def dig(value: Any, path: Any) -> Any:
    """What `get` finds: a key as it stands, else a dotted path; numbers count from 1 in arrays."""
    if isinstance(path, str):
        if isinstance(value, dict) and path in value:
            return value[path]
        for step in parse_dotted(path):
            if step is None:
                value = value[0] if isinstance(value, list) and value else value
            elif isinstance(value, list) and isinstance(step, str):
                value = step_into(value, int(step)) if step and _is_index(step) else None
            else:
                value = step_into(value, step)
            if value is None:
                return None
        return value
    if isinstance(path, float) and path.is_integer():
        path = int(path)
    if isinstance(path, int) and not isinstance(path, bool):
        if isinstance(value, list):
            return step_into(value, path)
        return value.get(str(path)) if isinstance(value, dict) else None
    return None
