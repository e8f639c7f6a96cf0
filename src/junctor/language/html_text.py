"""HTML as plain text, laid out in lines as a mail program would.

Paragraphs stand apart by an empty line, list items have a mark, a link is followed by its address
in brackets. Scripts, styles and other unseen elements are left out. The tags are read as a stream,
in time linear in the text: parsers that build a tree as browsers do need hours for a few megabytes
of open tags (ADR 0017).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import unescape

__all__ = ["html_to_text"]

_RAW = frozenset({"script", "style", "title", "textarea", "iframe", "noscript", "xmp"})
"""Elements whose content is text up to their end tag, and isn't seen."""
_HIDDEN = frozenset({"template", "object", "svg", "math", "select", "audio", "video", "canvas"})
_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_LISTS = frozenset({"ul", "ol"})
_APART = frozenset({"p", "dl", "table", "blockquote", "pre", "figure"}) | _LISTS | _HEADINGS
"""Elements with an empty line before and after."""
_OWN_LINE = frozenset(
    {"div", "li", "tr", "dt", "dd", "section", "article", "header", "footer", "main", "nav"}
    | {"aside", "form", "fieldset", "address", "center", "caption", "figcaption", "details"}
    | {"summary", "thead", "tbody", "tfoot", "body", "html"}
)
_MOST_LISTS = 20
"""Lists inside lists that are indented; deeper ones are not."""

_TAG = re.compile(r"""(/?)([A-Za-z][^\s/>]*+)((?:[^>"']++|"[^"]*+"|'[^']*+')*+)>""")
_LOOSE_TAG = re.compile(r"(/?)([A-Za-z][^\s/>]*+)([^>]*+)>")
_ATTRIBUTE = re.compile(r"""([^\s=/"'>]++)\s*+(?:=\s*+("[^"]*+"|'[^']*+'|[^\s"'>]++))?""")


def html_to_text(html: str, *, uppercase_headings: bool = True) -> str:
    """The text of an HTML document or a part of one. Takes any text, as browsers do."""
    out = _Lines(uppercase_headings=uppercase_headings)
    at, quoted, last = 0, True, html.rfind(">")
    while True:
        sign = html.find("<", at)
        if sign < 0 or sign > last:
            out.write(unescape(html[at:]))
            return out.text()
        if sign > at:
            out.write(unescape(html[at:sign]))
        following = html[sign + 1 : sign + 4]
        if following == "!--":
            at = _after(html, "-->", sign + 4)
            continue
        if following[:1] in {"!", "?"}:
            at = _after(html, ">", sign + 2)
            continue
        found = None
        if following.removeprefix("/")[:1].isalpha():
            found = _TAG.match(html, sign + 1) if quoted else None
            if found is None:
                # A quote that is never closed: further tags would be searched to the end, each.
                quoted = False
                found = _LOOSE_TAG.match(html, sign + 1)
        if found is None:
            out.write("<")
            at = sign + 1
            continue
        at = found.end()
        tag = found[2].lower()
        if found[1]:
            out.leave(tag)
        elif tag in _RAW:
            end = re.compile(f"</{tag}", re.IGNORECASE).search(html, at)
            at = end.start() if end else len(html)
        else:
            out.enter(tag, _attributes(found[3]) if tag in {"a", "img", "ol"} else {})


def _after(html: str, mark: str, start: int) -> int:
    found = html.find(mark, start)
    return len(html) if found < 0 else found + len(mark)


def _attributes(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in _ATTRIBUTE.findall(text[:10_000]):
        found.setdefault(name.lower(), unescape(value.strip("\"'")).strip())
    return found


class _Lines:
    """Text as it grows: white space collapses, and blocks ask for line breaks between them."""

    def __init__(self, *, uppercase_headings: bool) -> None:
        self._uppercase = uppercase_headings
        self._parts: list[str] = []
        self._breaks = 0
        """Line breaks to be written before the next text."""
        self._space = False
        self._pre = False
        self._heading = False
        self._lists: list[int | None] = []
        """The open lists: the next number, or none for marks."""
        self._link: tuple[str, int] | None = None
        """The open link's address, and where its text begins."""
        self._cells = 0
        self._hidden = ""
        self._depth = 0
        """How many elements of the hidden name are open."""

    def text(self) -> str:
        """All of it, without white space at the ends of lines."""
        self._end_link()
        lines = "".join(self._parts).split("\n")
        return "\n".join(line.rstrip() for line in lines).strip("\n")

    def enter(self, tag: str, attributes: Mapping[str, str]) -> None:
        """A start tag."""
        if self._hidden or tag in _HIDDEN:
            self._hidden = self._hidden or tag
            self._depth += tag == self._hidden
            return
        if tag in _APART:
            self._block(1 if self._lists and tag in _LISTS else 2)
        elif tag in _OWN_LINE:
            self._block(1)
        if tag in _HEADINGS:
            self._heading = True
        elif tag in _LISTS:
            start = attributes.get("start", "1")
            number = int(start) if start.isdecimal() and len(start) < 10 else 1
            self._lists.append(number if tag == "ol" else None)
        match tag:
            case "br":
                self._flush()
                self._parts.append("\n")
            case "hr":
                self._block(2)
                self._word("-" * 40)
                self._block(2)
            case "img":
                self._image(attributes)
            case "pre":
                self._pre = True
            case "li":
                self._item()
            case "tr":
                self._cells = 0
            case "td" | "th":
                self._space = self._space or bool(self._cells)
                self._cells += 1
            case "a":
                self._end_link()
                self._link = (attributes.get("href", ""), len(self._parts))

    def leave(self, tag: str) -> None:
        """An end tag; one that was never opened does no harm."""
        if self._hidden:
            self._depth -= tag == self._hidden
            self._hidden = self._hidden if self._depth else ""
            return
        if tag in _HEADINGS:
            self._heading = False
        elif tag == "pre":
            self._pre = False
        elif tag == "a":
            self._end_link()
        elif tag in _LISTS and self._lists:
            self._lists.pop()
        if tag in _APART:
            self._block(1 if self._lists and tag in _LISTS else 2)
        elif tag in _OWN_LINE:
            self._block(1)

    def write(self, text: str) -> None:
        """Text between tags."""
        if self._hidden:
            return
        if self._pre:
            self._flush()
            self._parts.append(text)
            return
        words = text.split()
        if not words:
            self._space = self._space or (bool(text) and self._in_line())
            return
        if text[0].isspace() and self._in_line():
            self._space = True
        self._word(" ".join(words))
        self._space = text[-1].isspace()

    def _item(self) -> None:
        mark = " * "
        if self._lists:
            number = self._lists[-1]
            if number is not None:
                mark = f" {number}. "
                self._lists[-1] = number + 1
        self._flush()
        self._parts.append("   " * min(len(self._lists) - 1, _MOST_LISTS) + mark)

    def _end_link(self) -> None:
        if self._link is None:
            return
        (href, start), self._link = self._link, None
        href = href.removeprefix("mailto:")
        shown = "".join(self._parts[start:]).strip()
        if href and not href.startswith(("#", "javascript:")) and href != shown:
            self._space = bool(shown)
            self._word(f"[{href}]")

    def _image(self, attributes: Mapping[str, str]) -> None:
        shown, source = attributes.get("alt", ""), attributes.get("src", "")
        if source and not source.startswith("data:"):
            shown = f"{shown} [{source}]".strip()
        if shown:
            self._word(shown)

    def _block(self, breaks: int) -> None:
        if self._parts:
            self._breaks = max(self._breaks, breaks)
        self._space = False

    def _flush(self) -> None:
        if self._breaks:
            self._parts.append("\n" * self._breaks)
            self._breaks = 0
        elif self._space:
            self._parts.append(" ")
        self._space = False

    def _in_line(self) -> bool:
        return bool(self._parts) and not self._breaks and self._parts[-1][-1:] not in {"\n", " "}

    def _word(self, text: str) -> None:
        self._flush()
        self._parts.append(text.upper() if self._heading and self._uppercase else text)
