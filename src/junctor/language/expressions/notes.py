"""What is odd about a template that works all the same, and fields that a bundle doesn't have.

For reports: `warnings_of` needs nothing but the text, `unknown_fields` what bundles hold.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from junctor.language.expressions.functions.registry import FUNCTIONS
from junctor.language.expressions.nearest import nearest
from junctor.language.expressions.nodes import (
    FUSION_KEYWORDS,
    KEYWORDS,
    Argument,
    Call,
    Chain,
    Keyword,
    Path,
    Template,
    Unary,
)
from junctor.language.expressions.parse import parse
from junctor.language.expressions.tokens import Note

__all__ = ["Note", "unknown_fields", "warnings_of"]


def warnings_of(text: str) -> list[Note]:
    """What Make would not know or write in a template that runs here, in the order of the text.

    Functions and keywords of other dialects or of nobody, and everything that was read leniently,
    doubled braces included. Raises `ExpressionError` for a text that can't be read.
    """
    template = parse(text)
    found = list(template.notes)
    for node in _walk(template):
        match node:
            case Call(name, _, position):
                info = FUNCTIONS.get(name)
                # {…} and […] are calls too, and have notes of their own.
                if info is not None and info.warning and text[position] not in "{[":
                    found.append(Note(position, name, info.warning))
            case Keyword(name, position) if name in FUSION_KEYWORDS:
                advice = FUSION_KEYWORDS[name]
                found.append(
                    Note(
                        position,
                        name,
                        f"Make has no keyword '{name}' (Adobe Workfront Fusion has); here it "
                        f"works: {KEYWORDS[name]}."
                        + (f" In Make write {advice}." if advice else ""),
                    )
                )
    return sorted(found)


def unknown_fields(text: str, fields: Mapping[int, Collection[str]]) -> list[Note]:
    """Fields of modules' bundles that a template reads and that are not among the known ones.

    ``fields``: the names at the top of the bundle, by module id; a module that is not there may
    have any. Only what is spelt like a known one is told, as bundles may hold more than is known.
    """
    found = []
    for node in _walk(parse(text)):
        match node:
            case Path(int() as module, steps, position) if steps and isinstance(steps[0].to, str):
                name, known = steps[0].to, fields.get(module, ())
                meant = nearest(name, known) if known and name not in known else ""
                if meant:
                    message = (
                        f"Module {module} gives no field '{name}', as far as is known. "
                        f"Did you mean '{meant}'?"
                    )
                    found.append(Note(position, f"{module}.{name}", message))
    return sorted(found)


def _walk(template: Template) -> Iterator[Argument]:
    todo: list[Argument] = [part for part in template.parts if not isinstance(part, str)]
    while todo:
        node = todo.pop()
        yield node
        match node:
            case Path(root, steps):
                inside = [step.to for step in steps]
                todo += [each for each in (root, *inside) if not isinstance(each, int | str | None)]
            case Call(_, arguments):
                todo += arguments
            case Unary(_, operand):
                todo.append(operand)
            case Chain(_, first, rest):
                todo += [first, *(operand for _, operand in rest)]
