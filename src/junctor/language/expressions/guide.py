"""What the language has besides functions, each with examples: operators, coercions, date tokens.

The examples are tests, and the reference page is made of this. Keywords are in `nodes.KEYWORDS`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from junctor.language.expressions.functions.registry import Example

__all__ = ["COERCIONS", "OPERATORS", "TOKENS", "Coercion", "Operator"]


class Operator(NamedTuple):
    """One operator, or some that differ in spelling only."""

    spellings: tuple[str, ...]
    summary: str
    examples: tuple[Example, ...]


OPERATORS = (
    Operator(
        ("!",),
        "Not",
        (("{{!true}}", False), ("{{!1.nul}}", True), ("{{!1.zero}}", False)),
    ),
    Operator(
        ("*",), "The product", (("{{1.n * 2 - 1}}", 9), ('{{"6" * "2"}}', 12), ("{{1.nul * 2}}", 0))
    ),
    Operator(("/",), "The quotient, never rounded; by zero it fails", (("{{6 / 4}}", 1.5),)),
    Operator(
        ("%",),
        "What remains of a division, with the sign of the first number",
        (("{{7 % 3}}", 1), ("{{-7 % 3}}", -1)),
    ),
    Operator(
        ("+",),
        "The sum; joins if either side is text; moves a date by milliseconds",
        (
            ("{{1 + 2}}", 3),
            ('{{"a" + 1.n}}', "a5"),
            ("{{1.nul + 1}}", 1),
            ("{{1.when + 1000}}", "2015-08-07T11:36:40.000Z"),
        ),
    ),
    Operator(
        ("-",),
        "The difference; milliseconds between two dates; a date moved back. Beside a date, a text "
        "that is a date is one",
        (
            ("{{5 - 1.nul}}", 5),
            ('{{1.when - "2015-08-07T11:36:38Z"}}', 1000),
            ("{{1.when - 1000}}", "2015-08-07T11:36:38.000Z"),
        ),
    ),
    Operator(
        ("<", "<=", ">", ">="),
        "Order: numbers and numeric texts by size, dates by time, two texts by code points; false "
        "where there is no order",
        (
            ("{{1.n >= 5}}", True),
            ('{{"10" > 9}}', True),
            ('{{"10" > "9"}}', False),
            ('{{"abc" > 1}}', False),
            ("{{1.nul < 1}}", True),
            ('{{1.when > "2015-01-01"}}', True),
            ("{{1.nul < 1.when}}", False),
        ),
    ),
    Operator(
        ("=", "==", "==="),
        "Equal, and of one type; but a numeric text equals its number, and a text that is a date "
        "equals that date",
        (
            ('{{1.n = "5"}}', True),
            ('{{"5" = "5.0"}}', False),
            ('{{true = "true"}}', False),
            ('{{1.nul = ""}}', False),
            ('{{1.when = "2015-08-07T11:36:39Z"}}', True),
        ),
    ),
    Operator(("!=", "!=="), "Not equal", (("{{1.n != 4}}", True),)),
    Operator(("&", "&&", "and"), "Both hold", (("{{true & 1.n > 3}}", True),)),
    Operator(
        ("|", "||", "or"),
        "Either holds; `&` and `|` evaluate no more than they need",
        (("{{true | false}}", True), ("{{true or 1 / 0}}", True)),
    ),
)
"""Every operator, from those that bind tightest; those that bind alike are side by side."""


class Coercion(NamedTuple):
    """How values of other types become one of this type."""

    type: str
    rule: str
    examples: tuple[tuple[Any, Any], ...]
    """Values, and what becomes of them."""
    refused: tuple[Any, ...] = ()


COERCIONS = (
    Coercion("array", "Anything else becomes the only item", (([1], [1]), ("a", ["a"]))),
    Coercion(
        "boolean",
        "A number is true, even 0; a text is false if it is empty or `false`",
        ((0, True), ("false", False), ("", False), ("no", True), ([], True)),
    ),
    Coercion(
        "buffer",
        "Text as UTF-8, or in the field's code page; numbers and booleans by way of text",
        (("é", b"\xc3\xa9"), (5, b"5"), (True, b"true")),
        ([1], {"a": 1}),
    ),
    Coercion("collection", "Nothing else becomes one", (({"a": 1}, {"a": 1}),), ("a", [1], 1)),
    Coercion(
        "date",
        "A number is milliseconds since 1970. Text: ISO 8601; `YYYY-MM-DD`, `YYYY/MM/DD`, "
        "`MM/DD/YYYY` or `D.M.YYYY`, then a time as `HH:mm[:ss]` or `h:mm A`, then `+0200` or "
        "`GMT+02:00`; or as in mail and HTTP. Without a time zone it is the organisation's",
        (
            (0, "1970-01-01T00:00:00.000Z"),
            ("2026-11-21", "2026-11-21T00:00:00.000Z"),
            ("2026-11-21 10:30 GMT+02:00", "2026-11-21T08:30:00.000Z"),
            ("2026/11/21 4:05 PM", "2026-11-21T16:05:00.000Z"),
            ("11/21/2026", "2026-11-21T00:00:00.000Z"),
            ("21.11.2026", "2026-11-21T00:00:00.000Z"),
            ("Sat, 21 Nov 2026 10:30:00 +0200", "2026-11-21T08:30:00.000Z"),
            ("", None),
        ),
        ("soon", True, [1]),
    ),
    Coercion(
        "number",
        "The number that a text spells; a blank field has none",
        ((" 1.50 ", 1.5), ("1e3", 1000), ("", None)),
        ("1,5", True, [1]),
    ),
    Coercion(
        "text",
        "A collection as JSON; an array as its items, joined by commas; a date as ISO 8601; a "
        "buffer as UTF-8",
        (
            (True, "true"),
            (1.50, "1.5"),
            ([1, {"a": 1}], '1,{"a":1}'),
            ({"a": [1]}, '{"a":[1]}'),
        ),
        (b"\xff",),
    ),
    Coercion("time", "`hours:minutes[:seconds]`", (("9:05", "9:05"),), ("9", "25:00")),
)
"""Every coercion; null stays null, and so do ``ignore`` and ``erase``."""

TOKENS = {
    "YYYY": "Year",
    "YY": "Year of the century",
    "Y": "Year, without zeros before it",
    "YYYYYY": "Year with its sign, six digits",
    "Q": "Quarter",
    "Qo": "Quarter as ordinal",
    "M": "Month",
    "Mo": "Month as ordinal",
    "MM": "Month, two digits",
    "MMM": "Month, short name",
    "MMMM": "Month's name",
    "D": "Day",
    "Do": "Day as ordinal",
    "DD": "Day, two digits",
    "DDD": "Day of the year",
    "DDDo": "Day of the year as ordinal",
    "DDDD": "Day of the year, three digits",
    "d": "Day of the week, Sunday is 0",
    "do": "Day of the week as ordinal",
    "dd": "Day of the week, two letters",
    "ddd": "Day of the week, short name",
    "dddd": "Day of the week",
    "e": "Day of the week, Sunday is 0",
    "E": "Day of the week by ISO 8601, Monday is 1",
    "w": "Week, from Sunday",
    "wo": "Week as ordinal",
    "ww": "Week, two digits",
    "W": "Week by ISO 8601, from Monday",
    "Wo": "ISO week as ordinal",
    "WW": "ISO week, two digits",
    "gg": "Year of `w`, two digits",
    "gggg": "Year of `w`",
    "GG": "Year of `W`, two digits",
    "GGGG": "Year of `W`",
    "H": "Hour, 0 to 23",
    "HH": "Hour, two digits",
    "h": "Hour, 1 to 12",
    "hh": "Hour, 1 to 12, two digits",
    "k": "Hour, 1 to 24",
    "kk": "Hour, 1 to 24, two digits",
    "A": "AM or PM",
    "a": "am or pm",
    "m": "Minute",
    "mm": "Minute, two digits",
    "s": "Second",
    "ss": "Second, two digits",
    "S": "Tenths of a second",
    "SS": "Hundredths of a second",
    "SSS": "Milliseconds",
    "SSSSSSSSS": "Fraction of a second, up to nine digits",
    "Z": "Offset from UTC",
    "ZZ": "Offset from UTC, without colon",
    "z": "Time zone's short name",
    "X": "Seconds since 1970",
    "x": "Milliseconds since 1970",
    "LT": "Time",
    "LTS": "Time with seconds",
    "L": "Date",
    "l": "Date, without zeros",
    "LL": "Date with the month's name",
    "ll": "Date with the month's short name",
    "LLL": "Date and time",
    "lll": "Date and time, short",
    "LLLL": "Date and time with the day of the week",
    "llll": "Date and time with the day of the week, short",
    "[at]": "A text as it stands",
}
"""The tokens of `formatDate` and `parseDate`, as of moment.js, with what they stand for."""
