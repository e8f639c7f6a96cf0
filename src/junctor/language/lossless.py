"""JSON that comes out as it went in: numbers keep their spelling, keys their order.

``1.0`` stays ``1.0``, ``1e5`` stays ``1e5``, ``-0`` stays ``-0`` and integers of any size stay
exact, while all of them behave as `int` or `float`. What a plain reader hides is reported: keys
written twice, a byte order mark, text that was decoded wrongly. Broken, cut off, huge or endlessly
nested input raises `BlueprintInvalid` with line, column and what to do; never anything else.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from json.encoder import encode_basestring
from typing import Any, NoReturn, Self

from junctor.errors import BlueprintInvalid
from junctor.language.scenario import Problem

__all__ = [
    "MAX_BYTES",
    "MAX_DEPTH",
    "Document",
    "FloatNumber",
    "IntNumber",
    "Steps",
    "difference",
    "dumps",
    "loads",
    "path_text",
    "plain",
    "spelling",
]

MAX_BYTES = 50_000_000
"""The longest text accepted; the largest exports seen have less than 1 MB."""

MAX_DEPTH = 256
"""The deepest nesting accepted: about 60 routers one inside the other."""

_MAX_INT_DIGITS = 4000
"""Longer integers take Python quadratic time; they are kept as text with a float's value."""

Steps = tuple[str | int, ...]
"""A place in a document: keys and indexes from the top."""


class IntNumber(int):
    """An integer with a spelling of its own: ``-0``."""

    text: str

    def __new__(cls, value: int = 0, text: str | None = None) -> Self:
        """``text`` is its spelling; without it, the usual one."""
        self = super().__new__(cls, value)
        self.text = str(value) if text is None else text
        return self


class FloatNumber(float):
    """A number with a spelling of its own: ``1e5``, ``1.10``; or one too large for a float."""

    text: str

    def __new__(cls, value: float = 0.0, text: str | None = None) -> Self:
        """``text`` is its spelling; without it, the usual one."""
        self = super().__new__(cls, value)
        self.text = repr(float(value)) if text is None else text
        return self


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON value (dicts, lists, texts, numbers, booleans, None) and what is odd about it."""

    value: Any
    problems: list[Problem] = field(default_factory=list)


def loads(data: bytes | str) -> Document:
    """Reads JSON. `BlueprintInvalid` (``line``, ``column`` from 1) if it can't be read."""
    problems: list[Problem] = []
    if len(data) > MAX_BYTES:
        _refuse(
            f"it has {len(data):,} bytes, more than the {MAX_BYTES:,} allowed. "
            "Check that this is the blueprint file and not an archive or a log."
        )
    text = _decode(data, problems) if isinstance(data, bytes) else data
    if text.startswith("\ufeff"):
        problems.append(
            Problem("$", "info", "The file starts with a byte order mark (BOM); it is left out.")
        )
        text = text[1:]
    if not text.strip():
        _refuse("the file is empty. Export the blueprint again and save the whole text.")
    repeated: dict[int, tuple[dict[str, Any], list[str]]] = {}
    infinite: list[FloatNumber] = []
    value = _parse(text, repeated, infinite)
    _measure_depth(value)
    problems += _repeated_keys(value, repeated)
    problems += _odd_texts(value, text)
    if infinite:
        problems += _huge_numbers(value)
    return Document(value, problems)


def dumps(value: Any, indent: int | None = None) -> str:
    """Writes JSON with every number as it was spelled; compact, or indented by ``indent``."""
    out: list[str] = []
    try:
        _write(value, out.append, indent, "\n")
    except RecursionError:
        _refuse(f"it is nested deeper than {MAX_DEPTH} levels, or contains itself.")
    return "".join(out)


def spelling(number: float) -> str:
    """How a number is written in JSON. ValueError for what JSON can't write (NaN, infinities)."""
    if isinstance(number, IntNumber | FloatNumber):
        return number.text
    if isinstance(number, float):
        if not math.isfinite(number):
            raise ValueError(f"JSON has no way to write {number!r}")
        return float.__repr__(number)
    return int.__repr__(number)


def plain(value: Any) -> Any:
    """The same value for computing: ordinary numbers, text that every encoder accepts.

    Shares everything that needs no change with ``value``.
    """
    if isinstance(value, str):
        return value if value.isascii() else _SURROGATES.sub("\ufffd", value)
    if isinstance(value, IntNumber):
        return int(value)
    if isinstance(value, FloatNumber):
        return float(value)
    if isinstance(value, dict):
        fresh = {plain(key): plain(item) for key, item in value.items()}
        same = all(a is b for a, b in zip(fresh.values(), value.values(), strict=False))
        return value if same and fresh.keys() == value.keys() else fresh
    if isinstance(value, list):
        items = [plain(item) for item in value]
        return value if all(a is b for a, b in zip(items, value, strict=True)) else items
    return value


def difference(left: Any, right: Any) -> Steps | None:
    """Where two JSON values first differ, number spelling included; None if they are equal."""
    stack: list[tuple[Any, Any, Steps]] = [(left, right, ())]
    while stack:
        a, b, steps = stack.pop()
        if isinstance(a, dict) and isinstance(b, dict):
            if a.keys() != b.keys():
                return (*steps, next(iter(a.keys() ^ b.keys())))
            stack += [(item, b[key], (*steps, key)) for key, item in a.items()]
        elif isinstance(a, list) and isinstance(b, list):
            if len(a) != len(b):
                return (*steps, min(len(a), len(b)))
            stack += [(x, y, (*steps, i)) for i, (x, y) in enumerate(zip(a, b, strict=True))]
        elif _leaf(a) != _leaf(b):
            return steps
    return None


def path_text(steps: Steps, start: str = "$") -> str:
    """A place as a JSON path: ``$.flow[2].mapper['Customer name']``."""
    out = [start]
    for step in steps:
        if isinstance(step, int):
            out.append(f"[{step}]")
        elif _NAME.fullmatch(step):
            out.append(f".{step}")
        else:
            quoted = step.replace("\\", "\\\\").replace("'", "\\'")
            out.append(f"['{quoted}']")
    return "".join(out)


_NAME = re.compile(r"[A-Za-z_$][\w$]*")
_SURROGATES = re.compile("[\ud800-\udfff]")
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|NaN|-?Infinity', re.DOTALL)
_MOJIBAKE = re.compile("\u00c3[\u0080-\u00bf\u0192\u201a]|\u00e2\u20ac|\u00c2[\u00a0-\u00bf]")
"""UTF-8 once read as Windows-1252: é as Ã©, a dash as â€“, a no-break space as Â."""


def _refuse(reason: str, line: int | None = None, column: int | None = None) -> NoReturn:
    place = {} if line is None else {"line": line, "column": column}
    where = "" if line is None else f"line {line}, column {column}: "
    raise BlueprintInvalid(reason=where + reason, **place)


def _decode(data: bytes, problems: list[Problem]) -> str:
    encoding = json.detect_encoding(data)
    if encoding == "utf-8-sig":
        encoding = "utf-8"  # so that the mark is seen and reported by the caller
    if encoding != "utf-8":
        problems.append(
            Problem("$", "info", f"The file is encoded in {encoding}; it is exported as UTF-8.")
        )
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        before = data[: error.start]
        _refuse(
            f"the byte 0x{data[error.start]:02x} is not valid {encoding.upper()}. "
            "Save the file as UTF-8, or export it again.",
            before.count(b"\n") + 1,
            error.start - before.rfind(b"\n"),
        )


def _parse(
    text: str,
    repeated: dict[int, tuple[dict[str, Any], list[str]]],
    infinite: list[FloatNumber],
) -> Any:
    """The value; fills in objects with repeated keys by id, and numbers beyond any float."""

    def decimal(spelled: str) -> float:
        value = float(spelled)
        if repr(value) == spelled:
            return value
        made = FloatNumber(value, spelled)
        if math.isinf(value):
            infinite.append(made)
        return made

    def integer(spelled: str) -> int | float:
        if spelled == "-0":
            return IntNumber(0, spelled)
        return decimal(spelled) if len(spelled) > _MAX_INT_DIGITS else int(spelled)

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(items)
        if len(made) != len(items):
            seen: set[str] = set()
            twice = [k for k, _ in items if k in seen or seen.add(k)]  # type: ignore[func-returns-value]  # add() returns None: first sight
            # The dict is held so that its id stays its own.
            repeated[id(made)] = (made, list(dict.fromkeys(twice)))
        return made

    def constant(name: str) -> NoReturn:
        at = next((m.start() for m in _TOKEN.finditer(text) if m.group() == name), 0)
        _refuse(f"JSON has no {name}. Write a number, a text or null.", *_place(text, at))

    decoder = json.JSONDecoder(
        object_pairs_hook=pairs,
        parse_int=integer,
        parse_float=decimal,
        parse_constant=constant,
    )
    try:
        return decoder.decode(text)
    except json.JSONDecodeError as error:
        _refuse(_advice(error, text), *_place(text, error.pos))
    except RecursionError:
        _refuse(_TOO_DEEP)


_TOO_DEEP = (
    f"it is nested deeper than {MAX_DEPTH} levels. No export is: "
    "check that the file is the one that was exported."
)


def _place(text: str, at: int) -> tuple[int, int]:
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)


def _advice(error: json.JSONDecodeError, text: str) -> str:
    at, message = error.pos, error.msg
    if at >= len(text.rstrip()):
        return (
            "the text ends in the middle of the blueprint: it was cut off. "
            "Export or copy it again, whole."
        )
    found = text[at : at + 1]
    if at == 0 and found == "<":
        return "this is a web page or XML, not JSON. Export the blueprint again as a file."
    if message.startswith("Unterminated string"):
        return (
            "a text starts here and never ends. "
            "Add its closing quote, or export the file again if it is cut off."
        )
    if message.startswith("Invalid control character"):
        return f"a text contains {found!r} as it is. Write it as an escape (\\n, \\t)."
    if message.startswith(("Invalid \\escape", "Invalid \\uXXXX")):
        return f"{text[at : at + 6]!r} is no JSON escape. Double the backslash."
    if message.startswith("Extra data"):
        return f"the blueprint ended before this; {found!r} is too much. Remove what follows."
    if message.startswith("Illegal trailing comma") or (
        found in "]}" and text[:at].rstrip().endswith(",")
    ):
        return f"a comma stands before {found!r}. Remove the comma."
    if found == "'":
        return "texts and keys stand in double quotes. Replace the single quotes."
    if message.startswith("Expecting property name"):
        return f"expected a key in double quotes, found {found!r}. Add the quotes or the key."
    if message.startswith("Expecting ','"):
        return f"expected a comma or a closing bracket, found {found!r}. Add what is missing."
    if message.startswith("Expecting ':'"):
        return f"expected a colon after the key, found {found!r}. Add the colon."
    return f"expected a value, found {found!r}. This is not JSON here: export it again."


def _measure_depth(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                below += [x for x in item.values() if isinstance(x, dict | list)]
            elif isinstance(item, list):
                below += [x for x in item if isinstance(x, dict | list)]
        if not below:
            return
        level = below
    _refuse(_TOO_DEEP)


def _nodes(value: Any) -> Iterator[tuple[Any, Steps]]:
    stack: list[tuple[Any, Steps]] = [(value, ())]
    while stack:
        item, steps = stack.pop()
        yield item, steps
        if isinstance(item, dict):
            stack += [(x, (*steps, key)) for key, x in reversed(item.items())]
        elif isinstance(item, list):
            last = len(item) - 1
            stack += [(x, (*steps, last - i)) for i, x in enumerate(reversed(item))]


def _repeated_keys(
    value: Any, repeated: dict[int, tuple[dict[str, Any], list[str]]]
) -> Iterator[Problem]:
    if not repeated:
        return
    for item, steps in _nodes(value):
        if isinstance(item, dict) and id(item) in repeated:
            for key in repeated[id(item)][1]:
                yield Problem(
                    path_text((*steps, key)),
                    "warning",
                    f"The key {key!r} is written more than once; only the last one counts. "
                    "Remove the others.",
                )


def _odd_texts(value: Any, text: str) -> Iterator[Problem]:
    kinds: list[tuple[Callable[[str], bool], str]] = []
    foreign = not text.isascii()  # the searches below are slow, and most exports are ASCII
    escaped = "\\u" in text
    if (escaped and _ESCAPED_SURROGATE.search(text)) or (foreign and _SURROGATES.search(text)):
        kinds.append(
            (
                lambda item: _SURROGATES.search(item) is not None,
                "half of a character (a lone surrogate); runs see U+FFFD instead. Type it again",
            )
        )
    if escaped and "\\u0000" in text:
        kinds.append((lambda item: "\0" in item, "a NUL character (\\u0000). Remove it"))
    if foreign and _MOJIBAKE.search(text):
        kinds.append(
            (
                lambda item: _MOJIBAKE.search(item) is not None,
                "characters that look wrongly decoded (UTF-8 as Windows-1252). Correct the text",
            )
        )
    for is_odd, what in kinds:
        places = [s for item, s in _nodes(value) if isinstance(item, str) and is_odd(item)]
        if places:
            more = f" ({len(places)} texts in all)" if len(places) > 1 else ""
            yield Problem(path_text(places[0]), "warning", f"This text contains {what}{more}.")


def _huge_numbers(value: Any) -> Iterator[Problem]:
    for item, steps in _nodes(value):
        if isinstance(item, FloatNumber) and math.isinf(item):
            shown = item.text if len(item.text) <= 24 else item.text[:20] + "…"
            yield Problem(
                path_text(steps),
                "warning",
                f"{shown} is larger than any number a run can compute with. "
                "Write it as a text if it is an identifier.",
            )


def _leaf(value: Any) -> tuple[type, Any]:
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return type(value), value
    if isinstance(value, int | float):
        return float, spelling(value)
    return type(value), None


def _write(value: Any, out: Callable[[str], None], indent: int | None, newline: str) -> None:
    if isinstance(value, str):
        out(_quote(value))
    elif value is None:
        out("null")
    elif value is True:
        out("true")
    elif value is False:
        out("false")
    elif isinstance(value, int | float):
        out(spelling(value))
    elif isinstance(value, dict):
        inner = newline if indent is None else newline + " " * indent
        separator = "{" if indent is None else "{" + inner
        colon = ":" if indent is None else ": "
        for key, item in value.items():
            out(separator + _quote(key) + colon)
            _write(item, out, indent, inner)
            separator = "," if indent is None else "," + inner
        out("{}" if not value else "}" if indent is None else newline + "}")
    elif isinstance(value, list | tuple):
        inner = newline if indent is None else newline + " " * indent
        separator = "[" if indent is None else "[" + inner
        for item in value:
            out(separator)
            _write(item, out, indent, inner)
            separator = "," if indent is None else "," + inner
        out("[]" if not value else "]" if indent is None else newline + "]")
    else:
        raise TypeError(f"JSON can't hold a {type(value).__name__}: {value!r:.80}")


def _quote(text: str) -> str:
    quoted = encode_basestring(text)
    if text.isascii():
        return quoted
    return _SURROGATES.sub(lambda m: f"\\u{ord(m.group()):04x}", quoted)
