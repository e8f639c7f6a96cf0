"""A million inputs for the expression language: it answers with a value or its own error, in time.

python bench/fuzz.py [INPUTS] [--seed N]

Random texts out of the language's own words, calls of every function with odd values, odd filters
and odd coercions. Anything else than a value or a `JunctorError` is a failure, shown with the seed
that repeats it; so is a printed template that doesn't parse to itself.
"""

import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

sys.path.insert(0, str(Path(__file__).parent.parent / "src"))

from junctor.errors import JunctorError
from junctor.language.expressions import (
    FAILED,
    FUNCTIONS,
    KEYWORDS,
    Scope,
    compile_template,
    parse,
    print_template,
    uses,
    warnings_of,
)
from junctor.language.expressions.guide import COERCIONS, TOKENS
from junctor.language.filters import OPERATORS, compile_filter
from junctor.language.scenario import Condition, Filter
from junctor.language.values import coerce, plain

LONGEST = 1.0
"""Seconds that one input may take; a regular expression alone has a quarter of one."""
WORDS = [
    *[
        "{{",
        "}}",
        "{",
        "}",
        "(",
        ")",
        "[",
        "]",
        ";",
        ",",
        ".",
        ":",
        "+",
        "-",
        "*",
        "/",
        "%",
        "=",
        "!=",
        "<=",
        ">",
        "&",
        "|",
        "!",
        '"',
        "'",
        "`",
        "\\",
        "\n",
    ],
    *(
        "1.a",
        "1.b.c",
        "1.a[]",
        "1.`x y`",
        "`1`",
        "2",
        "-1",
        "1e9",
        "0.5",
        '"a"',
        "'b'",
        '"/(a+)+$/"',
    ),
    *(
        "error.x",
        "var.a",
        "and",
        "or(",
        "JSON.parse(",
        "é",
        "\U0001f600",
        "\u202e",
        "\ud800",
        "9" * 400,
    ),
    *KEYWORDS,
    *(f"{name}(" for name in FUNCTIONS),
]
TEXTS = [
    "",
    " ",
    "a",
    "5",
    "-0.5",
    "2026-11-21",
    "28.2.2026 5:03 PM",
    "/(a|a)*b/g",
    "a" * 300,
    "\ud800",
]
TEXTS += [
    *TOKENS,
    "utf8",
    "hex",
    "base64",
    "symmetric",
    "asc ci",
    "months",
    "Europe/Prague",
    "monday",
]
DATES = [
    *(edge.replace(tzinfo=UTC) for edge in (datetime.min, datetime.max)),  # noqa: DTZ901  # the edges
    datetime(2026, 3, 29, 2, 30, tzinfo=UTC),
    datetime(2024, 2, 29, tzinfo=UTC),
]
SCOPE = Scope(
    now=lambda: datetime(2026, 11, 21, 10, tzinfo=UTC),
    random=lambda: 0.999,
    uuid=lambda: "id",
    zone=ZoneInfo("America/St_Johns"),
)


def value(dice: random.Random, depth: int = 0) -> Any:
    match dice.randrange(12 if depth < 3 else 9):
        case 0:
            return None
        case 1:
            return dice.random() < 0.5
        case 2:
            return dice.choice([0, 1, -1, 7, 2**53, -(2**63), 10**30])
        case 3:
            return dice.choice([0.0, -0.5, 1e308, float("inf"), float("nan"), 1e-9])
        case 4:
            moved = timedelta(seconds=dice.randrange(10**9))
            date = dice.choice(DATES)
            return date if date.year in {1, 9999} else date + moved
        case 5:
            return bytes(dice.randrange(256) for _ in range(dice.randrange(4)))
        case 6 | 7 | 8:
            return dice.choice(TEXTS)
        case 9 | 10:
            return [value(dice, depth + 1) for _ in range(dice.randrange(4))]
        case _:
            return {
                dice.choice(["a", "b", "", "c d"]): value(dice, depth + 1)
                for _ in range(dice.randrange(3))
            }


def literal(dice: random.Random) -> str:
    if dice.random() < 0.5:
        return dice.choice(["1.a", "1.b", "1.a[].b", "null", "now", "emptyarray", "-1", "0.5", "3"])
    return '"' + dice.choice(TEXTS).replace('"', '""') + '"'


def words(dice: random.Random) -> None:
    """Any text: read, printed, read again, compiled, evaluated."""
    chosen = dice.choices(WORDS, k=dice.randrange(1, 12))
    text = dice.choice(["", " "]).join(chosen)
    text = text if dice.random() < 0.3 else "{{" + text + "}}"
    template = parse(text)
    assert parse(print_template(template)) == template, "printed, it reads otherwise"
    warnings_of(text)
    evaluate(text, dice)


def calls(dice: random.Random) -> None:
    """A function with any arguments."""
    info = FUNCTIONS[dice.choice(NAMES)]
    most = info.least + 3 if info.most is None else info.most
    arguments = [literal(dice) for _ in range(dice.randint(info.least, most))]
    evaluate(dice.choice(["{{%s}}", "x{{%s}}", "{{%s + 1}}"]) % call(info.name, arguments), dice)


def call(name: str, arguments: list[str]) -> str:
    return f"{name}({'; '.join(arguments)})"


def evaluate(text: str, dice: random.Random) -> None:
    slots = dict.fromkeys(uses(text).modules, 1) | {FAILED: 1}
    plain(compile_template(text, slots)([SCOPE, {"a": value(dice), "b": value(dice)}]))


def filters(dice: random.Random) -> None:
    """A condition with any two values."""
    condition = Condition(dice.choice(list(OPERATORS)), "{{1.a}}", dice.choice(["{{1.b}}", *TEXTS]))
    passed = compile_filter(Filter(groups=((condition,),)), {1: 1})(
        [SCOPE, {"a": value(dice), "b": value(dice)}]
    )
    assert isinstance(passed, bool), passed


def coercions(dice: random.Random) -> None:
    """Any value as any type."""
    coerce(value(dice), dice.choice(COERCIONS).type, SCOPE.zone)


NAMES = sorted(FUNCTIONS)
KINDS: list[Callable[[random.Random], None]] = [
    words,
    words,
    calls,
    calls,
    calls,
    filters,
    coercions,
]


def main(arguments: list[str]) -> int:
    seed = int(arguments.pop(arguments.index("--seed") + 1)) if "--seed" in arguments else 1
    numbers = [int(each) for each in arguments if each.isdigit()]
    inputs = numbers[0] if numbers else 1_000_000
    outcomes: Counter[str] = Counter()
    slowest, failures, started = (0.0, 0), 0, time.perf_counter()
    for number in range(seed, seed + inputs):
        dice = random.Random(number)  # repeatable on purpose
        kind = dice.choice(KINDS)
        began = time.perf_counter()
        try:
            kind(dice)
            outcome = "value"
        except JunctorError as error:
            outcome = error.__class__.__name__
        except Exception as error:  # what the bench is looking for
            failures += 1
            outcome = "failure"
            print(f"seed {number} ({kind.__name__}): {error.__class__.__name__}: {error!s:.200}")
        outcomes[f"{kind.__name__}: {outcome}"] += 1
        slowest = max(slowest, (time.perf_counter() - began, number))
    seconds = time.perf_counter() - started
    for name, count in sorted(outcomes.items()):
        print(f"{count:9,}  {name}")
    print(f"{inputs:9,}  inputs in {seconds:.0f} s ({inputs / seconds:,.0f} a second)")
    print(f"{slowest[0]:9.3f}  seconds for the slowest, seed {slowest[1]}")
    return int(failures > 0 or slowest[0] > LONGEST)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
