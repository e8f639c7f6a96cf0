"""The expression language: ``{{upper(1.name)}}`` in a mapping, compiled to closures.

    evaluate = compile_value({"to": "{{1.email}}"}, slots={1: 1})
    evaluate([scope, {"email": "ann@example.com"}])   # {"to": "ann@example.com"}

Parsing and compiling raise `errors.ExpressionError`; evaluating raises `errors.DataError`, or
`errors.BundleInvalid` with the field's path from a `compile_value`.
"""

from junctor.language.expressions.compile import compile_argument, compile_template, constant
from junctor.language.expressions.functions import FUNCTIONS, FunctionInfo
from junctor.language.expressions.mapping import Uses, compile_value, uses
from junctor.language.expressions.nodes import KEYWORDS, Template, print_template
from junctor.language.expressions.notes import Note, unknown_fields, warnings_of
from junctor.language.expressions.parse import parse
from junctor.language.expressions.scope import FAILED, Env, Evaluate, Scope

__all__ = [
    "FAILED",
    "FUNCTIONS",
    "KEYWORDS",
    "Env",
    "Evaluate",
    "FunctionInfo",
    "Note",
    "Scope",
    "Template",
    "Uses",
    "compile_argument",
    "compile_template",
    "compile_value",
    "constant",
    "parse",
    "print_template",
    "unknown_fields",
    "uses",
    "warnings_of",
]
