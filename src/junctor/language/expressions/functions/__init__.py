"""The functions of the language, by subject. Importing this package fills `FUNCTIONS`."""

from junctor.language.expressions.functions import (
    arrays,
    binary,
    calendar,
    dates,
    general,
    math,
    more,
    text,
)
from junctor.language.expressions.functions.registry import FUNCTIONS, FunctionInfo

__all__ = [
    "FUNCTIONS",
    "FunctionInfo",
    "arrays",
    "binary",
    "calendar",
    "dates",
    "general",
    "math",
    "more",
    "text",
]
