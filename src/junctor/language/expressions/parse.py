"""Reads templates: literal text with ``{{ expressions }}``.

The grammar, tightest first (facts: Make's documentation and real exports)::

    template    = { text | "{{" expression "}}" }
    value       = number | text | keyword | call | path | "(" expression ")"
    call        = name "(" [ argument { ";" argument } ] ")"        an argument may be empty
    path        = start { "." name | "[" [ expression ] "]" }
    start       = module id | `module id` | name | `name` | call | "(" expression ")"
    unary       = { "!" | "-" } value
    expression  = unary with * / %, then + -, then < <= > >=, then = !=, then & (and), then | (or)

A quote inside a text is doubled; a backslash is an ordinary character. ``and(…)`` and ``or(…)``
where a value is expected are calls, and so is ``JSON.stringify(…)``.

What blueprints of other origin hold besides is read as meant, with a `Note`: commas between
arguments, names with spaces and without backticks, JSON's ``{"a": 1}`` and ``[1, 2]`` (as calls of
``collection`` and ``array``), an empty ``{{}}``, and what `tokens` lists.
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
from junctor.language.expressions.tokens import Note, Token, scan
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
    notes: list[Note] = []
    literal = ""
    recovered = False
    position = 0
    while (opening := text.find("{{", position)) >= 0:
        start = opening + 2
        # No expression starts with a brace: of a run of braces the last two open.
        while start < len(text) and text[start] == "{":
            start += 1
        if start - opening >= 4:
            recovered = True
            notes.append(
                Note(opening, "{{{{", "Braces are doubled: {{{{…}}}} is read as {{…}} in braces.")
            )
        literal += text[position : start - 2]
        tokens, position = scan(text, start, notes)
        if literal:
            parts.append(literal)
            literal = ""
        parts.append(_Parser(text, tokens, notes).whole())
    literal += text[position:]
    if literal:
        parts.append(literal)
    return Template(tuple(parts), recovered, tuple(notes))


_cached = lru_cache(maxsize=1024)(_parse)
"""Checking, finding uses and compiling parse the same texts."""


class _Parser:
    """Recursive descent over the tokens of one expression; the last one is the end."""

    def __init__(self, text: str, tokens: list[Token], notes: list[Note]) -> None:
        self.text = text
        self.tokens = tokens
        self.notes = notes
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
        hint = " Arguments are separated by semicolons." if token.text == "," else ""
        return ExpressionError(
            f"Expected {expected} at character {token.position + 1}, found {found}.{hint}",
            position=token.position,
            found=token.text,
            expected=expected,
        )

    def note(self, position: int, name: str, message: str) -> None:
        self.notes.append(Note(position, name, message))

    def whole(self) -> Expression:
        if self.token.kind == "end":
            position = self.token.position
            self.note(position, "{{}}", "An empty {{}} gives an empty text. Remove it.")
            return Literal("")
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
                name = self.dotted(token.text)
                if self.at("("):
                    call = Call(name, self.arguments(), token.position)
                    return self.inside(call, token.position)
                if token.text in KEYWORDS:
                    return Keyword(token.text, token.position)
                return self.path(token.text, token.position)
            case "mark" if token.text == "{":
                return self.inside(self.collection(token), token.position)
            case "mark" if token.text == "[":
                return self.inside(self.array(token), token.position)
            case "mark" if token.text == "(":
                node = self.expression(1)
                self.take(")")
                return self.inside(node, token.position)
        if token.kind != "end":
            self.index -= 1
        raise self.unexpected("a value")

    def dotted(self, name: str) -> str:
        """``JSON.stringify`` before a parenthesis: a function's name; else the name as it is."""
        ahead = self.tokens[self.index : self.index + 3]
        if [token.kind for token in ahead] != ["mark", "name", "mark"]:
            return name
        if ahead[0].text != "." or ahead[2].text != "(":
            return name
        self.index += 2
        return f"{name}.{ahead[1].text}"

    def separated(self) -> bool:
        """Steps over what separates arguments, if it is there."""
        if self.at(","):
            position = self.token.position
            self.note(position, ",", "A comma separates nothing here: write a semicolon.")
        elif not self.at(";"):
            return False
        self.index += 1
        return True

    def arguments(self) -> tuple[Argument, ...]:
        self.take("(")
        if self.at(")"):
            self.index += 1
            return ()
        arguments: list[Argument] = []
        while True:
            if self.at(";") or self.at(",") or self.at(")"):
                arguments.append(Empty())
            else:
                arguments.append(self.expression(1))
            if self.separated():
                continue
            if not self.at(")"):
                raise self.unexpected("';' or ')'")
            self.index += 1
            return tuple(arguments)

    def collection(self, opening: Token) -> Expression:
        """``{"a": 1}``, which Make does not have: a call of ``collection``."""
        self.note(
            opening.position,
            "{",
            'Make has no {…} in expressions: write collection("name"; value), or use a module '
            "that makes JSON.",
        )
        arguments: list[Argument] = []
        while not self.at("}"):
            key = self.next()
            if key.kind not in {"text", "name", "quoted"}:
                self.index -= key.kind != "end"
                raise self.unexpected("a name in quotes, or '}'")
            self.take(":")
            arguments += [Literal(key.text), self.expression(1)]
            if not (self.at(",") or self.at(";")):
                break
            self.index += 1
        self.take("}")
        return Call("collection", tuple(arguments), opening.position)

    def array(self, opening: Token) -> Expression:
        """``[1, 2]``, which Make does not have: a call of ``array``."""
        self.note(opening.position, "[", "Make has no […] as a value: write array(item; item).")
        arguments: list[Argument] = []
        while not self.at("]"):
            arguments.append(self.expression(1))
            if not (self.at(",") or self.at(";")):
                break
            self.index += 1
        self.take("]")
        return Call("array", tuple(arguments), opening.position)

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
                elif token.kind == "quoted":
                    steps.append(Step(token.text))
                elif token.kind == "name":
                    steps.append(Step(self.spaced(token)))
                else:
                    self.index -= token.kind != "end"
                    raise self.unexpected("a name")
            elif self.at("["):
                self.index += 1
                steps.append(Step(self.item()))
                self.take("]")
            else:
                return Path(root, tuple(steps), position)

    def spaced(self, first: Token) -> str:
        """A name and the words that follow it: ``1.First Name`` without its backticks."""
        last = first
        while True:
            token = self.token
            joined = token.kind in {"name", "number"}
            if token.kind == "operator" and token.text == "-":
                joined = self.is_word(self.index + 1)  # ``1.Award - Display``
            if not joined:
                break
            last = token
            self.index += 1
        if last is first:
            return first.text
        name = self.text[first.position : last.end]
        self.note(first.position, name, f"A name with spaces needs backticks: write `{name}`.")
        return name

    def is_word(self, index: int) -> bool:
        """Whether the token there can only be a part of a name, as it means nothing by itself."""
        token, after = (
            self.tokens[index : index + 2] if index + 1 < len(self.tokens) else (None,) * 2
        )
        if token is None or after is None or token.kind != "name":
            return False
        known = token.text in KEYWORDS or token.text in {"var", "error"}
        return not known and (after.kind != "mark" or after.text not in {"(", "[", "."})

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
