"""People in data: finding somebody by phone number, e-mail address or words, however spelled.

Two sides that belong together. `Person` finds and erases what names somebody. `lexemes` makes the
terms of a search index; whatever a `Person` finds in a text, its `wanted` terms find in the index
of that text, so an index narrows down where to look and misses nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from html import unescape
from typing import Any, Final
from urllib.parse import unquote

from junctor.errors import Misconfigured

__all__ = ["MARK", "Person", "lexemes", "query", "texts_in"]

MARK: Final = "[erased]"
"""What stands in place of an erased value."""

_GAP = r"(?:[\s.()\-/_+\u2010-\u2015\u2212\u00b7]|%(?:20|2[089DdEeFfBb]|[Aa]0)|&nbsp;){0,4}"
"""Between the digits of a number: as people, addresses of pages and forms write it."""
_ESCAPED = r"|(?<=%[0-9A-Fa-f]{2})|(?<=\\[nrtbf])|(?<=\\u[0-9A-Fa-f]{4})"
"""What comes before may be an escaped character of an address or of raw JSON."""
_BEGIN = r"(?:(?<![0-9])" + _ESCAPED + ")"
_FOREIGN = re.compile(r"(?:\+|%2[Bb]|(?<![0-9])00)[0-9]{1,3}" + _GAP + r"\Z")
"""Another country's code: what follows is not this country's number."""

_RUN = re.compile(r"[0-9]+")
_BETWEEN = re.compile(_GAP + r"\Z")
_MAIL = re.compile(r"(?<![\w.+\-])[\w.+\-]+@[\w\-]+(?:\.[\w\-]+)+")
"""Begins only where a row of its characters begins: from each of a long row's characters on, a text
without any gap would be read to its end.
"""
_WORD = re.compile(r"\w+")
_JSON = re.compile(r"\\u([0-9A-Fa-f]{4})|\\[nrtbf]")
_AT = r"(?:@|%40|&#64;|\\u0040)"
_PARTS = re.compile(r"(?<!\S)[+(]{0,2}[0-9][0-9\s().\-/]*(?!\S)|\S+")
"""What is typed, apart: digits with gaps stay together."""
_SHORTEST, _LONGEST = 7, 15
_NATIONAL = 10
"""Digits at a number's end that the index tells apart numbers by; `_SHORTEST` for narrowing."""
_LONGEST_WORD = 64
_LONGEST_MAIL = 320
"""Characters: 64 before the ``@``, 255 behind it (RFC 5321). Longer ones are no terms."""
_MOST_AHEAD = 24


class Person:
    """Somebody, as they are found. Numbers need their country code, or ``region`` (two letters).

    `Misconfigured` on what is no number, no address, or too short to be told from others.
    """

    def __init__(
        self,
        *,
        phones: Iterable[str] = (),
        emails: Iterable[str] = (),
        words: Iterable[str] = (),
        region: str = "",
    ) -> None:
        numbers = [_number(text, region) for text in phones]
        self.phones = sorted({f"+{code}{rest}" for code, rest in numbers})
        self.emails = sorted({_address(text) for text in emails})
        self.words = sorted({_words(text) for text in words})
        if not (self.phones or self.emails or self.words):
            raise Misconfigured("Say who: a phone number, an e-mail address or words.")
        self._numbers = {
            form for code, rest in numbers for form in (code + rest, rest, "00" + code + rest)
        }
        self._national = [re.compile(_national(rest)) for _, rest in numbers]
        exact = [_international(code, rest) for code, rest in numbers]
        exact += [_mail_pattern(text) for text in self.emails]
        exact += [_words_pattern(text) for text in self.words]
        self._exact = re.compile("|".join(exact), re.IGNORECASE)

    @property
    def terms(self) -> list[str]:
        """What is looked for, in one spelling."""
        return [*self.phones, *self.emails, *self.words]

    def in_text(self, text: str) -> bool:
        """Whether a text names them, in whatever spelling."""
        return any(map(self._in_form, _forms(text)))

    def _in_form(self, text: str) -> bool:
        if self._exact.search(text):
            return True
        return any(
            not _FOREIGN.search(text, max(0, match.start() - _MOST_AHEAD), match.start())
            for pattern in self._national
            for match in pattern.finditer(text)
        )

    def erase(self, value: Any, *, numbers: bool = True) -> tuple[Any, int]:
        """The same data with every text, number and name of a field that names them replaced by
        `MARK`, whole; and how many. Data without any is returned as it is, not copied.

        ``numbers``: whether numbers, too, may be phone numbers.
        """
        if isinstance(value, str):
            return (MARK, 1) if self.in_text(value) else (value, 0)
        if isinstance(value, (bytes, bytearray, memoryview)):
            found = self.in_text(bytes(value).decode("utf-8", "replace"))
            return (MARK.encode(), 1) if found else (value, 0)
        if isinstance(value, Mapping):
            return self._mapping(value, numbers=numbers)
        if isinstance(value, (list, tuple)):
            return self._list(value, numbers=numbers)
        if numbers and isinstance(value, (int, float)) and not isinstance(value, bool):
            whole = isinstance(value, int) or value.is_integer()
            return (MARK, 1) if whole and str(int(value)) in self._numbers else (value, 0)
        return value, 0

    def _mapping(self, value: Mapping[Any, Any], *, numbers: bool) -> tuple[Any, int]:
        made: dict[Any, Any] = {}
        count = 0
        for key, item in value.items():
            name, of_name = self.erase(key, numbers=numbers)
            if of_name:
                name = next(
                    each for each in _numbered(MARK) if each not in made and each not in value
                )
            made[name], of_item = self.erase(item, numbers=numbers)
            count += of_name + of_item
        return (made, count) if count else (value, 0)

    def _list(self, value: Any, *, numbers: bool) -> tuple[Any, int]:
        pairs = [self.erase(item, numbers=numbers) for item in value]
        count = sum(each for _, each in pairs)
        return (type(value)(item for item, _ in pairs), count) if count else (value, 0)

    def wanted(self) -> str:
        """The index query (PostgreSQL's ``tsquery``) that finds every text that names them."""
        parts = [f"tel:{number[-_SHORTEST:]}" for number in self.phones]
        asked = [_quoted(part) for part in parts]
        for address in self.emails:
            asked.extend(_quoted(f"mail:{each}") for each in _MAIL.findall(address))
        for words in self.words:
            each = " & ".join(_quoted(word) for word in sorted(set(_WORD.findall(words))))
            asked.append(f"({each})")
        return " | ".join(asked)


def _numbered(text: str) -> Iterator[str]:
    yield text
    count = 2
    while True:
        yield f"{text} {count}"
        count += 1


def _number(text: str, region: str) -> tuple[str, str]:
    """Country code and the rest."""
    import phonenumbers  # noqa: PLC0415  # large tables: not for every process

    try:
        found = phonenumbers.parse(text, region.upper() or None)
    except phonenumbers.NumberParseException:
        found = None
    rest = phonenumbers.national_significant_number(found) if found is not None else ""
    if found is None or len(rest) < _SHORTEST or len(rest) > _LONGEST:
        raise Misconfigured(
            f"{text[:40]!r} is no phone number; write it with its country code, such as "
            "+12025550142.",
            path="phone",
        )
    return str(found.country_code), rest


def _address(text: str) -> str:
    found = _plain(text.strip())
    if len(found) > _LONGEST_MAIL or not re.fullmatch(
        r"[^\s@<>,;\"]+@[\w\-]+(?:\.[\w\-]+)+", found
    ):
        raise Misconfigured(f"{text[:60]!r} is no e-mail address.", path="email")
    return found


def _words(text: str) -> str:
    found = " ".join(_plain(text).split())
    lengths = [len(word) for word in _WORD.findall(found)]
    if not lengths or max(lengths) > _LONGEST_WORD or sum(lengths) < 4:
        raise Misconfigured(
            f"{text[:40]!r} is too short to look for: it would be found in what is not meant.",
            path="text",
        )
    return found


def _digits(text: str) -> str:
    return _GAP.join(text)


def _trunk() -> str:
    return r"(?:\(?0\)?" + _GAP + ")?"


def _international(code: str, rest: str) -> str:
    before = r"(?:(?:\+|%2[Bb]|00|011)" + _GAP + ")?"
    return _BEGIN + before + _digits(code) + _GAP + _trunk() + _digits(rest) + r"(?![0-9])"


def _national(rest: str) -> str:
    return _BEGIN + _trunk() + _digits(rest) + r"(?![0-9])"


def _mail_pattern(address: str) -> str:
    local, _, host = address.rpartition("@")
    name = re.escape(local).replace(r"\+", r"(?:\+|%2[Bb])")
    before = r"(?:(?<![\w.+\-])" + _ESCAPED + ")"
    return before + name + _AT + re.escape(host) + r"(?![\w\-])(?!\.\w)"


def _words_pattern(words: str) -> str:
    return (
        r"(?:(?<!\w)"
        + _ESCAPED
        + ")"
        + r"(?:\s|%20|\+)+".join(map(re.escape, words.split()))
        + r"(?!\w)"
    )


def texts_in(value: Any) -> Iterator[str]:
    """Every text and number in some data, names of fields included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield str(key)
            yield from texts_in(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from texts_in(item)
    elif isinstance(value, (bytes, bytearray, memoryview)):
        yield bytes(value).decode("utf-8", "replace")
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        whole = isinstance(value, float) and value.is_integer()
        yield str(int(value)) if whole else str(value)


def lexemes(text: str) -> Iterator[str]:
    """The index terms of a text: its words; ``tel:`` and the end of what may be a phone number,
    ``tel:+`` and all of one with its country code; ``mail:`` and an address.
    """
    for form in _forms(text):
        lowered = form.lower()
        for address in _MAIL.findall(lowered):
            if len(address) <= _LONGEST_MAIL:
                yield f"mail:{address}"
        yield from _tel(form)
        for word in _WORD.findall(lowered):
            if len(word) <= _LONGEST_WORD:
                yield word


def _forms(text: str) -> Iterable[str]:
    """A text, what it says where characters are escaped, and both as `_plain` has them."""
    forms = [text]
    if "%" in text:
        forms.append(unquote(text))
    if "&" in text:
        forms.append(unescape(text))
    if "\\" in text:
        forms.append(_JSON.sub(_unescaped, text))
    forms += [_plain(form) for form in forms if not form.isascii()]
    return dict.fromkeys(forms)


def _plain(text: str) -> str:
    """One spelling of what looks the same: accents composed, wide and narrow letters, capitals
    (also of letters whose small ones are two), the world's digits, no invisible marks.
    """
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return "".join(
        str(unicodedata.decimal(char)) if char.isdecimal() else char
        for char in folded
        if unicodedata.category(char) != "Cf"
    )


def _unescaped(match: re.Match[str]) -> str:
    return chr(int(match[1], 16)) if match[1] else " "


def _tel(text: str) -> Iterator[str]:
    chain, end, plus = "", 0, False
    for run in _RUN.finditer(text):
        start = run.start()
        if chain and start - end <= 24 and _BETWEEN.match(text, end, start):
            chain += run[0]
        else:
            chain, plus = run[0], text[max(0, start - 1) : start] == "+"
        end = run.end()
        if len(chain) >= _SHORTEST:
            yield f"tel:{chain[-_SHORTEST:]}"
            if len(chain) > _SHORTEST:
                yield f"tel:{chain[-_NATIONAL:]}"
            if plus and len(chain) <= _LONGEST:
                yield f"tel:+{chain}"


def query(text: str, *, region: str = "") -> str | None:
    """The index query (``tsquery``) for what somebody typed; ``None`` if there is nothing in it.

    All words must be there. A number with seven digits or more is a phone number in any spelling;
    ``*`` or ``…`` at the end of a word or number is anything that begins so.
    """
    text = text.strip()
    whole = _plain(text.rstrip("*…"))
    if re.fullmatch(r"[+0-9(][0-9\s().\-/]*", whole) and _long(whole):
        return _asked(text, region)
    return (
        " & ".join(filter(None, (_part(each[0], region) for each in _PARTS.finditer(text)))) or None
    )


def _part(text: str, region: str) -> str | None:
    """A word, or digits with gaps between: a number if there are enough, and else words."""
    asked = [part for word in text.split() if (part := _asked(word, region))]
    words = " & ".join(asked) or None
    if len(asked) > 1 and _long(text) and (number := _asked(text, region)) is not None:
        return f"({number} | ({words}))"
    return words


def _long(text: str) -> bool:
    return sum(each.isdigit() for each in text) >= _SHORTEST


def _asked(word: str, region: str) -> str | None:
    prefix = word.endswith(("*", "…"))
    typed = word.rstrip("*…").lower()
    word = _plain(typed)
    digits = "".join(re.findall("[0-9]", word))
    if prefix and word.startswith("+") and digits:
        return _quoted(f"tel:+{digits}", prefix=True)
    if re.fullmatch(r"[+0-9(][0-9\s().\-/]*", word) and _SHORTEST <= len(digits) <= _LONGEST + 3:
        forms = {f"tel:{digits.lstrip('0')[-_NATIONAL:]}", f"tel:{digits[-_NATIONAL:]}"}
        try:
            code, rest = _number(word, region)
        except Misconfigured:
            pass
        else:
            forms |= {f"tel:{each[-_NATIONAL:]}" for each in (code + rest, rest, "0" + rest)}
        return "(" + " | ".join(_quoted(form) for form in sorted(forms)) + ")"
    if "@" in word and len(word) <= _LONGEST_MAIL and (prefix or _MAIL.fullmatch(word)):
        return _quoted(f"mail:{word}", prefix=prefix)
    # As it is typed, too: what an earlier release indexed has no other spelling.
    asked = [
        part for each in dict.fromkeys((word, typed)) if (part := _all_of(each, prefix=prefix))
    ]
    return f"(({') | ('.join(asked)}))" if len(asked) > 1 else asked[0] if asked else None


def _all_of(text: str, *, prefix: bool) -> str:
    words = [each for each in _WORD.findall(text) if len(each) <= _LONGEST_WORD]
    last = len(words) - 1
    return " & ".join(_quoted(each, prefix=prefix and at == last) for at, each in enumerate(words))


def _quoted(term: str, *, prefix: bool = False) -> str:
    escaped = term.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'" + (":*" if prefix else "")
