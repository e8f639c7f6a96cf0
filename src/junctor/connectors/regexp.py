"""Text parser: patterns, replacements, HTML to text, and what is found in texts.

Patterns are written as in JavaScript and bounded in time; texts are bounded in length.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from typing import Annotated, Any, Literal

import regex

from junctor.errors import BundleInvalid, DataError
from junctor.language.connector import Bundle, Connector, Field
from junctor.language.expressions.functions.patterns import TIMEOUT, compile_pattern, substitute
from junctor.language.html_text import html_to_text

__all__ = ["regexp"]

regexp = Connector(name="regexp", label="Text parser")

_MOST_TEXT = 10_000_000
_BATCH = 2_000
"""Matches that are looked for at a time: the time limit is for so many, and so is the memory."""

_Text = Annotated[str, Field(label="Text", multiline=True)]
_Continue = Annotated[
    bool,
    Field(
        label="Continue without matches",
        help="Gives one bundle without fields if nothing matches; else the bundle's way ends here.",
        key="continueWhenNoRes",
        static=True,
    ),
]
_Global = Annotated[
    bool,
    Field(label="All matches", help="One bundle each; else only the first.", key="global"),
]
_Sensitive = Annotated[bool, Field(label="Case sensitive")]
_Multiline = Annotated[
    bool, Field(label="Multiline", help="^ and $ match at the ends of every line.")
]
_Singleline = Annotated[bool, Field(label="Single line", help="A dot matches line breaks as well.")]
_Ignore = Annotated[
    bool,
    Field(
        label="Skip empty matches",
        help="Among all matches, leaves out those of no characters instead of failing.",
        key="ignoreInfiniteLoopsWhenGlobal",
        static=True,
    ),
]
_StaticGlobal = Annotated[
    bool,
    Field(
        label="All matches", help="One bundle each; else only the first.", key="global", static=True
    ),
]
_StaticSensitive = Annotated[bool, Field(label="Case sensitive", static=True)]
_StaticMultiline = Annotated[
    bool, Field(label="Multiline", help="^ and $ match at the ends of every line.", static=True)
]
_StaticSingleline = Annotated[
    bool, Field(label="Single line", help="A dot matches line breaks as well.", static=True)
]


@regexp.transform("Match pattern", name="Parser")
def parser(
    pattern: Annotated[str, Field(label="Pattern", example=r"(\d+) (?<unit>\w+)", static=True)],
    global_: _StaticGlobal = False,
    sensitive: _StaticSensitive = True,
    multiline: _StaticMultiline = False,
    singleline: _StaticSingleline = False,
    continue_: _Continue = False,
    ignore: _Ignore = False,
    text: _Text = "",
) -> Iterator[Bundle]:
    """Finds a regular expression in a text: gives its groups as `$1`, `$2`… and by their names.

    `i` numbers the matches from 1; `__IMTMATCH__` is all that matched.
    """
    flags = _flags(sensitive=sensitive, multiline=multiline, singleline=singleline)
    found = _matches(pattern, flags, text, every=global_, skip_empty=ignore)
    yield from _or_empty(found, continue_)


@regexp.transform("Match pattern (advanced)", name="AdvancedParser")
def advanced_parser(
    pattern: Annotated[str, Field(label="Pattern", example=r"(\d+) (?<unit>\w+)")],
    text: _Text = "",
    global_: _StaticGlobal = False,
    sensitive: _StaticSensitive = True,
    multiline: _StaticMultiline = False,
    singleline: _StaticSingleline = False,
    continue_: _Continue = False,
    ignore: _Ignore = False,
) -> Iterator[Bundle]:
    """Finds a regular expression in a text; the expression itself may be mapped.

    Gives the same as *Match pattern*.
    """
    flags = _flags(sensitive=sensitive, multiline=multiline, singleline=singleline)
    found = _matches(pattern, flags, text, every=global_, skip_empty=ignore)
    yield from _or_empty(found, continue_)


@regexp.transform("Replace", name="Replace")
def replace(
    pattern: Annotated[str, Field(label="Pattern", example=r"\s+")],
    value: Annotated[
        str, Field(label="New value", help="$1, $<name> and $& stand for what matched.")
    ] = "",
    text: _Text = "",
    global_: _Global = False,
    sensitive: _Sensitive = True,
    multiline: _Multiline = False,
    singleline: _Singleline = False,
) -> Bundle:
    """Replaces the first match of a regular expression in a text, or all of them."""
    _bounded(text)
    flags = _flags(sensitive=sensitive, multiline=multiline, singleline=singleline)
    try:
        made = substitute(pattern, flags + ("g" if global_ else ""), value, text)
    except DataError as error:
        raise _of_pattern(error) from error
    return {"text": made}


@regexp.transform("HTML to text", name="HTMLToText")
def html_text(
    html: Annotated[str, Field(label="HTML", multiline=True)] = "",
    newline: Annotated[Literal["lf", "crlf", "cr"], Field(label="Line break")] = "lf",
    uppercase_headings: Annotated[
        bool, Field(label="Headings in capitals", key="uppercaseHeadings")
    ] = True,
) -> Bundle:
    """Gives the text of HTML in lines: paragraphs, headings, lists, and where links go."""
    _bounded(html, field="html")
    text = html_to_text(html, uppercase_headings=uppercase_headings)
    if newline != "lf":
        text = text.replace("\n", "\r\n" if newline == "crlf" else "\r")
    return {"text": text}


_Kind = Literal[
    "##emails",
    "##http_urls",
    "##ftp_urls",
    "##telephone_numbers",
    "##ipv4",
    "##ipv6",
    "##html_tags",
    "##emoji",
    "##key_value_pairs",
]


@regexp.transform("Get elements from text", name="GetElementsFromText")
def elements(
    kind: Annotated[_Kind, Field(label="What to find", key="pattern")],
    text: _Text,
    full: Annotated[
        bool,
        Field(
            label="Full addresses",
            help="Only addresses with http:// or the like; else www.example.com counts too.",
            key="requireProtocol",
        ),
    ] = True,
    more: Annotated[
        str,
        Field(
            label="More characters",
            help="Other characters that e-mail names, addresses and keys may hold.",
            key="specialCharsPattern",
            advanced=True,
        ),
    ] = "",
    continue_: _Continue = False,
) -> Iterator[Bundle]:
    """Finds e-mail addresses, links, telephone numbers and the like; each in a bundle's `match`."""
    _bounded(text)
    yield from _or_empty(_elements(kind, text, full=full, more=more), continue_)


# Matching


def _flags(*, sensitive: bool, multiline: bool, singleline: bool) -> str:
    return ("" if sensitive else "i") + ("m" if multiline else "") + ("s" if singleline else "")


def _bounded(text: str, field: str = "text") -> None:
    if len(text) > _MOST_TEXT:
        raise BundleInvalid(
            field=field,
            reason=f"it has {len(text):,} characters, the most is {_MOST_TEXT:,}; "
            "split it, or map a part of it",
        )


def _of_pattern(error: DataError) -> BundleInvalid:
    return BundleInvalid(field="pattern", reason=str(error.params.get("reason", error.message)))


def _or_empty(found: Iterable[Bundle], go_on: bool) -> Iterator[Bundle]:
    none = True
    for bundle in found:
        none = False
        yield bundle
    if none and go_on:
        yield {"__IMTLENGTH__": 0}


def _matches(
    pattern: str, flags: str, text: str, *, every: bool, skip_empty: bool
) -> Iterator[Bundle]:
    _bounded(text)
    try:
        compiled = compile_pattern(pattern, flags)
    except DataError as error:
        raise _of_pattern(error) from error
    names = {number: name for name, number in compiled.groupindex.items()}
    number = 0
    for match in _scan(compiled, text, every=every):
        if every and match.end() == match.start():
            if skip_empty:
                continue
            raise BundleInvalid(
                field="pattern",
                reason=f"/{pattern[:60]}/ matches no characters at position {match.start()} and "
                "would do so for ever; make it match at least one, or skip empty matches",
            )
        number += 1
        bundle: Bundle = {}
        for group, value in enumerate(match.groups(), start=1):
            bundle[f"${group}"] = value
            if group in names:
                bundle[names[group]] = value
        bundle["i"] = number
        bundle["__IMTMATCH__"] = match[0]
        yield bundle


def _scan(compiled: Any, text: str, *, every: bool) -> Iterator[Any]:
    """Matches in lists of bounded size, each found within the time limit."""
    start, most = 0, _BATCH if every else 1
    while True:
        found = []
        try:
            for match in compiled.finditer(text, start, timeout=TIMEOUT):
                found.append(match)
                # An empty match may be followed by another at the same place: no good end.
                if len(found) >= most and (not every or match.end() > match.start()):
                    break
        except (TimeoutError, MemoryError, RecursionError) as error:
            raise BundleInvalid(
                field="pattern",
                reason=f"/{compiled.pattern[:60]}/ took longer than {TIMEOUT} s; make it simpler",
            ) from error
        yield from found
        if not every or len(found) < most:
            return
        start = found[-1].end()


# Elements

_HOST = r"(?:[\p{L}\p{N}](?:[\p{L}\p{N}-]{0,61}[\p{L}\p{N}])?\.){1,10}+\p{L}{2,24}"
_AT_END = ".,;:!?'\"*_>"
_PAIRS = {")": "(", "]": "[", "}": "{"}


def _elements(kind: str, text: str, *, full: bool, more: str) -> Iterator[Bundle]:
    compiled = regex.compile(_source(kind, full=full, more=regex.escape(more[:100])))
    for match in _scan(compiled, text, every=True):
        found = match[0]
        if kind in {"##http_urls", "##ftp_urls"}:
            found = _trimmed(found)
        elif kind == "##telephone_numbers":
            if not 7 <= sum(letter.isdigit() for letter in found) <= 15:
                continue
        elif kind in {"##ipv4", "##ipv6"} and not _is_address(found):
            continue
        elif kind == "##key_value_pairs":
            key, value = match["key"].strip(), match["value"].strip()
            yield {"match": {"key": key, "value": value}}
            continue
        yield {"match": found}


def _source(kind: str, *, full: bool, more: str) -> str:
    """Patterns that look at no character more than a few times, whatever the text."""
    address = r"[^\s<>\"'`\\^{|}\x00-\x1f" + "]"
    address = f"(?:{address}|[{more}])" if more else address
    match kind:
        case "##emails":
            name = r"[\p{L}\p{N}._%+'\-" + more + "]"
            return f"(?<!{name}){name}{{1,64}}+@{_HOST}"
        case "##http_urls":
            bare = rf"(?:https?://|(?<![@\w.\-])(?={_HOST}))"
            return f"(?i){'https?://' if full else bare}{address}++"
        case "##ftp_urls":
            bare = r"(?:s?ftps?://|(?<![@\w.\-])ftp\.)"
            return f"(?i){'s?ftps?://' if full else bare}{address}++"
        case "##key_value_pairs":
            key = r"[\p{L}\p{N}_][\p{L}\p{N}_ .\-" + more + "]{0,100}+"
            return rf"(?m)^[ \t]*+(?P<key>{key})[:=][ \t]*+(?P<value>[^\r\n]*+)"
        case _:
            return _FIXED[kind]


_EMOJI = (
    r"(?:\p{Emoji_Presentation}|\p{Extended_Pictographic}\ufe0f?|[0-9#*]\ufe0f?\u20e3)"
    r"\p{Emoji_Modifier}?"
)
_FIXED = {
    "##telephone_numbers": r"(?<![\p{L}\p{N}+])[+(]?\d"
    r"(?:[ \t\u00a0]?[()./\-]{0,2}[ \t\u00a0]?\d){5,20}+(?![\p{L}\p{N}])",
    "##ipv4": r"(?<![\d.])\d{1,3}+(?:\.\d{1,3}+){3}(?!\.?\d)",
    "##ipv6": r"(?<![\w:.])(?=[0-9A-Fa-f]{0,4}:)[0-9A-Fa-f:]{2,39}+"
    r"(?:(?<=:\d{1,3})(?:\.\d{1,3}){3})?(?![\w:])",
    "##html_tags": r"</?[A-Za-z][^<>]*+>",
    "##emoji": rf"\p{{Regional_Indicator}}{{2}}|{_EMOJI}(?:\u200d{_EMOJI})*+",
}


def _trimmed(address: str) -> str:
    """Without what a sentence put after it: full stops, and brackets that weren't opened inside."""
    while address:
        last = address[-1]
        if last in _AT_END or (
            last in _PAIRS and address.count(last) > address.count(_PAIRS[last])
        ):
            address = address[:-1]
        else:
            break
    return address


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
