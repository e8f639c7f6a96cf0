"""What a misspelt name probably was meant to be."""

from __future__ import annotations

import re
from collections.abc import Iterable

from junctor.errors import ExpressionError
from junctor.language.expressions.functions.registry import FUNCTIONS
from junctor.language.expressions.nodes import KEYWORDS

__all__ = ["nearest", "unknown_function", "unknown_name"]

ELSEWHERE = {
    "avg": "average",
    "coalesce": "ifempty",
    "count": "length",
    "dateadd": "addDays",
    "iferror": "ifempty",
    "iif": "if",
    "isempty": "ifempty",
    "len": "length",
    "lowercase": "lower",
    "mid": "substring",
    "mod": "%",
    "pow": "power",
    "propercase": "startcase",
    "regexreplace": "replace",
    "size": "length",
    "strlen": "length",
    "substr": "substring",
    "titlecase": "startcase",
    "todate": "parseDate",
    "tolowercase": "lower",
    "tonumber": "parseNumber",
    "touppercase": "upper",
    "unique": "deduplicate",
    "uppercase": "upper",
}
"""What other languages call a function, in small letters: too far off to be found by spelling."""

_PLACEHOLDER = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")


def nearest(name: str, names: Iterable[str]) -> str:
    """The one of some names that is spelt most alike; empty if none is."""
    import difflib  # noqa: PLC0415  # only when something went wrong

    lower = {known.lower(): known for known in names}
    near = difflib.get_close_matches(name.lower()[:100], lower, n=1, cutoff=0.6)
    return lower[near[0]] if near else ""


def unknown_function(name: str, position: int) -> ExpressionError:
    """The error for a function that doesn't exist, with the nearest that does."""
    bare = name.rpartition(".")[2]
    own = (known for known, info in FUNCTIONS.items() if info.origin == "make")
    suggestion = ELSEWHERE.get(bare.lower()) or nearest(bare, own) or nearest(name, FUNCTIONS)
    hint = f" Did you mean '{suggestion}'?" if suggestion else ""
    return ExpressionError(
        f"Function '{name}' not found!{hint}",
        position=position,
        found=name,
        expected=suggestion or "a function's name",
        name=name,
        suggestion=suggestion,
    )


def unknown_name(name: str, position: int) -> ExpressionError:
    """The error for a bare word that is no keyword, with what it may stand for."""
    suggestion = nearest(name, [*KEYWORDS, "var", "error"]) if len(name) > 2 else ""
    if _PLACEHOLDER.fullmatch(name):
        hint = "It looks like a placeholder: put the value itself in its place."
    elif name in FUNCTIONS:
        suggestion = f"{name}(…)"
        hint = "It is a function: write its arguments in parentheses."
    elif suggestion:
        hint = f"Did you mean '{suggestion}'?"
    else:
        hint = "A module's field is written as 1.name, a text in quotes."
    return ExpressionError(
        f"Unknown name '{name}'. {hint}",
        position=position,
        found=name,
        expected=suggestion or "a module's number, a keyword, a function or var",
        name=name,
        suggestion=suggestion,
    )
