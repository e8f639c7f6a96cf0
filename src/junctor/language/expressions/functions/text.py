"""Text."""

from __future__ import annotations

import html
import re
import unicodedata
from typing import Any
from urllib.parse import quote, unquote

import regex

from junctor.errors import DataError
from junctor.language.expressions.functions.patterns import parse_literal, substitute
from junctor.language.expressions.functions.registry import (
    Boolean,
    Many,
    Number,
    Text,
    check_length,
    function,
)
from junctor.language.expressions.operators import equal
from junctor.language.values import to_text

__all__ = [
    "ascii_",
    "capitalize",
    "contains",
    "decode_url",
    "encode_url",
    "escape_html",
    "escape_markdown",
    "index_of",
    "length",
    "lower",
    "replace",
    "replace_emoji",
    "split",
    "startcase",
    "strip_html",
    "substring",
    "trim",
    "upper",
]


@function("lower", [('{{lower("MaKe")}}', "make"), ("{{lower(1.nul)}}", "")])
def lower(text: Text) -> str:
    """All letters small."""
    return text.lower()


@function("upper", [('{{upper("MaKe")}}', "MAKE"), ("{{upper(1.users[].name)}}", "BOB")])
def upper(text: Text) -> str:
    """All letters large."""
    return text.upper()


@function("trim", [('{{trim("  Hello ")}}', "Hello"), ('{{trim(nbsp + "x" + newline)}}', "x")])
def trim(text: Text) -> str:
    """Removes white space at both ends."""
    return text.strip().strip("\ufeff")


@function("capitalize", [('{{capitalize("make it")}}', "Make it"), ('{{capitalize("")}}', "")])
def capitalize(text: Text) -> str:
    """Makes the first letter large and leaves the rest."""
    return text[:1].upper() + text[1:]


@function("startcase", [('{{startcase("hello WORLD")}}', "Hello World")])
def startcase(text: Text) -> str:
    """Makes the first letter of each word large and the others small."""
    return re.sub(r"\S+", lambda word: word[0][:1].upper() + word[0][1:].lower(), text)


@function(
    "contains",
    [
        ('{{contains(1.arr; "b")}}', True),
        ('{{contains("Hello"; "ell")}}', True),
        ('{{contains("Hello"; "ELL")}}', False),
        ('{{contains(1.nul; "a")}}', False),
        ('{{contains(1.users[].name; "Cid")}}', True),
    ],
)
def contains(text_or_array: Many, value: Any) -> bool:
    """Whether a text holds another, or an array an item. Small and large letters differ."""
    if isinstance(text_or_array, list):
        return any(equal(each, value) for each in text_or_array)
    return text_or_array is not None and to_text(value) in to_text(text_or_array)


@function(
    "length",
    [
        ('{{length("hello")}}', 5),
        ("{{length(1.arr)}}", 3),
        ('{{length("\\n")}}', 2),
        ("{{length(1.nul)}}", 0),
        ("{{length(1.users[].name)}}", 3),
    ],
)
def length(value: Many) -> int:
    """How many characters, bytes or items; 0 for null."""
    if isinstance(value, list | bytes | dict | str):
        return len(value)
    return len(to_text(value))


@function(
    "indexOf",
    [
        ('{{indexOf("We love Make"; "e"; 7)}}', 11),
        ('{{indexOf("Make"; "x")}}', -1),
        ('{{indexOf(1.arr; "b")}}', 1),
    ],
)
def index_of(text: Many, value: Any, start: Number = 0) -> int:
    """Where a text (or an array) holds a value, counted from 0; -1 if it doesn't."""
    begin = max(0, int(start))
    if isinstance(text, list):
        places = (i for i, each in enumerate(text) if i >= begin and equal(each, value))
        return next(places, -1)
    return to_text(text).find(to_text(value), begin)


@function(
    "substring",
    [
        ('{{substring("Hello"; 1; 3)}}', "el"),
        ('{{substring("Hello"; 3)}}', "lo"),
        ('{{substring("Hello"; -2; 2)}}', "He"),
        ('{{substring("Hello"; 3; 1)}}', "el"),
    ],
)
def substring(text: Text, start: Number = 0, end: Number | None = None) -> str:
    """The part from start up to, not including, end; both count from 0."""
    size = len(text)
    a = min(max(int(start), 0), size)
    b = size if end is None else min(max(int(end), 0), size)
    return text[min(a, b) : max(a, b)]


@function(
    "split",
    [
        ('{{split("a, b"; ", ")}}', ["a", "b"]),
        ('{{split("a" + newline + "b"; newline)}}', ["a", "b"]),
        ('{{split("abc"; "")}}', ["a", "b", "c"]),
        ('{{split(1.nul; ",")}}', []),
    ],
)
def split(text: Any, separator: Text = "") -> list[str]:
    """Cuts a text into an array at each separator; without one, into its characters."""
    if text is None:
        return []
    whole = to_text(text)
    return whole.split(separator) if separator else list(whole)


@function(
    "replace",
    [
        ('{{replace("aXbXc"; "X"; "-")}}', "a-b-c"),
        ('{{replace("a1b22"; "/\\d+/g"; "#")}}', "a#b#"),
        ('{{replace("John Smith"; "/(\\w+) (\\w+)/"; "$2 $1")}}', "Smith John"),
        ('{{replace("a.b.c"; "/\\./"; "$&$$")}}', "a.$b.c"),
        ('{{replace("é1 b"; "/[\\w ]|$/g"; "-")}}', "é----"),
        ('{{replace("aXb"; "/(?<x>x)/i"; "[$<x>]")}}', "a[X]b"),
        ('{{replace("a b"; space; )}}', "ab"),
        ('{{replace("ab"; "b"; emptystring)}}', "a"),
        ('{{replace("ab"; emptystring; "x")}}', "ab"),
    ],
)
def replace(text: Text, search: Text, replacement: Text) -> str:
    """Replaces a text everywhere; ``"/pattern/flags"`` is a regular expression (``g``: all)."""
    literal = parse_literal(search) if search.startswith("/") else None
    if literal is not None:
        return substitute(literal[0], literal[1], replacement, text)
    if not search:
        return text
    if len(replacement) > len(search):
        check_length(len(text) + text.count(search) * (len(replacement) - len(search)))
    return text.replace(search, replacement)


@function("encodeURL", [('{{encodeURL("Automate your workflow")}}', "Automate%20your%20workflow")])
def encode_url(text: Text) -> str:
    """Encodes a text as one part of an address."""
    return quote(text, safe="-_.!~*'()", errors="replace")


@function("decodeURL", [('{{decodeURL("Automate%20your%20workflow")}}', "Automate your workflow")])
def decode_url(text: Text) -> str:
    """Decodes a part of an address."""
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError as error:
        raise DataError(reason="the encoded bytes are no UTF-8 text") from error


@function("escapeHTML", [('{{escapeHTML("<b>Hello</b>")}}', "&lt;b&gt;Hello&lt;/b&gt;")])
def escape_html(text: Text) -> str:
    """Makes ``& < > " '`` safe to show in HTML."""
    return html.escape(text).replace("&#x27;", "&#39;")


@function("escapeMarkdown", [('{{escapeMarkdown("# Header")}}', "&#35; Header")])
def escape_markdown(text: Text) -> str:
    """Writes characters that mean something in Markdown as HTML entities, which mean nothing."""
    return re.sub(r"[\\`*_{}\[\]()#+.!|<>~-]", lambda found: f"&#{ord(found[0])};", text)


@function(
    "stripHTML",
    [
        ("{{stripHTML(\"<p>Hello <a href='x'>you</a></p>\")}}", "Hello you"),
        ('{{stripHTML("a<!-- <b> -->b < c")}}', "ab < c"),
    ],
)
def strip_html(text: Text) -> str:
    """Removes HTML tags and comments."""
    kept, position = [], 0
    while (start := text.find("<!--", position)) >= 0 and (end := text.find("-->", start)) >= 0:
        kept.append(text[position:start])
        position = end + 3
    return re.sub(r"</?[A-Za-z!][^<>]*>", "", "".join(kept) + text[position:])


_PLAIN_LETTERS = str.maketrans(
    {"ł": "l", "Ł": "L", "ø": "o", "Ø": "O", "đ": "d", "Đ": "D", "\u0131": "i", "ß": "ss"}
    | {"æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "þ": "th", "Þ": "Th", "ð": "d", "Ð": "D"}
)


@function("ascii", [('{{ascii("ěščřž"; true)}}', "escrz"), ('{{ascii("ěa")}}', "a")])
def ascii_(text: Text, remove_diacritics: Boolean = False) -> str:
    """Drops what is not ASCII; with true, letters lose their accents first."""
    if remove_diacritics:
        text = unicodedata.normalize("NFD", text.translate(_PLAIN_LETTERS))
    return text.encode("ascii", "ignore").decode()


_EMOJI = regex.compile(
    r"(?:\p{Regional_Indicator}{2}"
    r"|(?:[0-9#*]\uFE0F?\u20E3)"
    r"|(?:\p{Emoji_Presentation}|\p{Extended_Pictographic}\uFE0F)(?:\p{Emoji_Modifier}|\uFE0F)?"
    r"(?:\u200D\p{Extended_Pictographic}(?:\p{Emoji_Modifier}|\uFE0F)?)*+)"
)


@function("replaceEmojiCharacters", [('{{replaceEmojiCharacters("a😀b👍🏽"; "-")}}', "a-b-")])
def replace_emoji(text: Text, replacement: Text = "") -> str:
    """Replaces every emoji."""
    check_length(len(text) * max(1, len(replacement)) if len(replacement) > 1000 else 0)
    return str(_EMOJI.sub(lambda _match: replacement, text))
