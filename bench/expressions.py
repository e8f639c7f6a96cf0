"""What a mapping costs: ns per evaluation of five typical ones, and how much parsing is saved.

python bench/expressions.py
"""

import sys
import timeit
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "src"))

from junctor.language.expressions import Scope, compile_template, compile_value
from junctor.language.expressions.parse import _cached

BUNDLE = {
    "first": "Ann",
    "last": "Miller",
    "phone": "+1 415 555 0100",
    "amount": 150,
    "contact": {"email": "ann@example.com"},
    "created": datetime(2026, 11, 21, 10, tzinfo=UTC),
}
ENV = [
    Scope(now=lambda: datetime.now(UTC), random=lambda: 0.5, uuid=lambda: "0"),
    BUNDLE,
]
SLOTS = {1: 1}
MAPPINGS = [
    "{{1.contact.email}}",
    "Hello {{1.first}} {{1.last}}, your number is {{1.phone}}.",
    '{{if(1.amount > 100; "large"; "small")}}',
    '{{upper(replace(ifempty(1.phone; "none"); space; "-"))}}',
    '{{formatDate(1.created; "YYYY-MM-DD HH:mm"; "Europe/Prague")}}',
]


def nanoseconds(call: Callable[[], object], number: int) -> float:
    return min(timeit.repeat(call, number=number, repeat=5)) / number * 1e9


def main() -> None:
    total = parsing = 0.0
    print(f"{'ns':>7} {'with parsing':>13} {'ratio':>6}  mapping")
    for text in MAPPINGS:
        evaluate = compile_template(text, SLOTS)
        compiled = nanoseconds(lambda evaluate=evaluate: evaluate(ENV), 50_000)

        def anew(text: str = text) -> object:
            _cached.cache_clear()
            return compile_template(text, SLOTS)(ENV)

        uncompiled = nanoseconds(anew, 1_000)
        total += compiled
        parsing += uncompiled
        print(f"{compiled:7.0f} {uncompiled:13.0f} {uncompiled / compiled:6.0f}  {text}")
    count = len(MAPPINGS)
    print(f"{total / count:7.0f} {parsing / count:13.0f} {parsing / total:6.0f}  average")
    whole = compile_value(dict(enumerate(MAPPINGS)), SLOTS)
    fixed = compile_value({"method": "POST", "timeout": 40}, SLOTS)
    print(f"{nanoseconds(lambda: whole(ENV), 20_000):7.0f}  a collection of all five")
    print(f"{nanoseconds(lambda: fixed(ENV), 100_000):7.0f}  a collection without expressions")
    plain = compile_template("plain text", SLOTS)
    print(f"{nanoseconds(lambda: plain(ENV), 100_000):7.0f}  a text without expressions")
    print(f"{nanoseconds(lambda: None, 100_000):7.0f}  of each is the measuring call")


if __name__ == "__main__":
    main()
