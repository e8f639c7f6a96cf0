"""The functions of the language, by subject. Importing this package fills `FUNCTIONS`."""

from junctor.language.expressions.functions import (
    arrays,
    binary,
    calendar,
    dates,
    fusion,
    general,
    invented,
    math,
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
    "fusion",
    "general",
    "invented",
    "math",
    "text",
]
