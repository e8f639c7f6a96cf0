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

TIMEOUT = 0.25
"""Seconds for one use of a pattern."""
MAX_PATTERN = 5_000
"""Characters of a pattern."""
MAX_SPELLED = 50_000
"""Characters and classes of a pattern whose repetitions are spelled out, as compiling it does."""

_LITERAL = re.compile(r"/(.+)/([a-zA-Z]*)", re.DOTALL)
_FLAGS = {"i": regex.IGNORECASE, "m": regex.MULTILINE, "s": regex.DOTALL}
_REPEAT = re.compile(r"\{\s*(\d*)\s*,?\s*(\d*)\s*\}", re.ASCII)
_CODE = r"\\u\{[0-9a-fA-F]{1,6}\}"
_TOKEN = re.compile(rf"{_CODE}|\\.|{_REPEAT.pattern}|.", re.ASCII | re.DOTALL)


def parse_literal(text: str) -> tuple[str, str] | None:
    """Pattern and flags of ``/pattern/flags``; ``None`` for plain text."""
    match = _LITERAL.fullmatch(text)
    if match is None or set(match[2]) - set("dgimsuvy"):
        return None
    return match[1], match[2]


_WORD = "A-Za-z0-9_"
_BLANK = r"\s\u00a0\ufeff"
_PIECE = re.compile(r"\\u\{([0-9a-fA-F]{1,6})\}|\\k<|\\.|\[\^\]|\[\]|.", re.DOTALL)
_OUTSIDE = {
    r"\d": "[0-9]",
    r"\D": "[^0-9]",
    r"\w": f"[{_WORD}]",
    r"\W": f"[^{_WORD}]",
    r"\s": f"[{_BLANK}]",
    r"\S": f"[^{_BLANK}]",
    r"\b": f"(?:(?<=[{_WORD}])(?![{_WORD}])|(?<![{_WORD}])(?=[{_WORD}]))",
    r"\B": f"(?:(?<=[{_WORD}])(?=[{_WORD}])|(?<![{_WORD}])(?![{_WORD}]))",
    r"\k<": r"\g<",
    "[^]": r"[\s\S]",
    "[]": "(?!)",
}
_INSIDE = {r"\d": "0-9", r"\w": _WORD, r"\s": _BLANK, "[": r"\["}


def _from_javascript(pattern: str, *, multiline: bool) -> str:
    """The pattern as `regex` reads it, where it differs: ASCII classes, ``$``, some escapes."""
    out: list[str] = []
    inside = False
    for match in _PIECE.finditer(pattern):
        piece = match[0]
        if match[1] is not None:
            code = int(match[1], 16)
            piece = f"\\U{code:08x}" if code <= 0x10FFFF else piece
        elif inside:
            inside = piece != "]"
            piece = _INSIDE.get(piece, piece)
        elif piece == "[":
            inside = True
        elif piece == "$" and not multiline:
            piece = r"\Z"
        else:
            piece = _OUTSIDE.get(piece, piece)
        if len(piece) == 2 and piece[0] == "\\" and piece[1] in "ACEFGHIJKLMNOQRTUXYZaeghijlmoqyz":
            piece = piece if piece == r"\Z" and match[0] == "$" else piece[1]  # no escape there
        out.append(piece)
    return "".join(out)


@lru_cache(maxsize=512)
def compile_pattern(pattern: str, flags: str = "") -> Any:
    """The compiled pattern; `DataError` if it is wrong or too large."""
    if len(pattern) > MAX_PATTERN:
        raise DataError(reason=f"a pattern may have {MAX_PATTERN} characters")
    for repeat in _TOKEN.finditer(pattern):
        if repeat[1] is not None and max(len(repeat[1]), len(repeat[2])) > 4:
            raise DataError(reason=f"the pattern repeats too often: {repeat[0]}")
    if _spelled(pattern) > MAX_SPELLED:
        raise DataError(reason=f"the repetitions of /{pattern[:60]}/ multiply to too much")
    options = regex.VERSION0
    for flag in flags:
        options |= _FLAGS.get(flag, 0)
    try:
        return regex.compile(_from_javascript(pattern, multiline="m" in flags), options)
    except (regex.error, RecursionError, OverflowError, ValueError) as error:
        raise DataError(reason=f"/{pattern[:60]}/ is no regular expression ({error})") from error


def _spelled(pattern: str) -> int:
    """How long the pattern is with what it repeats at least so often spelled out: what compiling
    it takes, roughly, which repetitions within repetitions make endless.
    """
    groups = [0]
    last = 0  # the length of what stands before, to be repeated
    inside = False
    for token in _TOKEN.finditer(pattern):
        if inside:
            inside = token[0] != "]"
            continue
        if token[1] is not None and len(token[0]) > 1:
            more = last * (max(int(token[1] or 0), 1) - 1)
            last += more
        elif token[0] == "(":
            groups.append(0)
            continue
        elif token[0] == ")" and len(groups) > 1:
            more, last = 0, groups.pop()
            groups[-1] += last
        else:
            inside = token[0] == "["
            more = last = 1
        groups[-1] += more
    return sum(groups)


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
