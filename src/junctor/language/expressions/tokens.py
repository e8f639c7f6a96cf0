r"""Splits the inside of ``{{…}}`` into tokens.

What Make itself never writes, but people and language models do, is read as it was meant, with a
`Note`: quotes that were escaped once too often (``\"a\"``), regular expressions without quotes
(``/a/g``), commas between arguments, braces and brackets of JSON. None of these starts any token of
the language proper, so that nothing correct is read differently.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from junctor.errors import ExpressionError

__all__ = ["Note", "Token", "scan"]


class Note(NamedTuple):
    """Something in a template that works here but is not as Make would write it."""

    position: int
    """0-based offset in the template."""
    name: str
    """The word it is about, as written."""
    message: str
    """What is odd, how it is read, and what to write instead."""


class Token(NamedTuple):
    """One word of an expression. ``kind``: number, text, name, quoted, operator, mark or end."""

    kind: str
    text: str
    position: int
    """0-based offset in the template."""
    end: int = 0
    """Where the next one can start."""


# Possessive quantifiers keep an unclosed literal from being tried again and again.
_TOKEN = re.compile(
    r"""
    (?P<space> [\s\u00a0\ufeff]++ )
  | (?P<number> [0-9]++ (?: \.[0-9]++ (?: [eE][+-]?[0-9]++ )? (?![\w$.\[`])
                        | [eE][+-]?[0-9]++ (?![\w$]) )? )
  | (?P<text> "[^"]*+(?:""[^"]*+)*+" | '[^']*+(?:''[^']*+)*+' )
  | (?P<quoted> `[^`]*+` )
  | (?P<name> (?:[^\W\d]|\$)[\w$]*+ )
  | (?P<end> \}\} )
  | (?P<operator> === | !== | == | != | <= | >= | && | \|\| | [-+*/%=<>&|!] )
  | (?P<mark> [();.\[\],:{}] )
  | (?P<escaped> \\"(?:[^"\\]|\\(?!"))*+\\" | \\ )
    """,
    re.VERBOSE,
)

_PATTERN = re.compile(r"/(?![*/ ])(?:[^/\\\n]|\\.)++/[dgimsuvy]*+(?=\s*+(?:[;,)]|\}\}))")
"""A regular expression without quotes, where a value is expected."""

_SPELLINGS = {"==": "=", "===": "=", "!==": "!=", "&&": "&", "||": "|", "and": "&", "or": "|"}


def scan(text: str, position: int, notes: list[Note]) -> tuple[list[Token], int]:
    """The tokens from ``position`` to the ``}}`` that closes, that one included, and what follows.

    Adds to ``notes`` what was read leniently. Raises `ExpressionError` with the position of what
    can't be read.
    """
    tokens: list[Token] = []
    start = position
    braces = 0
    match_at = _TOKEN.match
    while True:
        match = match_at(text, position)
        if match is None:
            raise _unreadable(text, position, start)
        kind, word, after = match.lastgroup or "", match[0], match.end()
        if kind == "name":
            if word in {"and", "or"} and not (tokens and tokens[-1].text == "."):
                called = _value_expected(tokens) and text[after:].lstrip()[:1] == "("
                kind = kind if called else "operator"
        elif kind == "end" and braces:
            kind, word, after = "mark", "}", position + 1
            braces -= 1
        elif kind == "mark":
            braces = max(0, braces + (word == "{") - (word == "}"))
        elif kind == "escaped":
            kind, word = "text", _escaped(word, position, notes)
        elif word == "/" and _value_expected(tokens) and (found := _PATTERN.match(text, position)):
            kind, word, after = "text", found[0], found.end()
            notes.append(
                Note(position, word, f'A regular expression is a text here: write "{word}".')
            )
        elif kind == "text":
            word = word[1:-1].replace(word[0] * 2, word[0])
        elif kind == "quoted":
            word = word[1:-1]
        if kind == "operator":
            word = _SPELLINGS.get(word, word)
        if kind != "space":
            tokens.append(Token(kind, word, position, after))
        position = after
        if kind == "end":
            return tokens, position


def _value_expected(tokens: list[Token]) -> bool:
    """Whether a value, and no operator, comes next."""
    if not tokens:
        return True
    kind, word = tokens[-1].kind, tokens[-1].text
    return kind == "operator" or (kind == "mark" and word in "(;,[:{")


def _escaped(word: str, position: int, notes: list[Note]) -> str:
    """A text between escaped quotes; a backslash by itself is a text of one character."""
    if len(word) == 1:
        notes.append(
            Note(position, word, "A backslash stands here by itself; it is read as a text.")
        )
        return word
    notes.append(
        Note(
            position,
            word,
            f'Quotes are not escaped by a backslash here: write "{word[2:-2]}". '
            "A quote inside a text is doubled.",
        )
    )
    return word[2:-2]


def _unreadable(text: str, position: int, start: int) -> ExpressionError:
    if position >= len(text):
        return ExpressionError(
            f"The expression that starts at character {start - 1} is not closed by }}}}.",
            position=start - 2,
            found="",
            expected="}}",
        )
    found = text[position]
    if found in "\"'`":
        return ExpressionError(
            f"The text that starts at character {position + 1} has no closing {found}"
            " (a quote inside it is doubled).",
            position=position,
            found=found,
            expected=f"a closing {found}",
        )
    return ExpressionError(
        f"Unexpected {found!r} at character {position + 1}.",
        position=position,
        found=found,
        expected="a value or an operator",
    )
