"""What people type: JSON in an argument, a file or standard input; ``key=value`` pairs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from junctor.errors import Misconfigured

__all__ = ["Usage", "pairs", "read_bytes", "read_json", "typed"]

T = TypeVar("T")


class Usage(Misconfigured):
    """The command was not called as it is meant to be: {reason}"""


def typed(read: Callable[[], T]) -> T:
    """What is read of an option's value; what is wrong with it is wrong usage."""
    try:
        return read()
    except Misconfigured as error:
        raise Usage(error.message, **error.params) from error


def read_bytes(path: str) -> bytes:
    """A file's content; ``-`` is standard input."""
    try:
        return sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as error:
        raise Misconfigured(
            f"{path} can't be read: {error.strerror or error}.", path=path
        ) from error


def read_json(text: str, *, files: bool = False) -> Any:
    """JSON as typed; ``@file`` or ``-`` read it from a file or standard input. ``files``: so does
    a file's bare name, which is whatever does not begin as an object or list does.
    """
    import msgspec

    if files and not text.startswith("@") and text.lstrip()[:1] not in {"{", "["}:
        text = text if text == "-" else f"@{text}"

    content, what = text.encode(errors="replace"), f"'{text[:40]}'"
    if text == "-" or text.startswith("@"):
        path = text.removeprefix("@")
        content, what = read_bytes(path), "Standard input" if path == "-" else path
    try:
        return msgspec.json.decode(content)
    except (ValueError, RecursionError) as error:
        raise Usage(f"{what} is no JSON: {error}.") from error


def pairs(given: Sequence[str]) -> dict[str, str]:
    """``["a=1", …]`` as a mapping; the value may hold more ``=``."""
    out = {}
    for each in given:
        key, sign, value = each.partition("=")
        if not sign or not key:
            raise Usage(f"Write '{key or each}' as key=value.")
        out[key.strip()] = value
    return out
