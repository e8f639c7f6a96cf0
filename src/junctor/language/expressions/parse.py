"""Reads templates: literal text with ``{{ expressions }}``.

The grammar, tightest first (facts: Make's documentation and real exports)::

    template    = { text | "{{" expression "}}" }
    value       = number | text | keyword | call | path | "(" expression ")"
    call        = name "(" [ argument { ";" argument } ] ")"        an argument may be empty
    path        = start { "." name | "[" [ expression ] "]" }
    start       = module id | `module id` | name | `name` | call | "(" expression ")"
    unary       = { "!" | "-" } value
    expression  = unary with * / %, then + -, then < <= > >=, then = !=, then & (and), then | (or)

A quote inside a text is doubled; a backslash is an ordinary character.
"""

from __future__ import annotations

from functools import lru_cache

from junctor.errors import ExpressionError
from junctor.language.expressions.nodes import (
    KEYWORDS,
    LEVELS,
    Argument,
    Call,
    Chain,
    Empty,
    Expression,
    Keyword,
    Literal,
    Path,
    Step,
    Template,
    Unary,
)
from junctor.language.expressions.tokens import Token, scan
from junctor.language.values import as_number

__all__ = ["MAX_DEPTH", "MAX_LENGTH", "parse"]

MAX_LENGTH = 1_000_000
"""Characters of a template that holds expressions."""
MAX_DEPTH = 120
"""Levels of parentheses, arguments and operators inside each other."""


def parse(text: str) -> Template:
    """The template in ``text``; raises `ExpressionError` with ``position``, ``found``, …"""
    if "{{" not in text:
        return Template((text,) if text else ())
    if len(text) > MAX_LENGTH:
        raise ExpressionError(
            f"A text with expressions may have {MAX_LENGTH} characters; this has {len(text)}.",
            position=MAX_LENGTH,
            found="",
            expected="a shorter text",
        )
    return _cached(text) if len(text) < 2000 else _parse(text)


def _parse(text: str) -> Template:
    parts: list[str | Expression] = []
    literal = ""
    recovered = False
    position = 0
    while (opening := text.find("{{", position)) >= 0:
        start = opening + 2
        # No expression starts with a brace: of a run of braces the last two open.
        while start < len(text) and text[start] == "{":
            start += 1
        recovered = recovered or start - opening >= 4
        literal += text[position : start - 2]
        tokens, position = scan(text, start)
        if literal:
            parts.append(literal)
            literal = ""
        parts.append(_Parser(tokens).whole())
    literal += text[position:]
    if literal:
        parts.append(literal)
    return Template(tuple(parts), recovered)


_cached = lru_cache(maxsize=1024)(_parse)
"""Checking, finding uses and compiling parse the same texts."""


class _Parser:
    """Recursive descent over the tokens of one expression; the last one is the end."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.index = 0
        self.depth = 0

    @property
    def token(self) -> Token:
        return self.tokens[self.index]

    def next(self) -> Token:
        token = self.tokens[self.index]
        if token.kind != "end":
            self.index += 1
        return token

    def at(self, mark: str) -> bool:
        token = self.tokens[self.index]
        return token.kind == "mark" and token.text == mark

    def take(self, mark: str) -> None:
        if not self.at(mark):
            raise self.unexpected(f"'{mark}'")
        self.index += 1

    def unexpected(self, expected: str) -> ExpressionError:
        token = self.token
        found = "the end of the expression" if token.kind == "end" else repr(token.text)
        return ExpressionError(
            f"Expected {expected} at character {token.position + 1}, found {found}.",
            position=token.position,
            found=token.text,
            expected=expected,
        )

    def whole(self) -> Expression:
        node = self.expression(1)
        if self.token.kind != "end":
            raise self.unexpected("an operator or }}")
        return node

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            token = self.token
            raise ExpressionError(
                f"The expression is nested deeper than {MAX_DEPTH} levels at character "
                f"{token.position + 1}. Split it with a Set variable module.",
                position=token.position,
                found=token.text,
                expected="less nesting",
            )

    def expression(self, lowest: int) -> Expression:
        self.deeper()
        node = self.unary()
        while True:
            token = self.token
            level = LEVELS.get(token.text, 0) if token.kind == "operator" else 0
            if level < lowest or not level:
                break
            rest: list[tuple[str, Expression]] = []
            while token.kind == "operator" and LEVELS.get(token.text) == level:
                self.index += 1
                rest.append((token.text, self.expression(level + 1)))
                token = self.token
            node = Chain(level, node, tuple(rest))
        self.depth -= 1
        return node

    def unary(self) -> Expression:
        signs = []
        while self.token.kind == "operator" and self.token.text in {"!", "-"}:
            signs.append(self.next().text)
            self.deeper()
        node = self.value()
        for sign in reversed(signs):
            node = Unary(sign, node)
            self.depth -= 1
        return node

    def value(self) -> Expression:
        token = self.next()
        match token.kind:
            case "text":
                return Literal(token.text)
            case "number":
                if token.text.isdigit() and (self.at(".") or self.at("[")):
                    return self.path(self.module_id(token), token.position)
                number = as_number(token.text)
                if number is None:
                    raise self.wrong(token, "a number within range")
                return Literal(number)
            case "quoted":
                if token.text.isascii() and token.text.isdigit():
                    return self.path(self.module_id(token), token.position)
                return self.path(token.text, token.position)
            case "name":
                if self.at("("):
                    call = Call(token.text, self.arguments(), token.position)
                    return self.inside(call, token.position)
                if token.text in KEYWORDS:
                    return Keyword(token.text)
                return self.path(token.text, token.position)
            case "mark" if token.text == "(":
                node = self.expression(1)
                self.take(")")
                return self.inside(node, token.position)
        if token.kind != "end":
            self.index -= 1
        raise self.unexpected("a value")

    def arguments(self) -> tuple[Argument, ...]:
        self.take("(")
        if self.at(")"):
            self.index += 1
            return ()
        arguments: list[Argument] = []
        while True:
            if self.at(";") or self.at(")"):
                arguments.append(Empty())
            else:
                arguments.append(self.expression(1))
            if self.at(";"):
                self.index += 1
                continue
            if not self.at(")"):
                raise self.unexpected("';' or ')'")
            self.index += 1
            return tuple(arguments)

    def inside(self, node: Expression, position: int) -> Expression:
        """A path into a result, as in ``first(1.rows).name``; or the result itself."""
        return self.path(node, position) if self.at(".") or self.at("[") else node

    def path(self, root: int | str | Expression, position: int) -> Path:
        steps: list[Step] = []
        while True:
            if self.at("."):
                self.index += 1
                token = self.next()
                if token.kind == "number":  # 1.rows.0.1 reads as steps
                    steps.extend(Step(name) for name in token.text.split("."))
                elif token.kind in {"name", "quoted"}:
                    steps.append(Step(token.text))
                else:
                    self.index -= token.kind != "end"
                    raise self.unexpected("a name")
            elif self.at("["):
                self.index += 1
                steps.append(Step(self.item()))
                self.take("]")
            else:
                return Path(root, tuple(steps), position)

    def item(self) -> int | str | Expression | None:
        """What stands in brackets; a literal is an index or a name."""
        if self.at("]"):
            return None
        node = self.expression(1)
        match node:
            case Literal(str() | int() as value):
                return value
            case Unary("-", Literal(int() as value)):
                return -value
        return node

    def module_id(self, token: Token) -> int:
        if len(token.text) > 15:
            raise self.wrong(token, "a module's number")
        return int(token.text)

    @staticmethod
    def wrong(token: Token, expected: str) -> ExpressionError:
        return ExpressionError(
            f"{token.text[:40]!r} at character {token.position + 1} is not {expected}.",
            position=token.position,
            found=token.text[:40],
            expected=expected,
        )
