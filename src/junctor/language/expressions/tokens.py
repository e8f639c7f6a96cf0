"""Splits the inside of ``{{…}}`` into tokens."""

from __future__ import annotations

import re
from typing import NamedTuple

from junctor.errors import ExpressionError

__all__ = ["Token", "scan"]


class Token(NamedTuple):
    """One word of an expression. ``kind``: number, text, name, quoted, operator, mark or end."""

    kind: str
    text: str
    position: int
    """0-based offset in the template."""


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
  | (?P<mark> [();.\[\]] )
    """,
    re.VERBOSE,
)

_SPELLINGS = {"==": "=", "===": "=", "!==": "!=", "&&": "&", "||": "|", "and": "&", "or": "|"}


def scan(text: str, position: int) -> tuple[list[Token], int]:
    """The tokens from ``position`` to the ``}}`` that closes, that one included, and what follows.

    Raises `ExpressionError` with the position of what can't be read.
    """
    tokens: list[Token] = []
    start = position
    match_at = _TOKEN.match
    while True:
        match = match_at(text, position)
        if match is None:
            raise _unreadable(text, position, start)
        kind, word, after = match.lastgroup or "", match[0], match.end()
        if kind == "name" and word in {"and", "or"} and not (tokens and tokens[-1].text == "."):
            kind = "operator"
        if kind == "operator":
            word = _SPELLINGS.get(word, word)
        elif kind == "text":
            word = word[1:-1].replace(word[0] * 2, word[0])
        elif kind == "quoted":
            word = word[1:-1]
        if kind != "space":
            tokens.append(Token(kind, word, position))
        position = after
        if kind == "end":
            return tokens, position


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
    hint = " Arguments are separated by semicolons." if found == "," else ""
    return ExpressionError(
        f"Unexpected {found!r} at character {position + 1}.{hint}",
        position=position,
        found=found,
        expected="; " if found == "," else "a value or an operator",
    )
