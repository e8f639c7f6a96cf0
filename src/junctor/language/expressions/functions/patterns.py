"""Users' regular expressions, written as in JavaScript and bounded in time.

A pattern that backtracks without end would hold a worker; the `regex` library gives up after a
given time, which Python's own can't.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import regex

from junctor.errors import DataError
from junctor.language.expressions.functions.registry import check_length

__all__ = ["compile_pattern", "parse_literal", "search", "substitute"]

TIMEOUT = 0.4
"""Seconds for one use of a pattern."""
MAX_PATTERN = 5_000
"""Characters of a pattern."""

_LITERAL = re.compile(r"/(.+)/([a-zA-Z]*)", re.DOTALL)
_FLAGS = {"i": regex.IGNORECASE, "m": regex.MULTILINE, "s": regex.DOTALL}
_REPEAT = re.compile(r"\{\s*(\d*)\s*,?\s*(\d*)\s*\}", re.ASCII)


def parse_literal(text: str) -> tuple[str, str] | None:
    """Pattern and flags of ``/pattern/flags``; ``None`` for plain text."""
    match = _LITERAL.fullmatch(text)
    if match is None or set(match[2]) - set("dgimsuvy"):
        return None
    return match[1], match[2]


@lru_cache(maxsize=512)
def compile_pattern(pattern: str, flags: str = "") -> Any:
    """The compiled pattern; `DataError` if it is wrong or too large."""
    if len(pattern) > MAX_PATTERN:
        raise DataError(reason=f"a pattern may have {MAX_PATTERN} characters")
    for repeat in _REPEAT.finditer(pattern):
        if max(len(repeat[1]), len(repeat[2])) > 4:
            raise DataError(reason=f"the pattern repeats too often: {repeat[0]}")
    options = regex.VERSION0
    for flag in flags:
        options |= _FLAGS.get(flag, 0)
    # JavaScript writes named groups (?<name>…); regex understands that and (?P<name>…).
    try:
        return regex.compile(pattern, options)
    except (regex.error, RecursionError, OverflowError, ValueError) as error:
        raise DataError(reason=f"/{pattern[:60]}/ is no regular expression ({error})") from error


def search(pattern: str, flags: str, text: str) -> bool:
    """Whether the pattern matches anywhere; `DataError` if that takes too long."""
    try:
        return compile_pattern(pattern, flags).search(text, timeout=TIMEOUT) is not None
    except (TimeoutError, MemoryError, RecursionError) as error:
        raise _too_slow(pattern) from error


_REFERENCE = re.compile(r"\$(?:(\$)|(&)|(\d{1,2})|<(\w+)>)", re.ASCII)


def substitute(pattern: str, flags: str, replacement: str, text: str) -> str:
    """Replaces matches (all with the flag ``g``, else the first); ``$1`` and ``$&`` refer to it."""
    compiled = compile_pattern(pattern, flags)
    length = 0

    def expand(match: Any) -> str:
        nonlocal length

        def refer(reference: re.Match[str]) -> str:
            if reference[1]:
                return "$"
            if reference[2]:
                return str(match[0])
            key: Any = int(reference[3]) if reference[3] else reference[4]
            if isinstance(key, int) and not 1 <= key <= compiled.groups:
                return reference[0]
            if isinstance(key, str) and key not in compiled.groupindex:
                return reference[0]
            return str(match[key] or "")

        new = _REFERENCE.sub(refer, replacement) if "$" in replacement else replacement
        length += len(new)
        check_length(length)
        return new

    count = 0 if "g" in flags else 1
    try:
        return str(compiled.sub(expand, text, count=count, timeout=TIMEOUT))
    except (TimeoutError, MemoryError, RecursionError) as error:
        raise _too_slow(pattern) from error


def _too_slow(pattern: str) -> DataError:
    return DataError(
        reason=f"the pattern /{pattern[:60]}/ took longer than {TIMEOUT} s; make it simpler"
    )
